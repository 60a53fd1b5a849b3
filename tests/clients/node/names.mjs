// Programs that name their user by one line each, as docs/who.md shows it. Each prints one JSON line per call.
//
// Usage: names.mjs NAME...   with NAME = openai, anthropic, genai, header

const user = 'u_81';
const messages = [{ role: 'user', content: 'When does the tide turn?' }];

const calls = {
  async openai(names = { safety_identifier: user }, options = {}) {
    const { OpenAI } = await import('openai');
    const client = new OpenAI({ maxRetries: 0 });
    await client.chat.completions.create({ model: 'gpt-5-mini', messages, ...names }, options);
  },

  async anthropic() {
    const { Anthropic } = await import('@anthropic-ai/sdk');
    const client = new Anthropic({ maxRetries: 0 });
    await client.messages.create({ model: 'claude-sonnet-5-5', max_tokens: 256, messages, metadata: { user_id: user } });
  },

  async genai() {
    const { GoogleGenAI } = await import('@google/genai');
    const ai = new GoogleGenAI({ apiKey: process.env.GEMINI_API_KEY });
    await ai.models.generateContent({
      model: 'gemini-3.5-flash', contents: 'When does the tide turn?',
      config: { httpOptions: { headers: { 'x-outrigger-user': user } } },
    });
  },

  async header() {
    await calls.openai({}, { headers: { 'x-outrigger-user': user } });
  },
};

for (const name of process.argv.slice(2)) {
  await calls[name]();
  console.log(JSON.stringify({ call: name }));
}
