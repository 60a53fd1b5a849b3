// Unmodified programs with the official SDKs. Each prints one JSON line per call: what it saw of the answer.
//
// Usage: calls.mjs NAME...   with NAME = {chat,responses,messages,gemini}[_stream][_helper]; helper: by the SDK's own reader of
// streams, where it has one
// The SDKs' own `fetch` option shows the body's bytes; nothing here knows of a proxy or a certificate.

import { createHash } from 'node:crypto';
import OpenAI from 'openai';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';

const more = JSON.parse(process.env.TEST_ARGUMENTS ?? '{}');
const messages = [{ role: 'user', content: 'When does the tide turn?' }];

function tapped(bodies) {
  return async (url, options) => {
    const answer = await fetch(url, options);
    if (!answer.body) return answer;
    const [mine, theirs] = answer.body.tee();
    bodies.push((async () => {
      const hash = createHash('sha256');
      for await (const piece of mine) hash.update(piece);
      return hash.digest('hex');
    })().catch(() => null));
    return new Response(theirs, { status: answer.status, headers: answer.headers });
  };
}

async function byGemini(stream) {
  const { models } = new GoogleGenAI({ apiKey: process.env.GEMINI_API_KEY });
  const asked = { model: 'gemini-3.5-flash', contents: messages[0].content };
  if (!stream) return (await models.generateContent(asked)).text;
  let text = '';
  for await (const chunk of await models.generateContentStream(asked)) text += chunk.text ?? '';
  return text;
}

async function run(name) {
  const [api] = name.split('_');
  const stream = name.includes('stream');
  const helper = name.includes('helper');
  const bodies = [];
  const began = performance.now();
  const took = () => (performance.now() - began) / 1000;
  const options = { maxRetries: Number(process.env.TEST_RETRIES ?? 0), fetch: tapped(bodies) };
  try {
    let text = '';
    if (api === 'gemini') {
      text = await byGemini(stream);
    } else if (api === 'chat') {
      const client = new OpenAI(options);
      const request = { model: 'gpt-5-mini', messages, ...more };
      if (helper) {
        text = (await client.chat.completions.stream(request).finalChatCompletion()).choices[0].message.content;
      } else if (stream) {
        const events = await client.chat.completions.create({ ...request, stream: true, stream_options: { include_usage: true } });
        for await (const event of events) text += event.choices[0]?.delta?.content ?? '';
      } else {
        text = (await client.chat.completions.create(request)).choices[0].message.content;
      }
    } else if (api === 'responses') {
      const client = new OpenAI(options);
      const request = { model: 'gpt-5-mini', input: messages[0].content, ...more };
      if (helper) {
        text = (await client.responses.stream(request).finalResponse()).output_text;
      } else if (stream) {
        for await (const event of await client.responses.create({ ...request, stream: true })) {
          if (event.type === 'response.output_text.delta') text += event.delta;
        }
      } else {
        text = (await client.responses.create(request)).output_text;
      }
    } else {
      const client = new Anthropic(options);
      const request = { model: 'claude-sonnet-5-5', max_tokens: 256, messages, ...more };
      if (helper) {
        text = (await client.messages.stream(request).finalMessage()).content.map((block) => block.text).join('');
      } else if (stream) {
        for await (const event of await client.messages.create({ ...request, stream: true })) {
          if (event.type === 'content_block_delta') text += event.delta.text;
        }
      } else {
        text = (await client.messages.create(request)).content.map((block) => block.text).join('');
      }
    }
    console.log(JSON.stringify({ call: name, seconds: took(), text, sha256: await bodies[0] }));
  } catch (error) {
    console.log(JSON.stringify({ call: name, seconds: took(), error: error.constructor.name, status: error.status, message: String(error), cause: String(error.cause) }));
  }
}

for (const name of process.argv.slice(2)) await run(name);
