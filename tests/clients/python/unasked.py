"""Streams whose usage nobody asks for, by the official SDK. Each prints one JSON line: every chunk as it was parsed, or the body's hash.

Usage: unasked.py NAME...   with NAME = {chat,completions}[_async][_raw]
"""

import asyncio
import hashlib
import json
import sys

import openai

MESSAGES = [{"role": "user", "content": "When does the tide turn?"}]


def call(client, name):
    if name.startswith("chat"):
        resource, asked = client.chat.completions, {"messages": MESSAGES}
    else:
        resource, asked = client.completions, {"prompt": "The tide turns"}
    create = resource.with_streaming_response.create if "raw" in name else resource.create
    return create(model="gpt-5-mini", stream=True, **asked)


def say(name, **seen):
    print(json.dumps({"call": name, **seen}), flush=True)


def run(name):
    client = openai.OpenAI(max_retries=0)
    if "raw" in name:
        with call(client, name) as answer:
            say(name, sha256=hashlib.sha256(b"".join(answer.iter_bytes())).hexdigest())
    else:
        say(name, chunks=[chunk.to_dict(mode="json", exclude_unset=False) for chunk in call(client, name)])


async def run_async(name):
    client = openai.AsyncOpenAI(max_retries=0)
    if "raw" in name:
        async with call(client, name) as answer:
            body = b"".join([piece async for piece in answer.iter_bytes()])
            say(name, sha256=hashlib.sha256(body).hexdigest())
    else:
        chunks = [chunk.to_dict(mode="json", exclude_unset=False) async for chunk in await call(client, name)]
        say(name, chunks=chunks)


for name in sys.argv[1:]:
    if "async" in name:
        asyncio.run(run_async(name))
    else:
        run(name)
