"""Asks a server on loopback with the official SDKs, which hold its answers to their types. It prints one JSON line per call: what
the app learned, or the error that it got.

Usage: translated.py BASE_URL API MODEL...   with API one of APIS, and the model naming what the server is to answer
"""

import functools
import json
import sys

import pydantic

BASE, API, MODELS = sys.argv[1], sys.argv[2], sys.argv[3:]
QUESTION = "When does the tide turn?"
SCHEMA = {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"], "additionalProperties": False}
MESSAGES = [{"role": "user", "content": QUESTION}]


class Tide(pydantic.BaseModel):
    at: str


def learned(text, calls, stop, usage, parsed=None):
    return {"text": text or "", "calls": calls, "stop": stop, "usage": usage, "parsed": parsed and parsed.at}


# OpenAI

@functools.cache
def openai_client():
    import openai

    return openai.OpenAI(base_url=f"{BASE}/v1", api_key="sk-loopback", _strict_response_validation=True)


CHAT_TOOLS = [{"type": "function", "function": {"name": "tide", "parameters": SCHEMA}}]


def of_chat(answer, parsed=None):
    choice = answer.choices[0]
    assert answer.object == "chat.completion" and answer.id.startswith("chatcmpl-"), answer
    calls = [[one.id, one.function.name, one.function.arguments] for one in choice.message.tool_calls or []]
    usage = answer.usage and [answer.usage.prompt_tokens, answer.usage.completion_tokens]
    return learned(choice.message.content, calls, choice.finish_reason, usage, parsed)


def chat(model):
    asked = {"model": model, "messages": MESSAGES, "tools": CHAT_TOOLS}
    if "schema" not in model:
        return of_chat(openai_client().chat.completions.create(**asked))
    answer = openai_client().chat.completions.parse(model=model, messages=MESSAGES, response_format=Tide)
    return of_chat(answer, answer.choices[0].message.parsed)


def chat_stream(model):
    asked = {"model": model, "messages": MESSAGES, "stream_options": {"include_usage": True}}
    with openai_client().chat.completions.stream(**asked) as stream:
        ids = {event.chunk.id for event in stream if event.type == "chunk"}
        assert len(ids) == 1, ids
        return of_chat(stream.get_final_completion())


def chat_chunks(model):
    text, calls, stop, usage = "", {}, None, None
    for chunk in openai_client().chat.completions.create(model=model, messages=MESSAGES, stream=True):
        assert chunk.usage is None, "nobody asked for it"
        for one in chunk.choices[0].delta.tool_calls or []:
            call = calls.setdefault(one.index, [one.id, one.function.name, ""])
            call[2] += one.function.arguments or ""
        text += chunk.choices[0].delta.content or ""
        stop = chunk.choices[0].finish_reason or stop
    return learned(text, list(calls.values()), stop, usage)


def of_response(answer, parsed=None):
    calls = [[one.call_id, one.name, one.arguments] for one in answer.output if one.type == "function_call"]
    stop = answer.status if not answer.incomplete_details else answer.incomplete_details.reason
    return learned(answer.output_text, calls, stop, [answer.usage.input_tokens, answer.usage.output_tokens], parsed)


RESPONSES_TOOLS = [{"type": "function", "name": "tide", "parameters": SCHEMA, "strict": True}]


def responses(model):
    if "schema" in model:
        answer = openai_client().responses.parse(model=model, input=QUESTION, text_format=Tide)
        return of_response(answer, answer.output_parsed)
    answer = openai_client().responses.create(model=model, input=QUESTION, tools=RESPONSES_TOOLS, metadata={"a": "b"})
    assert answer.tools[0].name == "tide" and answer.metadata == {"a": "b"}, answer
    return of_response(answer)


def responses_stream(model):
    numbers = []
    with openai_client().responses.stream(model=model, input=QUESTION) as stream:
        for event in stream:
            numbers.append(event.sequence_number)
        assert numbers == list(range(len(numbers))), numbers
        return of_response(stream.get_final_response())


def responses_events(model):
    done = None
    for event in openai_client().responses.create(model=model, input=QUESTION, stream=True):
        if event.type in ("response.completed", "response.incomplete"):
            done = event.response
    return of_response(done)


# Anthropic

@functools.cache
def anthropic_client():
    import anthropic

    return anthropic.Anthropic(base_url=BASE, api_key="sk-ant-loopback", _strict_response_validation=True)


ANTHROPIC_TOOLS = [{"name": "tide", "input_schema": SCHEMA}]


def of_message(answer, parsed=None):
    assert answer.type == "message" and answer.role == "assistant" and answer.id.startswith("msg_"), answer
    calls = [[one.id, one.name, json.dumps(one.input, separators=(",", ":"))] for one in answer.content if one.type == "tool_use"]
    text = "".join(one.text for one in answer.content if one.type == "text")
    read, written = answer.usage.cache_read_input_tokens, answer.usage.cache_creation_input_tokens
    usage = [answer.usage.input_tokens + read + written, answer.usage.output_tokens]
    return learned(text, calls, answer.stop_reason, usage, parsed)


def messages(model):
    asked = {"model": model, "max_tokens": 64, "messages": MESSAGES}
    if "schema" in model:
        answer = anthropic_client().messages.parse(**asked, output_format=Tide)
        return of_message(answer, answer.parsed_output)
    return of_message(anthropic_client().messages.create(**asked, tools=ANTHROPIC_TOOLS))


def messages_stream(model):
    asked = {"model": model, "max_tokens": 64, "messages": MESSAGES, "tools": ANTHROPIC_TOOLS}
    with anthropic_client().messages.stream(**asked) as stream:
        for _ in stream:
            pass
        return of_message(stream.get_final_message())


# Google

@functools.cache
def genai_client():
    from google import genai

    return genai.Client(api_key="loopback", http_options={"base_url": BASE})


def of_gemini(chunks):
    text, calls, stop, usage, parsed = "", [], None, None, None
    for chunk in chunks:
        candidate = chunk.candidates[0]
        assert chunk.response_id and candidate.content.role == "model", chunk
        for part in candidate.content.parts or []:
            text += part.text or ""
            if part.function_call:
                call = part.function_call
                calls.append([call.id, call.name, json.dumps(call.args, separators=(",", ":"))])
        stop = candidate.finish_reason.value if candidate.finish_reason else stop
        told = chunk.usage_metadata
        usage = [told.prompt_token_count, told.candidates_token_count + (told.thoughts_token_count or 0)] if told else usage
        parsed = chunk.parsed or parsed
    return learned(text, calls, stop, usage, parsed)


def gemini(model):
    config = {"response_mime_type": "application/json", "response_schema": Tide} if "schema" in model else None
    return of_gemini([genai_client().models.generate_content(model=model, contents=QUESTION, config=config)])


def gemini_stream(model):
    return of_gemini(genai_client().models.generate_content_stream(model=model, contents=QUESTION))


# AWS

@functools.cache
def converse_client():
    import boto3

    return boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=BASE,
                        aws_access_key_id="loopback", aws_secret_access_key="loopback")


