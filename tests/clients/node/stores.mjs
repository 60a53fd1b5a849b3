// A service of the company by every library, then a model by the official SDK: stores.mjs URL [MODEL]. Prints a line of JSON, {NAME: text}, or
// what went wrong in the place of a text. Nothing here knows of a certificate.

import https from 'node:https';
import process from 'node:process';
import OpenAI from 'openai';

const [url, model] = process.argv.slice(2);
const clients = {
  async fetch() {
    return (await fetch(url)).text();
  },
  https() {
    return new Promise((resolve, reject) => {
      https.get(url, (answer) => {
        let body = '';
        answer.on('data', (piece) => { body += piece; });
        answer.on('end', () => resolve(body));
      }).on('error', reject);
    });
  },
};
if (model) {
  const messages = [{ role: 'user', content: 'Where is the harbour?' }];
  clients.openai = async () => (await new OpenAI().chat.completions.create({ model, messages })).choices[0].message.content;
}
const said = {};
for (const [name, client] of Object.entries(clients)) {
  try {
    said[name] = await client();
  } catch (error) {
    said[name] = `${error}: ${error.cause?.code}`;
  }
}
console.log(JSON.stringify(said));
