"""Unmodified programs with the official SDKs. Each prints one JSON line per call: what it saw of the answer.

Usage: calls.py NAME...   with NAME = {chat,responses,messages,gemini}[_tool][_stream][_helper|_async][_raw], leave_early, wait,
for_ever (a chat and a stream for every line of standard input), crowd (four of both at once)
helper: by the SDK's own reader of streams, where it has one. tool: one is offered, and its call is the text.
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


def tool(api):
    place = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
    strict = {"parameters": {**place, "additionalProperties": False}, "strict": True}
    return {"chat": {"type": "function", "function": {"name": "weather", **strict}},
            "responses": {"type": "function", "name": "weather", **strict},
            "messages": {"name": "weather", "input_schema": place},
            "gemini": {"function_declarations": [{"name": "weather", "parameters": place}]}}[api]


def arguments(api, stream, tools=False):
    if tools:
        return {**arguments(api, stream), "tools": [tool(api)]}
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


def call_of(name, given):
    return f"{name} {given if isinstance(given, str) else json.dumps(given)}"


def told_by(api, answer):
    """The text of a whole answer, or the call of a tool, and the word that it ended with."""
    if api == "chat":
        choice = answer.choices[0]
        calls = [call_of(call.function.name, call.function.arguments) for call in choice.message.tool_calls or []]
        return (choice.message.content or "") + "".join(calls), choice.finish_reason
    if api == "responses":
        calls = [call_of(item.name, item.arguments) for item in answer.output if item.type == "function_call"]
        return answer.output_text + "".join(calls), answer.status
    said = [block.text if block.type == "text" else call_of(block.name, block.input) for block in answer.content]
    return "".join(said), answer.stop_reason


def delta_of(api, event):
    """The same of an event of a stream."""
    if api == "chat":
        if not event.choices:
            return "", None
        choice = event.choices[0]
        calls = [call.function for call in choice.delta.tool_calls or []]
        named = "".join(f"{call.name} " * bool(call.name) + (call.arguments or "") for call in calls)
        return (choice.delta.content or "") + named, choice.finish_reason
    if api == "responses":
        if event.type == "response.output_item.added" and event.item.type == "function_call":
            return f"{event.item.name} ", None
        if event.type in ("response.output_text.delta", "response.function_call_arguments.delta"):
            return event.delta, None
        return "", event.response.status if event.type == "response.completed" else None
    if event.type == "content_block_start" and event.content_block.type == "tool_use":
        return f"{event.content_block.name} ", None
    if event.type == "content_block_delta":
        return event.delta.text if event.delta.type == "text_delta" else event.delta.partial_json, None
    return "", event.delta.stop_reason if event.type == "message_delta" else None


class Heard:
    """What a stream has told."""

    def __init__(self):
        self.text, self.finish = "", None

    def hear(self, told):
        text, finish = told
        self.text, self.finish = self.text + text, finish or self.finish


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


def by_gemini(stream, tools):
    from google import genai

    def told(answer):
        calls = [call_of(call.name, call.args) for call in answer.function_calls or []]
        # A prompt that is blocked has no candidate.
        blocked = answer.prompt_feedback and answer.prompt_feedback.block_reason
        finish = answer.candidates[0].finish_reason if answer.candidates else blocked
        return ("" if calls else answer.text or "") + "".join(calls), finish and finish.name

    # Its end closes its connections.
    client, asked = genai.Client(vertexai=False), {"model": "gemini-3.5-flash", "contents": MESSAGES[0]["content"]}
    if tools:
        asked["config"] = {"tools": [tool("gemini")]}
    if not stream:
        return told(client.models.generate_content(**asked))
    heard = Heard()
    for chunk in client.models.generate_content_stream(**asked):
        heard.hear(told(chunk))
    return heard.text, heard.finish


def by_helper(api, tools):
    asked = arguments(api, True, tools)
    del asked["stream"]
    with resource(client_for(api, False), api).stream(**asked) as stream:
        if api == "messages":
            return told_by(api, stream.get_final_message())
        stream.until_done()
        return told_by(api, stream.get_final_completion() if api == "chat" else stream.get_final_response())


def failure(error):
    status, code = getattr(error, "status_code", None), getattr(error, "code", None)
    status = code if status is None and isinstance(code, int) else status
    return {"error": type(error).__name__, "status": status, "message": str(error)}


def run(name):
    began = time.monotonic()
    took = lambda: round(time.monotonic() - began, 3)
    parts = name.split("_")
    api, stream, raw, tools = parts[0], "stream" in parts, "raw" in parts, "tool" in parts
    seen = hashlib.sha256()
    try:
        if api == "gemini" or "helper" in parts:
            text, finish = by_gemini(stream, tools) if api == "gemini" else by_helper(api, tools)
            return say(call=name, seconds=took(), text=text, finish=finish)
        client = client_for(api, False)
        if raw:
            with resource(client, api).with_streaming_response.create(**arguments(api, stream)) as answer:
                for piece in answer.iter_bytes():
                    seen.update(piece)
                    if os.environ.get("TEST_SAY_PIECES"):
                        say(piece=piece.decode())
            return say(call=name, seconds=took(), sha256=seen.hexdigest(), status=answer.status_code)
        answer, heard = resource(client, api).create(**arguments(api, stream, tools)), Heard()
        if stream:
            for event in answer:
                heard.hear(delta_of(api, event))
        else:
            heard.hear(told_by(api, answer))
        say(call=name, seconds=took(), text=heard.text, finish=heard.finish)
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
            text = "".join([delta_of(api, event)[0] async for event in answer])
        else:
            text, _ = told_by(api, answer)
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
