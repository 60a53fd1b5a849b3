"""Programs that name nothing: tool loops and conversations, whose calls belong together by what they repeat, and retries of
the SDKs' own. Each prints one JSON line per call.

Usage: threads.py NAME...   with NAME = chat_tools, messages_tools, converse_tools, responses, talk, retry, aws_retry
"""

import json
import sys

QUESTION = "When does the tide turn?"
SCHEMA = {"type": "object", "properties": {"place": {"type": "string"}}}


def say(name):
    print(json.dumps({"call": name}), flush=True)


def chat_tools():
    from openai import OpenAI

    client = OpenAI(max_retries=0)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
    tools = [{"type": "function", "function": {"name": "tide", "parameters": SCHEMA}}]
    for turn in range(3):
        # The last of them streams.
        if turn == 2:
            for _ in client.chat.completions.create(model="gpt-5-mini", messages=messages, tools=tools, stream=True):
                pass
            return
        message = client.chat.completions.create(model="gpt-5-mini", messages=messages, tools=tools).choices[0].message
        messages.append(message)
        for call in message.tool_calls:
            messages.append({"role": "tool", "tool_call_id": call.id, "content": "six"})


def messages_tools():
    from anthropic import Anthropic

    client = Anthropic(max_retries=0)
    messages = [{"role": "user", "content": QUESTION}]
    for _ in range(3):
        with client.messages.stream(
            model="claude-sonnet-5-5", max_tokens=256, system="Be brief.", messages=messages,
            tools=[{"name": "tide", "input_schema": SCHEMA}],
        ) as stream:
            answer = stream.get_final_message()
        messages.append({"role": "assistant", "content": answer.content})
        results = [{"type": "tool_result", "tool_use_id": block.id, "content": "six"}
                   for block in answer.content if block.type == "tool_use"]
        messages.append({"role": "user", "content": results})


def converse_tools():
    import boto3

    client = boto3.client("bedrock-runtime", region_name="us-east-1")
    messages = [{"role": "user", "content": [{"text": QUESTION}]}]
    tools = {"tools": [{"toolSpec": {"name": "tide", "inputSchema": {"json": SCHEMA}}}]}
    for _ in range(3):
        answer = client.converse(modelId="us.anthropic.claude-sonnet-5-5-v1:0", messages=messages, toolConfig=tools)
        message = answer["output"]["message"]
        messages.append(message)
        results = [{"toolResult": {"toolUseId": part["toolUse"]["toolUseId"], "content": [{"text": "six"}]}}
                   for part in message["content"] if "toolUse" in part]
        messages.append({"role": "user", "content": results})


def responses():
    from openai import OpenAI

    client = OpenAI(max_retries=0)
    before = None
    for _ in range(3):
        before = client.responses.create(model="gpt-5-mini", input=QUESTION, previous_response_id=before).id


def talk():
    from openai import OpenAI

    client = OpenAI(max_retries=0)
    messages = []
    for _ in range(3):
        messages.append({"role": "user", "content": QUESTION})
        answer = client.chat.completions.create(model="gpt-5-mini", messages=messages).choices[0].message
        messages.append({"role": "assistant", "content": answer.content})


def retry():
    from openai import OpenAI

    client = OpenAI(max_retries=2)
    client.chat.completions.create(model="gpt-5-mini", messages=[{"role": "user", "content": QUESTION}])


def aws_retry():
    import boto3

    client = boto3.client("bedrock-runtime", region_name="us-east-1")
    client.converse(modelId="us.anthropic.claude-sonnet-5-5-v1:0",
                    messages=[{"role": "user", "content": [{"text": QUESTION}]}])


CALLS = {"chat_tools": chat_tools, "messages_tools": messages_tools, "converse_tools": converse_tools,
         "responses": responses, "talk": talk, "retry": retry, "aws_retry": aws_retry}

for name in sys.argv[1:]:
    CALLS[name]()
    say(name)
