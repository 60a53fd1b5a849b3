// Streams whose usage nobody asks for, by the official SDK. Each prints one JSON line: every chunk as it was parsed, and the body's
// hash.
//
// Usage: unasked.mjs NAME...   with NAME = chat, completions

import { createHash } from 'node:crypto';
import OpenAI from 'openai';

async function run(name) {
  const hashes = [];
  const client = new OpenAI({
    maxRetries: 0,
    fetch: async (url, options) => {
      const answer = await fetch(url, options);
      const [mine, theirs] = answer.body.tee();
      hashes.push((async () => {
        const hash = createHash('sha256');
        for await (const piece of mine) hash.update(piece);
        return hash.digest('hex');
      })());
      return new Response(theirs, { status: answer.status, headers: answer.headers });
    },
  });
  const asked = { model: 'gpt-5-mini', stream: true };
  const events = name === 'chat'
    ? await client.chat.completions.create({ ...asked, messages: [{ role: 'user', content: 'When does the tide turn?' }] })
    : await client.completions.create({ ...asked, prompt: 'The tide turns' });
  const chunks = [];
  for await (const chunk of events) chunks.push(chunk);
  console.log(JSON.stringify({ call: name, chunks, sha256: await hashes[0] }));
}

for (const name of process.argv.slice(2)) await run(name);
