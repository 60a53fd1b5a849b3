// An unmodified program that asks providers with their official SDKs. It prints one JSON line per call: what it saw of the
// answer, or the error.
//
// Usage: providers.mjs CALL...   with CALL a key of `calls`, or `all`
// Keys come from the environment as the SDKs read it; nothing here knows of a proxy or a certificate.

import OpenAI, { AzureOpenAI, toFile } from 'openai';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';

const key = process.env.TEST_KEY;
const question = 'When does the tide turn?';
const messages = [{ role: 'user', content: question }];
const openai = new OpenAI({ maxRetries: 0 });
const azure = new AzureOpenAI({ apiVersion: '2025-04-01-preview', maxRetries: 0 });
const anthropic = new Anthropic({ maxRetries: 0 });
const gemini = new GoogleGenAI({ apiKey: key });
const vertex = new GoogleGenAI({ vertexai: true, apiKey: key });

async function all(stream, piece) {
  let text = '';
  for await (const one of stream) text += piece(one) ?? '';
  return text;
}

const sound = () => toFile(Buffer.concat([Buffer.from('RIFF'), Buffer.alloc(2000)]), 'tide.wav', { type: 'audio/wav' });

const calls = {
  embeddings: async () => (await openai.embeddings.create({ model: 'text-embedding-3-small', input: ['ebb', 'flood'] })).data.map((one) => one.embedding.length),
  completions: async () => (await openai.completions.create({ model: 'gpt-3.5-turbo-instruct', prompt: question })).choices[0].text,
  completions_stream: async () => all(
    await openai.completions.create({ model: 'gpt-3.5-turbo-instruct', prompt: question, stream: true, stream_options: { include_usage: true } }),
    (chunk) => chunk.choices[0]?.text,
  ),
  image: async () => (await openai.images.generate({ model: 'gpt-image-1', prompt: 'a harbour' })).data.length,
  speech: async () => (await (await openai.audio.speech.create({ model: 'gpt-4o-mini-tts', voice: 'alloy', input: question })).arrayBuffer()).byteLength,
  transcription: async () => (await openai.audio.transcriptions.create({ model: 'gpt-4o-mini-transcribe', file: await sound() })).text,
  azure_embeddings: async () => (await azure.embeddings.create({ model: 'embedder', input: 'ebb' })).data.map((one) => one.embedding.length),
  azure_responses: async () => (await azure.responses.create({ model: 'our-gpt', input: question })).output_text,
  not_counted_anthropic: async () => (await anthropic.messages.countTokens({ model: 'claude-sonnet-5-5', messages })).input_tokens,
  gemini: async () => (await gemini.models.generateContent({ model: 'gemini-3.5-flash', contents: question })).text,
  gemini_stream: async () => all(await gemini.models.generateContentStream({ model: 'gemini-3.5-flash', contents: question }), (chunk) => chunk.text),
  gemini_embeddings: async () => (await gemini.models.embedContent({ model: 'gemini-embedding-001', contents: ['ebb', 'flood'] })).embeddings.length,
  interactions: async () => (await gemini.interactions.create({ model: 'gemini-3.5-flash', input: question })).steps.at(-1).content[0].text,
  interactions_stream: async () => all(
    await gemini.interactions.create({ model: 'gemini-3.5-flash', input: question, stream: true }),
    (event) => event.event_type === 'step.delta' ? event.delta.text : '',
  ),
  vertex_gemini: async () => (await vertex.models.generateContent({ model: 'gemini-3.5-flash', contents: question })).text,
  vertex_gemini_stream: async () => all(await vertex.models.generateContentStream({ model: 'gemini-3.5-flash', contents: question }), (chunk) => chunk.text),
  openrouter: async () => (await new OpenAI({ baseURL: 'https://openrouter.ai/api/v1', maxRetries: 0 }).chat.completions.create({ model: 'openai/gpt-5-mini', messages })).choices[0].message.content,
  groq_stream: async () => all(
    await new OpenAI({ baseURL: 'https://api.groq.com/openai/v1', maxRetries: 0 }).chat.completions.create({ model: 'openai/gpt-oss-120b', messages, stream: true }),
    (chunk) => chunk.choices[0]?.delta?.content,
  ),
};

const names = process.argv.slice(2);
for (const name of names[0] === 'all' ? Object.keys(calls) : names) {
  try {
    console.log(JSON.stringify({ call: name, saw: await calls[name]() }));
  } catch (error) {
    console.error(error);
    console.log(JSON.stringify({ call: name, error: String(error) }));
  }
}
