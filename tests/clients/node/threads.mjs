// Programs that name nothing: tool loops, whose calls belong together by what they repeat, and retries of the SDKs' own.
//
// Usage: threads.mjs NAME...   with NAME = chat_tools, messages_tools, retry, messages_retry

const question = { role: 'user', content: 'When does the tide turn?' };
const schema = { type: 'object', properties: { place: { type: 'string' } } };

async function openai(options) {
  const { OpenAI } = await import('openai');
  return new OpenAI(options);
}

async function anthropic(options) {
  const { Anthropic } = await import('@anthropic-ai/sdk');
  return new Anthropic(options);
}

const calls = {
  async chat_tools() {
    const client = await openai({ maxRetries: 0 });
    const messages = [question];
    const tools = [{ type: 'function', function: { name: 'tide', parameters: schema } }];
    for (let turn = 0; turn < 3; turn += 1) {
      const stream = client.chat.completions.stream({ model: 'gpt-5-mini', messages, tools });
      const { message } = (await stream.finalChatCompletion()).choices[0];
      messages.push(message);
      for (const call of message.tool_calls) messages.push({ role: 'tool', tool_call_id: call.id, content: 'six' });
    }
  },

  async messages_tools() {
    const client = await anthropic({ maxRetries: 0 });
    const messages = [question];
    const tools = [{ name: 'tide', input_schema: schema }];
    for (let turn = 0; turn < 3; turn += 1) {
      const answer = await client.messages.create({ model: 'claude-sonnet-5-5', max_tokens: 256, messages, tools });
      messages.push({ role: 'assistant', content: answer.content });
      const results = answer.content.filter((block) => block.type === 'tool_use')
        .map((block) => ({ type: 'tool_result', tool_use_id: block.id, content: 'six' }));
      messages.push({ role: 'user', content: results });
    }
  },

  async retry() {
    const client = await openai({ maxRetries: 2 });
    await client.chat.completions.create({ model: 'gpt-5-mini', messages: [question] });
  },

  async messages_retry() {
    const client = await anthropic({ maxRetries: 2 });
    await client.messages.create({ model: 'claude-sonnet-5-5', max_tokens: 256, messages: [question] });
  },
};

for (const name of process.argv.slice(2)) {
  await calls[name]();
  console.log(JSON.stringify({ call: name }));
}
