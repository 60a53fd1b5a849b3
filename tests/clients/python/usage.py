"""An unmodified program that asks providers with their official SDKs and prints, per call, the usage that the SDK read.

Usage: usage.py CALL...   with CALL a key of CALLS
Keys come from the environment as the SDKs read it; nothing here knows of a proxy or a certificate.
"""

import json
import sys

import anthropic
import boto3
import openai
from google import genai

QUESTION = "When does the tide turn?"
MESSAGES = [{"role": "user", "content": QUESTION}]
chat = openai.OpenAI(max_retries=0)
claude = anthropic.Anthropic(max_retries=0)
gemini = genai.Client()


def last(chunks):
    """The last usage that a stream tells."""
    return [chunk.usage for chunk in chunks if chunk.usage][-1].model_dump()


def claude_stream():
    with claude.messages.stream(model="claude-sonnet-5-5", max_tokens=256, messages=MESSAGES) as stream:
        return stream.get_final_message().usage.model_dump()


def google(metadata):
    return metadata.model_dump(mode="json")


def converse():
    bedrock = boto3.client("bedrock-runtime", region_name="us-east-1")
    asked = {"modelId": "us.anthropic.claude-sonnet-5-5-v1:0", "messages": [{"role": "user", "content": [{"text": QUESTION}]}]}
    return bedrock.converse(**asked)["usage"]


CALLS = {
    "chat": lambda: chat.chat.completions.create(model="gpt-5-mini", messages=MESSAGES).usage.model_dump(),
    "chat_stream": lambda: last(chat.chat.completions.create(
        model="gpt-5-mini", messages=MESSAGES, stream=True, stream_options={"include_usage": True})),
    "responses": lambda: chat.responses.create(model="gpt-5-mini", input=QUESTION).usage.model_dump(),
    "responses_stream": lambda: [event.response.usage for event in chat.responses.create(
        model="gpt-5-mini", input=QUESTION, stream=True) if event.type == "response.completed"][-1].model_dump(),
    "embeddings": lambda: chat.embeddings.create(model="text-embedding-3-small", input=QUESTION).usage.model_dump(),
    "messages": lambda: claude.messages.create(model="claude-sonnet-5-5", max_tokens=256, messages=MESSAGES).usage.model_dump(),
    "messages_stream": claude_stream,
    "gemini": lambda: google(gemini.models.generate_content(model="gemini-3.5-flash", contents=QUESTION).usage_metadata),
    "gemini_stream": lambda: google([chunk.usage_metadata for chunk in gemini.models.generate_content_stream(
        model="gemini-3.5-flash", contents=QUESTION) if chunk.usage_metadata][-1]),
    "converse": converse,
}

for name in sys.argv[1:]:
    print(json.dumps({"call": name, "usage": CALLS[name]()}), flush=True)
