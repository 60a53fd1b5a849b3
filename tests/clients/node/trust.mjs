// Makes one call with one library and prints a JSON line: its text, or why there was none. For Node, Deno and Bun.
//
// Usage: trust.mjs LIBRARY   with LIBRARY = openai, anthropic, genai, fetch, https, grpc
// Libraries without an SDK call TEST_ORIGIN. Nothing here knows of a proxy or a certificate.

import https from 'node:https';
import process from 'node:process';

const origin = process.env.TEST_ORIGIN;
const url = `${origin}/v1/chat/completions`;
const headers = { authorization: `Bearer ${process.env.OPENAI_API_KEY}`, 'content-type': 'application/json' };
const messages = [{ role: 'user', content: 'When does the tide turn?' }];
const chat = { model: 'gpt-5-mini', messages };
const textOf = (answer) => answer.choices[0].message.content;

const clients = {
  async openai() {
    const { default: OpenAI } = await import('openai');
    return textOf(await new OpenAI({ maxRetries: 0 }).chat.completions.create(chat));
  },
  async anthropic() {
    const { default: Anthropic } = await import('@anthropic-ai/sdk');
    const client = new Anthropic({ maxRetries: 0 });
    return (await client.messages.create({ model: 'claude-sonnet-5-5', max_tokens: 256, messages })).content[0].text;
  },
  async genai() {
    const { GoogleGenAI } = await import('@google/genai');
    const client = new GoogleGenAI({ apiKey: process.env.GEMINI_API_KEY });
    return (await client.models.generateContent({ model: 'gemini-3.5-flash', contents: messages[0].content })).text;
  },
  async fetch() {
    return textOf(await (await fetch(url, { method: 'POST', headers, body: JSON.stringify(chat) })).json());
  },
  https() {
    return new Promise((resolve, reject) => {
      const request = https.request(url, { method: 'POST', headers }, (answer) => {
        let body = '';
        answer.setEncoding('utf8');
        answer.on('data', (piece) => { body += piece; });
        answer.on('end', () => { try { resolve(textOf(JSON.parse(body))); } catch (error) { reject(error); } });
        answer.on('error', reject);
      });
      request.on('error', reject);
      request.end(JSON.stringify(chat));
    });
  },
  async grpc() {
    const { Client, credentials } = await import('@grpc/grpc-js');
    const client = new Client(`${new URL(origin).hostname}:443`, credentials.createSsl());
    const bytes = (value) => value;
    const deadline = Date.now() + 20_000;
    try {
      await new Promise((resolve, reject) => {
        client.makeUnaryRequest('/harbour.Tides/Next', bytes, bytes, Buffer.alloc(0), { deadline }, (error, answer) => (error ? reject(error) : resolve(answer)));
      });
      return 'grpc-status 0';
    } finally {
      client.close();
    }
  },
};

try {
  console.log(JSON.stringify({ ok: true, text: await clients[process.argv[2]]() }));
} catch (error) {
  const causes = [];
  for (let cause = error; cause; cause = cause.cause) causes.push(`${cause.code ?? cause.name}: ${cause.message}`);
  console.log(JSON.stringify({ ok: false, error: causes.join(' < ') }));
}
