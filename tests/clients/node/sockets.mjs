// Unmodified programs with the official SDK over WebSockets. Each prints one JSON line: what it heard.
//
// Usage: sockets.mjs NAME...   with NAME = responses, realtime
// A WebSocket library takes no proxy from the environment; where there is one, the program hands over Node's own agent.

import { Agent } from 'node:https';
import OpenAI from 'openai';
import { ResponsesWS } from 'openai/resources/responses/ws';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';

const TURNS = 2;
const LAST = new Set(['response.completed', 'response.failed', 'response.done']);

function opened(name, client) {
  const options = { perMessageDeflate: true };
  if (process.env.HTTPS_PROXY) options.agent = new Agent({ proxyEnv: process.env });
  return name === 'realtime'
    ? { api: new OpenAIRealtimeWS({ model: 'gpt-realtime', options }, client), first: 'session.created', request: { type: 'response.create' } }
    : { api: new ResponsesWS(client, options), request: { type: 'response.create', model: 'gpt-5-mini', input: 'When does the tide turn?' } };
}

function run(name) {
  return new Promise((resolve, reject) => {
    const { api, first, request } = opened(name, new OpenAI());
    const told = { call: name, text: '', ended: [] };
    api.on('error', reject);
    api.on('event', (event) => {
      if (event.type.endsWith('text.delta') || event.type.endsWith('transcript.delta')) told.text += event.delta;
      if (LAST.has(event.type)) told.ended.push(event.type);
      if (event.type !== first && !LAST.has(event.type)) return;
      if (told.ended.length < TURNS) return api.send(request);
      api.close();
      resolve(told);
    });
    if (!first) api.send(request);
  });
}

for (const name of process.argv.slice(2)) {
  try {
    console.log(JSON.stringify(await run(name)));
  } catch (error) {
    console.log(JSON.stringify({ call: name, error: error.constructor.name, message: String(error), cause: String(error.cause ?? error.error) }));
  }
}
