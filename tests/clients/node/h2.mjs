// One HTTP/2 request through the CONNECT proxy of the environment; prints what was negotiated and what came back.

import { createHash } from 'node:crypto';
import http2 from 'node:http2';
import net from 'node:net';
import { readFileSync } from 'node:fs';
import tls from 'node:tls';

const proxy = new URL(process.env.HTTPS_PROXY);
const host = 'api.openai.com';
const socket = net.connect(Number(proxy.port), proxy.hostname);
socket.write(`CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}:443\r\n\r\n`);
await new Promise((resolve) => socket.once('data', resolve));
const secure = tls.connect({ socket, servername: host, ALPNProtocols: ['h2', 'http/1.1'], ca: readFileSync(process.env.SSL_CERT_FILE) });
await new Promise((resolve, reject) => { secure.once('secureConnect', resolve); secure.once('error', reject); });
const session = http2.connect(`https://${host}`, { createConnection: () => secure });
const calls = ['/v1/chat/completions', '/v1/responses'].map((path) => new Promise((resolve, reject) => {
  const request = session.request({ ':method': 'POST', ':path': path, authorization: `Bearer ${process.env.OPENAI_API_KEY}`, 'content-type': 'application/json' });
  const body = createHash('sha256');
  let head;
  request.on('response', (headers) => { head = headers; });
  request.on('data', (piece) => body.update(piece));
  request.on('end', () => resolve({ path, status: head[':status'], altSvc: head['alt-svc'] ?? null, sha256: body.digest('hex') }));
  request.on('error', reject);
  request.end(JSON.stringify({ model: 'gpt-5-mini', stream: true, stream_options: { include_usage: true }, input: 'x', messages: [{ role: 'user', content: 'x' }] }));
}));
const answers = await Promise.all(calls);
console.log(JSON.stringify({ protocol: secure.alpnProtocol, answers }));
session.close();
