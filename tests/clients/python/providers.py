"""An unmodified program that asks every provider with its official SDK. It prints one JSON line per call: what it saw of the
answer, or the error.

Usage: providers.py CALL...   with CALL a key of CALLS, or `all`
Keys come from the environment as the SDKs read it; nothing here knows of a proxy or a certificate.
"""

import io
import json
import os
import sys
import traceback

KEY = os.environ["TEST_KEY"]
QUESTION = "When does the tide turn?"
MESSAGES = [{"role": "user", "content": QUESTION}]
CALLS = {}


def call(function):
    CALLS[function.__name__] = function
    return function


def kept(make):
    """One client for all calls of an API: what is measured is the wire, not the making of clients."""
    made = []
    return lambda: made[0] if made else made.append(make()) or made[0]


# OpenAI

@kept
def openai():
    import openai

    return openai.OpenAI(max_retries=0)


@call
def embeddings():
    answer = openai().embeddings.create(model="text-embedding-3-small", input=["ebb", "flood"])
    return [len(one.embedding) for one in answer.data]


@call
def completions():
    return openai().completions.create(model="gpt-3.5-turbo-instruct", prompt=QUESTION).choices[0].text


@call
def completions_stream():
    chunks = openai().completions.create(model="gpt-3.5-turbo-instruct", prompt=QUESTION, stream=True,
                                         stream_options={"include_usage": True})
    return "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)


@call
def image():
    return len(openai().images.generate(model="gpt-image-1", prompt="a harbour", n=2).data)


@call
def image_edit():
    picture = ("harbour.png", io.BytesIO(b"\x89PNG\r\n\x1a\n"), "image/png")
    return len(openai().images.edit(model="gpt-image-1", image=picture, prompt="at night").data)


@call
def image_stream():
    events = openai().images.generate(model="gpt-image-1", prompt="a harbour", stream=True, partial_images=1)
    return [event.type for event in events]


@call
def speech():
    return len(openai().audio.speech.create(model="gpt-4o-mini-tts", voice="alloy", input=QUESTION).read())


@call
def speech_stream():
    speaking = openai().audio.speech.with_streaming_response
    with speaking.create(model="gpt-4o-mini-tts", voice="alloy", input=QUESTION, stream_format="sse") as answer:
        return sum(line.startswith("data:") for line in answer.iter_lines())


def sound():
    return ("tide.wav", io.BytesIO(b"RIFF" + bytes(2000)), "audio/wav")


@call
def transcription():
    return openai().audio.transcriptions.create(model="gpt-4o-mini-transcribe", file=sound()).text


@call
def transcription_stream():
    events = openai().audio.transcriptions.create(model="gpt-4o-mini-transcribe", file=sound(), stream=True)
    return "".join(event.delta for event in events if event.type == "transcript.text.delta")


@call
def transcription_whisper():
    return openai().audio.transcriptions.create(model="whisper-1", file=sound(), response_format="verbose_json").text


@call
def not_counted_openai():
    file = openai().files.create(file=("calls.jsonl", io.BytesIO(b"{}\n")), purpose="batch")
    batch = openai().batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    counted = openai().responses.input_tokens.count(model="gpt-5-mini", input=QUESTION)
    return [openai().files.retrieve(file.id).status, openai().batches.retrieve(batch.id).status, counted.input_tokens,
            len(openai().models.list().data)]


# Azure and Foundry

@kept
def azure():
    import openai

    return openai.AzureOpenAI(api_version="2025-04-01-preview", max_retries=0)


@call
def azure_embeddings():
    return [len(one.embedding) for one in azure().embeddings.create(model="embedder", input="ebb").data]


@call
def azure_responses():
    return azure().responses.create(model="our-gpt", input=QUESTION).output_text


# Anthropic, by itself and behind the clouds

def anthropic_client(kind, **more):
    import anthropic

    return getattr(anthropic, kind)(max_retries=0, **more)


@kept
def anthropic():
    return anthropic_client("Anthropic")


ASKED = {"max_tokens": 256, "messages": MESSAGES}


def plain(client, model):
    return client.messages.create(model=model, **ASKED).content[0].text


def streamed(client, model):
    with client.messages.stream(model=model, **ASKED) as stream:
        return "".join(stream.text_stream)


