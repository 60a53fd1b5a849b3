"""Programs that name their user by one line each, as docs/who.md shows it. Each prints one JSON line per call.

Usage: names.py NAME...   with NAME = openai, responses, anthropic, genai, boto3, header, nobody
"""

import json
import sys

user = "u_81"
QUESTION = "When does the tide turn?"
MESSAGES = [{"role": "user", "content": QUESTION}]


def openai(**more):
    from openai import OpenAI

    client = OpenAI(max_retries=0)
    client.chat.completions.create(model="gpt-5-mini", messages=MESSAGES, **(more or dict(safety_identifier=user)))


def responses():
    from openai import OpenAI

    client = OpenAI(max_retries=0)
    client.responses.create(model="gpt-5-mini", input=QUESTION, safety_identifier=user, prompt_cache_key="conv_42")


def anthropic():
    from anthropic import Anthropic

    client = Anthropic(max_retries=0)
    client.messages.create(model="claude-sonnet-5-5", max_tokens=256, messages=MESSAGES, metadata={"user_id": user})


def genai():
    from google import genai

    with genai.Client() as client:
        client.models.generate_content(
            model="gemini-3.5-flash", contents=QUESTION,
            config={"http_options": {"headers": {"x-outrigger-user": user}}})


def boto3():
    import boto3

    client = boto3.client("bedrock-runtime", region_name="us-east-1")
    client.converse(
        modelId="us.anthropic.claude-sonnet-5-5-v1:0", messages=[{"role": "user", "content": [{"text": QUESTION}]}],
        requestMetadata={"user": user})


def header():
    openai(extra_headers={"x-outrigger-user": user})


def nobody():
    openai(temperature=1)


CALLS = {"openai": openai, "responses": responses, "anthropic": anthropic, "genai": genai, "boto3": boto3,
         "header": header, "nobody": nobody}

for name in sys.argv[1:]:
    CALLS[name]()
    print(json.dumps({"call": name}), flush=True)
