"""What the official SDKs send: the requests of the calls below lie in crates/providers/tests/fixtures/requests/FORMAT/NAME.json,
where they are translated into every other format. Run by hand, when the SDKs say something new.

Usage: recorded.py FOLDER   with FOLDER = crates/providers/tests/fixtures
Each is answered by FOLDER's own answer in its format, so that what an app sends back of one is there too.
"""

import http.server
import json
import os
import pathlib
import sys
import threading

import anthropic
import boto3
import openai
import pydantic
from google import genai

FOLDER = pathlib.Path(sys.argv[1])
PNG = "iVBORw0KGgo="
PDF = "JVBERi0xLjQK"


class Plan(pydantic.BaseModel):
    """When to leave."""

    depart: str
    knots: float = pydantic.Field(ge=0, description="Speed over ground.")
    note: str | None


class Tide(pydantic.BaseModel):
    """Tides of a harbour."""

    place: str


class Provider(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    kept = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.kept.append((self.path, json.loads(body)))
        of = {"/chat/completions": "openai_chat", "/responses": "openai_responses", "/v1/messages": "anthropic_messages"}
        path = self.path.split("?")[0]
        folder = "bedrock_converse" if "/model/" in path else of.get(path, "gemini")
        answer = (FOLDER / folder / "answer_plain.json").read_bytes()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
threading.Thread(target=server.serve_forever, daemon=True).start()
HERE = f"http://127.0.0.1:{server.server_port}"
os.environ |= {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_EC2_METADATA_DISABLED": "true"}


def record(dialect, name, call):
    Provider.kept.clear()
    try:
        call()
    except Exception as error:  # Answers are canned: a helper may not like them, its request is out by then.
        print(f"{dialect}/{name}: {type(error).__name__}", file=sys.stderr)
    folder = FOLDER / "requests" / dialect
    folder.mkdir(parents=True, exist_ok=True)
    for number, (path, body) in enumerate(Provider.kept):
        more = f"_{number + 1}" if number else ""
        stream = "_stream" if "stream" in path.lower() else ""
        (folder / f"{name}{more}{stream}.json").write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n")
    assert Provider.kept, f"{dialect}/{name} sent nothing"


def chats():
    client = openai.OpenAI(api_key="none", base_url=HERE, max_retries=0)
    completions = client.chat.completions
    look = [{"type": "text", "text": "When can I leave?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "high"}},
            {"type": "image_url", "image_url": {"url": "https://harbour.example/chart.png"}},
            {"type": "file", "file": {"filename": "rules.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}]
    record("openai_chat", "parsed", lambda: completions.parse(
        model="gpt-5-mini", messages=[{"role": "developer", "content": "Brief."}, {"role": "user", "content": look}],
        response_format=Plan, tools=[openai.pydantic_function_tool(Tide)], verbosity="low", reasoning_effort="minimal",
        safety_identifier="u_81", prompt_cache_key="k", store=False, metadata={"team": "a"}))

    def loop():
        called = {"id": "call_1", "type": "function", "function": {"name": "Tide", "arguments": '{"place": "Brest"}'}}
        other = {**called, "id": "call_2", "function": {"name": "Tide", "arguments": "{}"}}
        completions.create(
            model="gpt-4o", temperature=0.3, presence_penalty=0.2, stop=["END"], logprobs=False, parallel_tool_calls=False,
            tools=[{"type": "function", "function": {"name": "Tide", "description": "Tides.", "parameters": Tide.model_json_schema()}}],
            tool_choice={"type": "function", "function": {"name": "Tide"}}, max_tokens=300,
            messages=[{"role": "system", "content": [{"type": "text", "text": "Brief."}, {"type": "text", "text": "In UTC."}]},
                      {"role": "user", "content": "When?", "name": "ann"},
                      {"role": "assistant", "content": None, "tool_calls": [called, other]},
                      {"role": "tool", "tool_call_id": "call_1", "content": "06:12"},
                      {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "no place"}]},
                      {"role": "assistant", "content": "At six.", "refusal": None},
                      {"role": "user", "content": "And then?"}])

    record("openai_chat", "loop", loop)
    record("openai_chat", "streamed", lambda: completions.create(
        model="gpt-4o", stream=True, stream_options={"include_usage": True}, top_p=0.9, seed=7, n=1,
        response_format={"type": "json_object"}, messages=[{"role": "user", "content": "As JSON: when?"}]))

    def again():
        answer = completions.create(model="gpt-5-mini", messages=[{"role": "user", "content": "When?"}])
        said = answer.choices[0].message
        completions.create(model="gpt-5-mini", messages=[{"role": "user", "content": "When?"}, said, {"role": "user", "content": "Sure?"}])

    record("openai_chat", "again", again)


def responses():
    client = openai.OpenAI(api_key="none", base_url=HERE, max_retries=0)
    tool = {"type": "function", "name": "tide", "description": "Tides.", "parameters": Tide.model_json_schema()}

    def loop():
        asked = [{"role": "user", "content": [{"type": "input_text", "text": "When?"},
                                              {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "low"}]}]
        arguments = {"model": "gpt-6.1-terra", "instructions": "Brief.", "tools": [tool], "store": False,
                     "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "low", "summary": "auto"}}
        answer = client.responses.create(input=asked, **arguments)
        call = next(item for item in answer.output if item.type == "function_call")
        asked += [*answer.output, {"type": "function_call_output", "call_id": call.call_id, "output": "06:12"}]
        client.responses.create(input=asked, tool_choice="auto", max_output_tokens=900, truncation="auto", **arguments)

    record("openai_responses", "loop", loop)
    record("openai_responses", "parsed", lambda: client.responses.parse(
        model="gpt-6.1-terra", text_format=Plan, verbosity="low", safety_identifier="u_81", tools=[openai.pydantic_function_tool(Tide)["function"] | {"type": "function"}],
        input=[{"role": "developer", "content": "Brief."}, {"role": "user", "content": "When?"},
               {"role": "user", "content": [{"type": "input_file", "filename": "rules.pdf", "file_data": f"data:application/pdf;base64,{PDF}"},
                                            {"type": "input_file", "file_url": "https://harbour.example/rules.pdf"}]}]))
    record("openai_responses", "plain", lambda: client.responses.create(
        model="gpt-4o", input="When?", temperature=0.4, top_p=0.8, stream=True, service_tier="flex", user="u_81"))
    record("openai_responses", "kept", lambda: client.responses.create(
        model="gpt-6.1-terra", input="And then?", previous_response_id="resp_R1", background=True))


def messages():
    client = anthropic.Anthropic(api_key="none", base_url=HERE, max_retries=0)
    tool = {"name": "tide", "description": "Tides.", "input_schema": Tide.model_json_schema(), "cache_control": {"type": "ephemeral"}}

    def loop():
        asked = [{"role": "user", "content": [
            {"type": "text", "text": "When?", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {"type": "image", "source": {"type": "url", "url": "https://harbour.example/chart.png"}},
            {"type": "document", "title": "Rules", "context": "Of the harbour.", "citations": {"enabled": True},
             "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Keep right."}}]}]
        arguments = {"model": "claude-sonnet-5-5", "max_tokens": 4096, "tools": [tool], "metadata": {"user_id": "u_81"},
                     "thinking": {"type": "adaptive"}, "system": [{"type": "text", "text": "Brief."}, {"type": "text", "text": "In UTC."}]}
        answer = client.messages.create(messages=asked, **arguments)
        call = next(block for block in answer.content if block.type == "tool_use")
        asked += [{"role": "assistant", "content": answer.content},
                  {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "is_error": True, "content": [
                      {"type": "text", "text": "no such place"}, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}]},
                      {"type": "text", "text": "Well?"}]}]
        client.messages.create(messages=asked, tool_choice={"type": "auto", "disable_parallel_tool_use": True}, **arguments)

    record("anthropic_messages", "loop", loop)
    record("anthropic_messages", "parsed", lambda: client.messages.parse(
        model="claude-sonnet-5-5", max_tokens=1024, output_format=Plan, messages=[{"role": "user", "content": "When?"}]))
    record("anthropic_messages", "budget", lambda: client.messages.create(
        model="claude-sonnet-4-5", max_tokens=9000, stream=True, thinking={"type": "enabled", "budget_tokens": 3000}, stop_sequences=["END"],
        messages=[{"role": "user", "content": "When?"}]))
    record("anthropic_messages", "sampled", lambda: client.messages.create(
        model="claude-sonnet-4-5", max_tokens=900, extra_body={"temperature": 0.4, "top_k": 40}, tools=[tool], tool_choice={"type": "any"},
        service_tier="standard_only", messages=[{"role": "user", "content": "When?"}]))


def geminis():
    client = genai.Client(api_key="none", vertexai=False, http_options={"base_url": HERE})
    types = genai.types

    # Called as the canned answer calls it.
    def tide(usageMetadata: dict) -> str:
        """Tides of a harbour."""
        return f"06:12, {len(usageMetadata)} times"

    parts = [types.Part(text="When?"), types.Part.from_bytes(data=b"\x89PNG\r\n\x1a\n", mime_type="image/png"),
             types.Part.from_bytes(data=b"%PDF-1.4\n", mime_type="application/pdf")]
    record("gemini", "parsed", lambda: client.models.generate_content(
        model="gemini-3.5-flash", contents=parts, config={
            "system_instruction": "Brief.", "response_schema": Plan, "response_mime_type": "application/json", "temperature": 0.4, "top_k": 40,
            "top_p": 0.9, "seed": 7, "stop_sequences": ["END"], "max_output_tokens": 900, "presence_penalty": 0.2,
            "thinking_config": {"thinking_level": "low", "include_thoughts": True},
            "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]}))
    record("gemini", "called", lambda: client.models.generate_content(
        model="gemini-3.5-flash", contents="When?", config={
            "tools": [tide], "automatic_function_calling": {"maximum_remote_calls": 2},
            "tool_config": {"function_calling_config": {"mode": "VALIDATED"}}}))

    def loop():
        declared = types.Tool(function_declarations=[{"name": "tide", "description": "Tides.", "parameters_json_schema": Tide.model_json_schema()}])
        config = {"tools": [declared], "thinking_config": {"thinking_budget": 1024},
                  "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["tide"]}}}
        asked = [types.Content(role="user", parts=[types.Part(text="When?")])]
        answer = client.models.generate_content(model="gemini-3.5-flash", contents=asked, config=config)
        shown = types.FunctionResponsePart(inline_data=types.FunctionResponseBlob(mime_type="image/png", data=b"\x89PNG\r\n\x1a\n"))
        answered = types.Part(function_response=types.FunctionResponse(name="tide", response={"output": "06:12"}, parts=[shown]))
        asked += [answer.candidates[0].content, types.Content(role="user", parts=[answered])]
        client.models.generate_content(model="gemini-3.5-flash", contents=asked, config=config)

    record("gemini", "loop", loop)
    record("gemini", "streamed", lambda: list(client.models.generate_content_stream(
        model="gemini-3.5-flash", contents="When?", config={"candidate_count": 1, "labels": None})))


def converses():
    client = boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=HERE)
    model = "us.anthropic.claude-sonnet-5-5-v1:0"
    tools = {"tools": [{"toolSpec": {"name": "tide", "description": "Tides.", "inputSchema": {"json": Tide.model_json_schema()}}},
                       {"cachePoint": {"type": "default"}}], "toolChoice": {"any": {}}}

    def loop():
        asked = [{"role": "user", "content": [
            {"text": "When?"}, {"image": {"format": "png", "source": {"bytes": b"\x89PNG\r\n\x1a\n"}}},
            {"document": {"format": "pdf", "name": "rules", "context": "Of the harbour.", "citations": {"enabled": True}, "source": {"bytes": b"%PDF-1.4\n"}}},
            {"cachePoint": {"type": "default", "ttl": "1h"}}]}]
        arguments = {"modelId": model, "toolConfig": tools, "system": [{"text": "Brief."}, {"cachePoint": {"type": "default"}}]}
        answer = client.converse(messages=asked, inferenceConfig={"maxTokens": 256, "stopSequences": ["END"]}, **arguments)
        said = answer["output"]["message"]
        call = next(block["toolUse"] for block in said["content"] if "toolUse" in block)
        asked += [said, {"role": "user", "content": [{"toolResult": {"toolUseId": call["toolUseId"], "status": "error", "content": [
            {"json": {"why": "no such place"}}, {"text": "Nothing."}]}}]}]
        client.converse(messages=asked, requestMetadata={"team": "a"}, additionalModelRequestFields={"top_k": 40}, **arguments)

    record("bedrock_converse", "loop", loop)
    record("bedrock_converse", "plain", lambda: client.converse_stream(
        modelId=model, messages=[{"role": "user", "content": [{"text": "When?"}]}], inferenceConfig={"maxTokens": 256, "temperature": 0.4}))
    record("bedrock_converse", "guarded", lambda: client.converse(
        modelId=model, messages=[{"role": "user", "content": [{"text": "When?"}]}], guardrailConfig={"guardrailIdentifier": "g", "guardrailVersion": "1"}))


for calls in (chats, responses, messages, geminis, converses):
    calls()
