"""Unmodified programs with the official SDK over WebSockets. Each prints one JSON line per socket: what it heard.

Usage: sdk_sockets.py NAME...   with NAME = responses, responses_plain, responses_async, lanes, realtime, realtime_async, voice
The key comes from OPENAI_API_KEY; nothing here knows of a proxy or a certificate.
"""

import asyncio
import base64
import hashlib
import json
import os
import sys

import openai

MODEL = os.environ.get("TEST_OPENAI_MODEL", "gpt-5-mini")
REALTIME = os.environ.get("TEST_REALTIME_MODEL", "gpt-realtime")
HEADERS = json.loads(os.environ.get("TEST_HEADERS", "{}"))
TURNS = int(os.environ.get("TEST_TURNS", "3"))
DEFLATE = {"compression": "deflate"}
LAST = {"response.completed", "response.incomplete", "response.failed", "response.done", "error"}


class Heard:
    """Every message as it came, and the text in it."""

    def __init__(self):
        self.hash, self.text, self.types = hashlib.sha256(), "", []

    def take(self, data):
        self.hash.update(data)
        event = json.loads(data)
        self.types.append(event["type"])
        if event["type"] in ("response.output_text.delta", "response.output_audio_transcript.delta"):
            self.text += event["delta"]
        if os.environ.get("TEST_SAY_EVENTS"):
            say(event=event["type"])
        return event

    def told(self):
        return {"sha256": self.hash.hexdigest(), "text": self.text, "ended": [kind for kind in self.types if kind in LAST]}


def say(**line):
    print(json.dumps(line), flush=True)


def failure(error):
    response = getattr(error, "response", None)
    return {"error": type(error).__name__, "message": str(error), "status": getattr(response, "status_code", None)}


def responses(heard, options):
    with openai.OpenAI().responses.connect(extra_headers=HEADERS, websocket_connection_options=options) as connection:
        for turn in range(TURNS):
            connection.response.create(model=MODEL, input=f"When does the tide turn? {turn}")
            while heard.take(connection.recv_bytes())["type"] not in LAST:
                pass


async def responses_async(heard):
    async with openai.AsyncOpenAI().responses.connect(extra_headers=HEADERS, websocket_connection_options=DEFLATE) as connection:
        for turn in range(TURNS):
            await connection.response.create(model=MODEL, input=f"When does the tide turn? {turn}")
            while heard.take(await connection.recv_bytes())["type"] not in LAST:
                pass


def lanes(heard):
    """Two responses side by side."""
    with openai.OpenAI().responses.connect(websocket_connection_options=DEFLATE) as connection:
        for lane, model in (("ebb", MODEL), ("flood", os.environ["TEST_OTHER_MODEL"])):
            connection.response.create(model=model, input="When does the tide turn?", stream_id=lane)
        left = 2
        while left:
            left -= heard.take(connection.recv_bytes())["type"] in LAST


def realtime(heard):
    with openai.OpenAI().realtime.connect(model=REALTIME, extra_headers=HEADERS, websocket_connection_options=DEFLATE) as connection:
        heard.take(connection.recv_bytes())
        for _ in range(TURNS):
            connection.response.create(response={"output_modalities": ["audio"], "max_output_tokens": 500})
            while heard.take(connection.recv_bytes())["type"] not in LAST:
                pass
            # The limits come after the end.
            heard.take(connection.recv_bytes())


async def realtime_async(heard):
    async with openai.AsyncOpenAI().realtime.connect(model=REALTIME, websocket_connection_options=DEFLATE) as connection:
        heard.take(await connection.recv_bytes())
        for _ in range(TURNS):
            await connection.response.create()
            while heard.take(await connection.recv_bytes())["type"] not in LAST:
                pass
            heard.take(await connection.recv_bytes())


def voice(heard):
    """Nobody asks for the answer but the sound."""
    with openai.OpenAI().realtime.connect(model=REALTIME, websocket_connection_options=DEFLATE) as connection:
        heard.take(connection.recv_bytes())
        for _ in range(20):
            connection.input_audio_buffer.append(audio=base64.b64encode(os.urandom(9000)).decode())
        connection.input_audio_buffer.commit()
        while heard.take(connection.recv_bytes())["type"] not in LAST:
            pass
        heard.take(connection.recv_bytes())


def run(name):
    heard = Heard()
    try:
        if name == "responses_plain":
            responses(heard, {})
        elif name == "responses":
            responses(heard, DEFLATE)
        elif name.endswith("_async"):
            asyncio.run({"responses_async": responses_async, "realtime_async": realtime_async}[name](heard))
        else:
            {"lanes": lanes, "realtime": realtime, "voice": voice}[name](heard)
        say(call=name, **heard.told())
    except Exception as error:
        say(call=name, **heard.told(), **failure(error))


for name in sys.argv[1:]:
    run(name)
