"""Unmodified programs with the official SDKs. Each prints one JSON line per call: what it saw of the answer.

Usage: calls.py NAME...   with NAME = {chat,responses,messages,gemini}[_stream][_helper|_async][_raw], leave_early, wait,
for_ever (a chat and a stream for every line of standard input), crowd (four of both at once)
helper: by the SDK's own reader of streams, where it has one.
The keys come from OPENAI_API_KEY, ANTHROPIC_API_KEY and GEMINI_API_KEY; nothing here knows of a proxy or a certificate.
"""

import asyncio
import hashlib
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

OPENAI_MODEL = os.environ.get("TEST_OPENAI_MODEL", "gpt-5-mini")
ANTHROPIC_MODEL = os.environ.get("TEST_ANTHROPIC_MODEL", "claude-sonnet-5-5")
HEADERS = json.loads(os.environ.get("TEST_HEADERS", "{}"))
RETRIES = int(os.environ.get("TEST_RETRIES", "0"))
ARGUMENTS = json.loads(os.environ.get("TEST_ARGUMENTS", "{}"))
MESSAGES = [{"role": "user", "content": "When does the tide turn?"}]


def arguments(api, stream):
    if api == "chat":
        more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        return {"model": OPENAI_MODEL, "messages": MESSAGES, "extra_headers": HEADERS, **ARGUMENTS, **more}
    if api == "responses":
        more = {"stream": True} if stream else {}
        return {"model": OPENAI_MODEL, "input": "When does the tide turn?", "extra_headers": HEADERS, **ARGUMENTS, **more}
    more = {"stream": True} if stream else {}
    return {"model": ANTHROPIC_MODEL, "max_tokens": 256, "messages": MESSAGES, "extra_headers": HEADERS, **ARGUMENTS, **more}


def resource(client, api):
    return {"chat": lambda: client.chat.completions, "responses": lambda: client.responses,
            "messages": lambda: client.messages}[api]()


def text_of(api, answer):
    if api == "chat":
        return answer.choices[0].message.content
    if api == "responses":
        return answer.output_text
    return "".join(block.text for block in answer.content)


def delta_of(api, event):
    if api == "chat":
        return (event.choices[0].delta.content or "") if event.choices else ""
    if api == "responses":
        return event.delta if event.type == "response.output_text.delta" else ""
    return event.delta.text if event.type == "content_block_delta" else ""


def say(**line):
    # In one piece: a crowd speaks at once.
    print(json.dumps(line) + "\n", end="", flush=True)


def client_for(api, asynchronous, key=None):
    # An SDK takes a second to load: no more than are needed.
    if api == "messages":
        import anthropic

        kind = anthropic.AsyncAnthropic if asynchronous else anthropic.Anthropic
    else:
        import openai

        kind = openai.AsyncOpenAI if asynchronous else openai.OpenAI
    return kind(max_retries=RETRIES, **({"api_key": key} if key else {}))


def by_gemini(stream):
    from google import genai

    # Its end closes its connections.
    client, asked = genai.Client(vertexai=False), {"model": "gemini-3.5-flash", "contents": MESSAGES[0]["content"]}
    if stream:
        return "".join(chunk.text or "" for chunk in client.models.generate_content_stream(**asked))
    return client.models.generate_content(**asked).text


def by_helper(api):
    asked = arguments(api, True)
    del asked["stream"]
    with resource(client_for(api, False), api).stream(**asked) as stream:
        if api == "messages":
            return text_of(api, stream.get_final_message())
        stream.until_done()
        return text_of(api, stream.get_final_completion() if api == "chat" else stream.get_final_response())


def failure(error):
    status, code = getattr(error, "status_code", None), getattr(error, "code", None)
    status = code if status is None and isinstance(code, int) else status
    return {"error": type(error).__name__, "status": status, "message": str(error)}


def run(name):
    began = time.monotonic()
    took = lambda: round(time.monotonic() - began, 3)
    parts = name.split("_")
    api, stream, raw = parts[0], "stream" in parts, "raw" in parts
    seen = hashlib.sha256()
    try:
        if api == "gemini":
            return say(call=name, seconds=took(), text=by_gemini(stream))
        if "helper" in parts:
            return say(call=name, seconds=took(), text=by_helper(api))
        client = client_for(api, False)
        if raw:
            with resource(client, api).with_streaming_response.create(**arguments(api, stream)) as answer:
                for piece in answer.iter_bytes():
                    seen.update(piece)
                    if os.environ.get("TEST_SAY_PIECES"):
                        say(piece=piece.decode())
            return say(call=name, seconds=took(), sha256=seen.hexdigest(), status=answer.status_code)
        answer = resource(client, api).create(**arguments(api, stream))
        text = "".join(delta_of(api, event) for event in answer) if stream else text_of(api, answer)
        say(call=name, seconds=took(), text=text)
    except Exception as error:
        say(call=name, seconds=took(), sha256=seen.hexdigest(), **failure(error))


async def run_async(name):
    parts = name.split("_")
    api, stream, raw = parts[0], "stream" in parts, "raw" in parts
    seen = hashlib.sha256()
    try:
        client = client_for(api, True)
        if raw:
            async with resource(client, api).with_streaming_response.create(**arguments(api, stream)) as answer:
                async for piece in answer.iter_bytes():
                    seen.update(piece)
                    if os.environ.get("TEST_SAY_PIECES"):
                        say(piece=piece.decode())
            return say(call=name, sha256=seen.hexdigest(), status=answer.status_code)
        answer = await resource(client, api).create(**arguments(api, stream))
        if stream:
            text = "".join([delta_of(api, event) async for event in answer])
        else:
            text = text_of(api, answer)
        say(call=name, text=text)
    except Exception as error:
        say(call=name, sha256=seen.hexdigest(), **failure(error))


def leave_early():
    """Reads a little of a stream and hangs up."""
    with client_for("chat", False).chat.completions.with_streaming_response.create(**arguments("chat", True)) as answer:
        for piece in answer.iter_bytes():
            break
    say(call="leave_early", status=answer.status_code)


for name in sys.argv[1:]:
    if name == "leave_early":
        leave_early()
    elif name == "for_ever":
        for _line in sys.stdin:
            run("chat")
            run("chat_stream")
    elif name == "crowd":
        with ThreadPoolExecutor(8) as crowd:
            for _line in sys.stdin:
                list(crowd.map(run, ["chat", "chat_stream"] * 4))
    elif name == "wait":
        sys.stdin.readline()
    elif "async" in name:
        asyncio.run(run_async(name))
    else:
        run(name)
