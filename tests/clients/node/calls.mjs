// Unmodified programs with the official SDKs. Each prints one JSON line per call: what it saw of the answer.
//
// Usage: calls.mjs NAME...   with NAME = {chat,responses,messages,gemini}[_tool][_stream][_helper], for_ever (a chat and a stream for
// every line of standard input), crowd (four of both at once)
// helper: by the SDK's own reader of streams, where it has one; tool: one is offered, and its call is the text
// The SDKs' own `fetch` option shows the body's bytes; nothing here knows of a proxy or a certificate.

import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
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

const parameters = { type: 'object', properties: { place: { type: 'string' } }, required: ['place'] };
const strict = { parameters: { ...parameters, additionalProperties: false }, strict: true };
const tools = {
  chat: { type: 'function', function: { name: 'weather', ...strict } },
  responses: { type: 'function', name: 'weather', ...strict },
  messages: { name: 'weather', input_schema: parameters },
  gemini: { functionDeclarations: [{ name: 'weather', parameters }] },
};

const callOf = (name, given) => `${name} ${typeof given === 'string' ? given : JSON.stringify(given)}`;

// The text of a whole answer, or the call of a tool, and the word that it ended with.
const toldBy = {
  chat: ({ choices: [{ message, finish_reason }] }) => [
    (message.content ?? '') + (message.tool_calls ?? []).map((call) => callOf(call.function.name, call.function.arguments)).join(''), finish_reason],
  responses: (answer) => [
    answer.output_text + answer.output.filter((item) => item.type === 'function_call').map((item) => callOf(item.name, item.arguments)).join(''), answer.status],
  messages: (answer) => [
    answer.content.map((block) => (block.type === 'text' ? block.text : callOf(block.name, block.input))).join(''), answer.stop_reason],
  gemini: (answer) => {
    const calls = answer.functionCalls ?? [];
    return [calls.length ? calls.map((call) => callOf(call.name, call.args)).join('') : answer.text ?? '',
      // A prompt that is blocked has no candidate.
      answer.candidates?.[0]?.finishReason ?? answer.promptFeedback?.blockReason];
  },
};

// The same of an event of a stream.
const deltaOf = {
  chat: ({ choices: [choice] }) => {
    if (!choice) return ['', null];
    const calls = (choice.delta?.tool_calls ?? []).map((call) => call.function);
    const named = calls.map((call) => (call.name ? `${call.name} ` : '') + (call.arguments ?? '')).join('');
    return [(choice.delta?.content ?? '') + named, choice.finish_reason];
  },
  responses: (event) => {
    if (event.type === 'response.output_item.added' && event.item.type === 'function_call') return [`${event.item.name} `, null];
    if (['response.output_text.delta', 'response.function_call_arguments.delta'].includes(event.type)) return [event.delta, null];
    return ['', event.type === 'response.completed' ? event.response.status : null];
  },
  messages: (event) => {
    if (event.type === 'content_block_start' && event.content_block.type === 'tool_use') return [`${event.content_block.name} `, null];
    if (event.type === 'content_block_delta') return [event.delta.text ?? event.delta.partial_json, null];
    return ['', event.type === 'message_delta' ? event.delta.stop_reason : null];
  },
  gemini: toldBy.gemini,
};

const requests = {
  chat: { model: 'gpt-5-mini', messages },
  responses: { model: 'gpt-5-mini', input: messages[0].content },
  messages: { model: 'claude-sonnet-5-5', max_tokens: 256, messages },
};

// By the SDK's own reader of streams.
const byHelper = {
  chat: (client, request) => client.chat.completions.stream(request).finalChatCompletion(),
  responses: (client, request) => client.responses.stream(request).finalResponse(),
  messages: (client, request) => client.messages.stream(request).finalMessage(),
};

const resource = {
  chat: (client) => client.chat.completions,
  responses: (client) => client.responses,
  messages: (client) => client.messages,
};

async function answer(api, parts, options) {
  const tool = parts.includes('tool') && tools[api];
  if (api === 'gemini') {
    const { models } = new GoogleGenAI({ apiKey: process.env.GEMINI_API_KEY });
    const asked = { model: 'gemini-3.5-flash', contents: messages[0].content, ...(tool && { config: { tools: [tool] } }) };
    return parts.includes('stream') ? models.generateContentStream(asked) : models.generateContent(asked);
  }
  const client = api === 'messages' ? new Anthropic(options) : new OpenAI(options);
  const request = { ...requests[api], ...more, ...(tool && { tools: [tool] }) };
  if (parts.includes('helper')) return byHelper[api](client, request);
  if (!parts.includes('stream')) return resource[api](client).create(request);
  const usage = api === 'chat' && { stream_options: { include_usage: true } };
  return resource[api](client).create({ ...request, stream: true, ...usage });
}

async function run(name) {
  const [api, ...parts] = name.split('_');
  const bodies = [];
  const began = performance.now();
  const took = () => (performance.now() - began) / 1000;
  const options = { maxRetries: Number(process.env.TEST_RETRIES ?? 0), fetch: tapped(bodies) };
  try {
    const told = await answer(api, parts, options);
    let [text, finish] = ['', null];
    if (parts.includes('stream') && !parts.includes('helper')) {
      for await (const event of told) {
        const [piece, word] = deltaOf[api](event);
        [text, finish] = [text + piece, word ?? finish];
      }
    } else {
      [text, finish] = toldBy[api](told);
    }
    console.log(JSON.stringify({ call: name, seconds: took(), text, finish, sha256: await bodies[0] }));
  } catch (error) {
    console.log(JSON.stringify({ call: name, seconds: took(), error: error.constructor.name, status: error.status, message: String(error), cause: String(error.cause) }));
  }
}

// For every line of standard input.
async function forEachLine(act) {
  for await (const _ of createInterface({ input: process.stdin })) await act();
}

for (const name of process.argv.slice(2)) {
  if (name === 'for_ever') {
    await forEachLine(async () => {
      await run('chat');
      await run('chat_stream');
    });
  } else if (name === 'crowd') {
    const crowd = Array(4).fill(['chat', 'chat_stream']).flat();
    await forEachLine(() => Promise.all(crowd.map(run)));
  } else {
    await run(name);
  }
}
