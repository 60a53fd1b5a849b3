"""Makes one call with one library and prints a JSON line: its text, or why there was none.

Usage: trust.py LIBRARY   with LIBRARY = a name of CLIENTS
Libraries without an SDK call TEST_ORIGIN. Nothing here knows of a proxy or a certificate.
"""

import asyncio
import json
import os
import sys
import urllib.request
from urllib.parse import urlsplit

ORIGIN = os.environ["TEST_ORIGIN"]
URL = f"{ORIGIN}/v1/chat/completions"
HEADERS = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}", "Content-Type": "application/json"}
MESSAGES = [{"role": "user", "content": "When does the tide turn?"}]
CHAT = {"model": "gpt-5-mini", "messages": MESSAGES}
MESSAGE = {"model": "claude-sonnet-5-5", "max_tokens": 256, "messages": MESSAGES}
GEMINI = {"model": "gemini-3.5-flash", "contents": "When does the tide turn?"}


def chat_text(answer):
    return answer["choices"][0]["message"]["content"]


def openai_sync():
    import openai
    return openai.OpenAI(max_retries=0).chat.completions.create(**CHAT).choices[0].message.content


async def openai_async():
    import openai
    async with openai.AsyncOpenAI(max_retries=0) as client:
        return (await client.chat.completions.create(**CHAT)).choices[0].message.content


def anthropic_sync():
    import anthropic
    return anthropic.Anthropic(max_retries=0).messages.create(**MESSAGE).content[0].text


async def anthropic_async():
    import anthropic
    async with anthropic.AsyncAnthropic(max_retries=0) as client:
        return (await client.messages.create(**MESSAGE)).content[0].text


def genai_sync():
    from google import genai
    with genai.Client() as client:
        return client.models.generate_content(**GEMINI).text


async def genai_async():
    from google import genai
    async with genai.Client().aio as client:
        return (await client.models.generate_content(**GEMINI)).text


def plain_urllib():
    request = urllib.request.Request(URL, json.dumps(CHAT).encode(), HEADERS)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return chat_text(json.load(answer))


def plain_requests():
    import requests
    answer = requests.post(URL, json=CHAT, headers=HEADERS, timeout=30)
    answer.raise_for_status()
    return chat_text(answer.json())


def plain_httpx():
    import httpx
    return chat_text(httpx.post(URL, json=CHAT, headers=HEADERS, timeout=30).raise_for_status().json())


async def plain_aiohttp():
    import aiohttp
    async with aiohttp.ClientSession() as session:
        async with session.post(URL, json=CHAT, headers=HEADERS) as answer:
            answer.raise_for_status()
            return chat_text(await answer.json())


def boto3_converse():
    import boto3
    from botocore.config import Config
    client = boto3.client("bedrock-runtime", region_name="us-east-1", config=Config(retries={"total_max_attempts": 1}))
    content = [{"text": "When does the tide turn?"}]
    answer = client.converse(modelId="us.anthropic.claude-sonnet-5-5-v1:0", messages=[{"role": "user", "content": content}])
    return answer["output"]["message"]["content"][0]["text"]


def grpc_unary():
    import grpc
    with grpc.secure_channel(urlsplit(ORIGIN).hostname + ":443", grpc.ssl_channel_credentials()) as channel:
        call = channel.unary_unary("/harbour.Tides/Next")
        call(b"", timeout=20)
    return "grpc-status 0"


CLIENTS = {
    "openai": openai_sync,
    "openai_async": openai_async,
    "anthropic": anthropic_sync,
    "anthropic_async": anthropic_async,
    "genai": genai_sync,
    "genai_async": genai_async,
    "urllib": plain_urllib,
    "requests": plain_requests,
    "httpx": plain_httpx,
    "aiohttp": plain_aiohttp,
    "boto3": boto3_converse,
    "grpcio": grpc_unary,
}

try:
    client = CLIENTS[sys.argv[1]]
    text = asyncio.run(client()) if asyncio.iscoroutinefunction(client) else client()
    print(json.dumps({"ok": True, "text": text}))
except Exception as error:
    causes = []
    while error is not None:
        causes.append(f"{type(error).__name__}: {error}")
        error = error.__cause__ or error.__context__
    print(json.dumps({"ok": False, "error": " < ".join(causes)}))
