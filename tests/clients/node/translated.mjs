// Asks a server on loopback with the official SDKs. It prints one JSON line per call: what the app learned, or the error that it
// got.
//
// Usage: translated.mjs BASE_URL API MODEL...   with API one of `apis`, and the model naming what the server is to answer

import OpenAI from 'openai';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';

const [base, api, ...models] = process.argv.slice(2);
const question = 'When does the tide turn?';
const messages = [{ role: 'user', content: question }];
const openai = new OpenAI({ baseURL: `${base}/v1`, apiKey: 'sk-loopback' });
const anthropic = new Anthropic({ baseURL: base, apiKey: 'sk-ant-loopback' });
const gemini = new GoogleGenAI({ apiKey: 'loopback', httpOptions: { baseUrl: base } });
const asked = (model) => ({ model, max_tokens: 64, messages });

function ofChat(answer) {
  const { message, finish_reason: stop } = answer.choices[0];
  const calls = (message.tool_calls ?? []).map((call) => [call.id, call.function.name, call.function.arguments]);
  return { text: message.content ?? '', calls, stop, usage: [answer.usage.prompt_tokens, answer.usage.completion_tokens] };
}

function ofResponse(answer) {
  const calls = answer.output.filter((item) => item.type === 'function_call').map((call) => [call.call_id, call.name, call.arguments]);
  const stop = answer.incomplete_details?.reason ?? answer.status;
  return { text: answer.output_text, calls, stop, usage: [answer.usage.input_tokens, answer.usage.output_tokens] };
}

function ofMessage(answer) {
  const calls = answer.content.filter((block) => block.type === 'tool_use').map((call) => [call.id, call.name, JSON.stringify(call.input)]);
  const text = answer.content.map((block) => block.text ?? '').join('');
  const { input_tokens: fresh, cache_read_input_tokens: read, cache_creation_input_tokens: written, output_tokens: out } = answer.usage;
  return { text, calls, stop: answer.stop_reason, usage: [fresh + read + written, out] };
}

async function ofGemini(chunks) {
  const seen = { text: '', calls: [], stop: null, usage: null };
  for await (const chunk of chunks) {
    const candidate = chunk.candidates[0];
    for (const part of candidate.content.parts) {
      seen.text += part.text ?? '';
      if (part.functionCall) seen.calls.push([part.functionCall.id, part.functionCall.name, JSON.stringify(part.functionCall.args)]);
    }
    seen.stop = candidate.finishReason ?? seen.stop;
    const told = chunk.usageMetadata;
    if (told) seen.usage = [told.promptTokenCount, told.candidatesTokenCount + (told.thoughtsTokenCount ?? 0)];
  }
  return seen;
}

const apis = {
  openai_chat: {
    chat: async (model) => ofChat(await openai.chat.completions.create({ model, messages })),
    chat_stream: async (model) => ofChat(await openai.chat.completions.stream({ model, messages, stream_options: { include_usage: true } }).finalChatCompletion()),
  },
  openai_responses: {
    responses: async (model) => ofResponse(await openai.responses.create({ model, input: question })),
    responses_stream: async (model) => ofResponse(await openai.responses.stream({ model, input: question }).finalResponse()),
  },
  anthropic_messages: {
    messages: async (model) => ofMessage(await anthropic.messages.create(asked(model))),
    messages_stream: async (model) => ofMessage(await anthropic.messages.stream(asked(model)).finalMessage()),
  },
  gemini: {
    gemini: async (model) => ofGemini([await gemini.models.generateContent({ model, contents: question })]),
    gemini_stream: async (model) => ofGemini(await gemini.models.generateContentStream({ model, contents: question })),
  },
};

for (const model of models) {
  for (const [call, ask] of Object.entries(apis[api])) {
    let seen;
    try {
      seen = { answer: await ask(model) };
    } catch (error) {
      seen = { error: error.constructor.name, status: error.status ?? null, message: String(error.message) };
    }
    console.log(JSON.stringify({ model, call, ...seen }));
  }
}