ASKED = {"messages": [{"role": "user", "content": [{"text": QUESTION}]}]}


def converse(model):
    answer = converse_client().converse(modelId=model, **ASKED)
    text, calls = "", []
    for block in answer["output"]["message"]["content"]:
        text += block.get("text", "")
        if "toolUse" in block:
            call = block["toolUse"]
            calls.append([call["toolUseId"], call["name"], json.dumps(call["input"], separators=(",", ":"))])
    usage = answer["usage"]
    assert answer["metrics"]["latencyMs"] >= 0
    sides = [usage["totalTokens"] - usage["outputTokens"], usage["outputTokens"]]
    return learned(text, calls, answer["stopReason"], sides)


def converse_stream(model):
    text, calls, stop, sides = "", {}, None, None
    for event in converse_client().converse_stream(modelId=model, **ASKED)["stream"]:
        if "contentBlockStart" in event:
            call = event["contentBlockStart"]["start"]["toolUse"]
            calls[event["contentBlockStart"]["contentBlockIndex"]] = [call["toolUseId"], call["name"], ""]
        elif "contentBlockDelta" in event:
            delta = event["contentBlockDelta"]["delta"]
            text += delta.get("text", "")
            if "toolUse" in delta:
                calls[event["contentBlockDelta"]["contentBlockIndex"]][2] += delta["toolUse"]["input"]
        elif "messageStop" in event:
            stop = event["messageStop"]["stopReason"]
        elif "metadata" in event:
            usage = event["metadata"]["usage"]
            sides = [usage["totalTokens"] - usage["outputTokens"], usage["outputTokens"]]
    return learned(text, list(calls.values()), stop, sides)


APIS = {
    "openai_chat": [chat, chat_stream, chat_chunks],
    "openai_responses": [responses, responses_stream, responses_events],
    "anthropic_messages": [messages, messages_stream],
    "gemini": [gemini, gemini_stream],
    "bedrock_converse": [converse, converse_stream],
}

for model in MODELS:
    for call in APIS[API]:
        try:
            seen = {"answer": call(model)}
        except AssertionError:
            raise
        except Exception as error:
            status = getattr(error, "status_code", None) or getattr(error, "code", None)
            seen = {"error": type(error).__name__, "status": status, "message": str(error)}
        print(json.dumps({"model": model, "call": call.__name__, **seen}), flush=True)
