"""Unmodified programs with the clouds' official SDKs. Each prints one JSON line per call: what it saw of the answer.

Usage: clouds.py NAME...   with NAME = {converse,invoke,gemini,azure}[_stream]
Keys come from the environment as the SDKs read it; nothing here knows of a proxy or a certificate.
"""

import json
import sys

QUESTION = "When does the tide turn?"
CLAUDE = "us.anthropic.claude-sonnet-5-5-v1:0"


def bedrock():
    import boto3

    return boto3.client("bedrock-runtime", region_name="us-east-1")


def converse(stream):
    asked = {"modelId": CLAUDE, "messages": [{"role": "user", "content": [{"text": QUESTION}]}],
             "inferenceConfig": {"maxTokens": 256}}
    if not stream:
        return bedrock().converse(**asked)["output"]["message"]["content"][0]["text"]
    events = bedrock().converse_stream(**asked)["stream"]
    return "".join(event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event)


def invoke(stream):
    body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 256,
                       "messages": [{"role": "user", "content": QUESTION}]})
    if not stream:
        answer = bedrock().invoke_model(modelId=CLAUDE, body=body)["body"].read()
        return json.loads(answer)["content"][0]["text"]
    events = bedrock().invoke_model_with_response_stream(modelId=CLAUDE, body=body)["body"]
    chunks = [json.loads(event["chunk"]["bytes"]) for event in events]
    return "".join(chunk["delta"]["text"] for chunk in chunks if chunk["type"] == "content_block_delta")


def gemini(stream):
    from google import genai

    with genai.Client() as client:
        asked = {"model": "gemini-3.5-flash", "contents": QUESTION}
        if not stream:
            return client.models.generate_content(**asked).text
        return "".join(chunk.text or "" for chunk in client.models.generate_content_stream(**asked))


def azure(stream):
    import openai

    with openai.AzureOpenAI(api_version="2025-04-01-preview") as client:
        asked = {"model": "our-gpt", "messages": [{"role": "user", "content": QUESTION}]}
        if not stream:
            return client.chat.completions.create(**asked).choices[0].message.content
        more = {"stream": True, "stream_options": {"include_usage": True}}
        chunks = client.chat.completions.create(**asked, **more)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


CALLS = {"converse": converse, "invoke": invoke, "gemini": gemini, "azure": azure}

for name in sys.argv[1:]:
    api, _, form = name.partition("_")
    print(json.dumps({"call": name, "text": CALLS[api](form == "stream")}), flush=True)