@call
def not_counted_anthropic():
    counted = anthropic().messages.count_tokens(model="claude-sonnet-5-5", messages=MESSAGES)
    batch = anthropic().messages.batches.create(requests=[{"custom_id": "a", "params": {"model": "claude-sonnet-5-5", **ASKED}}])
    return [counted.input_tokens, anthropic().messages.batches.retrieve(batch.id).processing_status]


@kept
def of_vertex():
    return anthropic_client("AnthropicVertex", region="us-east5", project_id="harbour", access_token=KEY)


@kept
def of_bedrock():
    return anthropic_client("AnthropicBedrock", aws_region="us-east-1")


@kept
def of_mantle():
    return anthropic_client("AnthropicBedrockMantle", aws_region="us-east-1")


@kept
def of_aws():
    return anthropic_client("AnthropicAWS", aws_region="us-east-1", workspace_id="wrkspc_harbour",
                            aws_access_key=os.environ["AWS_ACCESS_KEY_ID"], aws_secret_key=os.environ["AWS_SECRET_ACCESS_KEY"])


@kept
def of_google():
    return anthropic_client("AnthropicGoogleCloud", project="harbour", workspace_id="wrkspc_harbour", token_provider=lambda: KEY)


@kept
def of_foundry():
    return anthropic_client("AnthropicFoundry", resource="team-a", api_key=KEY)


BEHIND = {"vertex": (of_vertex, "claude-sonnet-4-5@20250929"), "bedrock": (of_bedrock, "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
          "mantle": (of_mantle, "anthropic.claude-sonnet-5-5"), "aws": (of_aws, "claude-sonnet-5-5"),
          "google": (of_google, "claude-sonnet-5-5"), "foundry": (of_foundry, "claude-here")}
for cloud, (client, model) in BEHIND.items():
    CALLS[f"claude_{cloud}"] = lambda client=client, model=model: plain(client(), model)
    CALLS[f"claude_{cloud}_stream"] = lambda client=client, model=model: streamed(client(), model)


@call
def not_counted_vertex():
    return of_vertex().messages.count_tokens(model="claude-sonnet-4-5@20250929", messages=MESSAGES).input_tokens


# Google

@kept
def gemini():
    from google import genai

    return genai.Client(vertexai=False)


@kept
def vertex():
    from google import genai
    from google.oauth2.credentials import Credentials

    return genai.Client(vertexai=True, project="harbour", location="us-central1", credentials=Credentials(KEY))


@call
def gemini_embeddings():
    answer = gemini().models.embed_content(model="gemini-embedding-001", contents=["ebb", "flood"])
    return [len(one.values) for one in answer.embeddings]


@call
def not_counted_gemini():
    return gemini().models.count_tokens(model="gemini-3.5-flash", contents=QUESTION).total_tokens


@call
def interactions():
    answer = gemini().interactions.create(model="gemini-3.5-flash", input=QUESTION)
    return answer.steps[-1].content[0].text


@call
def interactions_stream():
    events = gemini().interactions.create(model="gemini-3.5-flash", input=QUESTION, stream=True)
    return "".join(event.delta.text for event in events if event.event_type == "step.delta")


@call
def vertex_gemini():
    return vertex().models.generate_content(model="gemini-3.5-flash", contents=QUESTION).text


@call
def vertex_gemini_stream():
    chunks = vertex().models.generate_content_stream(model="gemini-3.5-flash", contents=QUESTION)
    return "".join(chunk.text or "" for chunk in chunks)


@call
def vertex_embeddings():
    answer = vertex().models.embed_content(model="text-embedding-005", contents=["ebb"])
    return [len(one.values) for one in answer.embeddings]


# Those with SDKs of their own

@kept
def cohere():
    import cohere

    return cohere.ClientV2(api_key=KEY, max_retries=0)


@call
def cohere_chat():
    return cohere().chat(model="command-a-03-2025", messages=MESSAGES).message.content[0].text


@call
def cohere_chat_stream():
    events = cohere().chat_stream(model="command-a-03-2025", messages=MESSAGES)
    return "".join(event.delta.message.content.text for event in events if event.type == "content-delta")


@call
def cohere_embed():
    answer = cohere().embed(model="embed-v4.0", texts=["ebb", "flood"], input_type="search_query", embedding_types=["float"])
    return [len(one) for one in answer.embeddings.float_]


@call
def cohere_rerank():
    return len(cohere().rerank(model="rerank-v3.5", query="ebb", documents=["flood", "ebb"]).results)


@kept
def ollama():
    import ollama

    return ollama.Client(host="https://ollama.com", headers={"Authorization": f"Bearer {KEY}"})


@call
def ollama_chat():
    return ollama().chat(model="gpt-oss:120b", messages=MESSAGES).message.content


@call
def ollama_chat_stream():
    return "".join(part.message.content for part in ollama().chat(model="gpt-oss:120b", messages=MESSAGES, stream=True))


@call
def ollama_generate():
    return ollama().generate(model="gpt-oss:120b", prompt=QUESTION).response


@call
def ollama_embed():
    return [len(one) for one in ollama().embed(model="embeddinggemma", input=["ebb", "flood"]).embeddings]


@kept
def mistral():
    from mistralai.client import Mistral

    return Mistral(api_key=KEY)


@call
def mistral_chat():
    return mistral().chat.complete(model="mistral-large-2512", messages=MESSAGES).choices[0].message.content


@call
def mistral_chat_stream():
    events = mistral().chat.stream(model="mistral-large-2512", messages=MESSAGES)
    return "".join(event.data.choices[0].delta.content or "" for event in events)


@call
def mistral_embeddings():
    return [len(one.embedding) for one in mistral().embeddings.create(model="mistral-embed", inputs=["ebb"]).data]


@kept
def groq():
    import groq

    return groq.Groq(api_key=KEY, max_retries=0)


@call
def groq_chat():
    return groq().chat.completions.create(model="openai/gpt-oss-120b", messages=MESSAGES).choices[0].message.content


@call
def groq_chat_stream():
    chunks = groq().chat.completions.create(model="openai/gpt-oss-120b", messages=MESSAGES, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


# Those that are asked with OpenAI's SDK

COMPATIBLES = {
    "deepseek": ("https://api.deepseek.com", "deepseek-chat"),
    "xai": ("https://api.x.ai/v1", "grok-4.5"),
    "openrouter": ("https://openrouter.ai/api/v1", "openai/gpt-5-mini"),
    "together": ("https://api.together.xyz/v1", "openai/gpt-oss-120b"),
    "fireworks": ("https://api.fireworks.ai/inference/v1", "accounts/fireworks/models/gpt-oss-120b"),
    "cerebras": ("https://api.cerebras.ai/v1", "gpt-oss-120b"),
    "perplexity": ("https://api.perplexity.ai", "sonar"),
    "gemini_compat": ("https://generativelanguage.googleapis.com/v1beta/openai/", "gemini-3.5-flash"),
    "vertex_compat": ("https://us-central1-aiplatform.googleapis.com/v1/projects/harbour/locations/us-central1/endpoints/openapi",
                      "google/gemini-3.5-flash"),
    "cohere_compat": ("https://api.cohere.com/compatibility/v1", "command-a-03-2025"),
    "vllm": ("https://vllm.example.test/v1", "house-9"),
}


def compatible(url, model, stream):
    client = openai().with_options(base_url=url, api_key=KEY)
    if not stream:
        return client.chat.completions.create(model=model, messages=MESSAGES).choices[0].message.content
    chunks = client.chat.completions.create(model=model, messages=MESSAGES, stream=True, stream_options={"include_usage": True})
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


for name, (url, model) in COMPATIBLES.items():
    CALLS[name] = lambda url=url, model=model: compatible(url, model, False)
    CALLS[f"{name}_stream"] = lambda url=url, model=model: compatible(url, model, True)


@call
def xai_responses():
    client = openai().with_options(base_url="https://api.x.ai/v1", api_key=KEY)
    return client.responses.create(model="grok-4.5", input=QUESTION).output_text


if __name__ == "__main__":
    names = sys.argv[1:]
    for name in CALLS if names == ["all"] else names:
        try:
            told = {"saw": CALLS[name]()}
        except Exception as error:
            traceback.print_exc()
            told = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps({"call": name, **told}), flush=True)
