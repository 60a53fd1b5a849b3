"""An app with traces of its own, sent to TEST_TRACES (an OTLP/HTTP address) as service `app`. Each call stands under a span named after it.

Usage: traced.py NAME...   with NAME = success, retry, error, cut, hang_up, tools, anthropic[_stream]; with `_untraced` behind it the request
carries no trace. OpenAI's SDK makes no span, so its requests carry the app's; Anthropic's makes one of its own and sends that.
"""

import os
import sys

import anthropic
import openai
from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

MESSAGES = [{"role": "user", "content": "When does the tide turn?"}]
TOOLS = [{"type": "function", "function": {"name": "tide", "parameters": {"type": "object", "properties": {}}}}]

provider = TracerProvider(resource=Resource.create({"service.name": "app"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=os.environ["TEST_TRACES"] + "/v1/traces")))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("app")


def chat(shape, traced):
    headers = {}
    if traced:
        propagate.inject(headers)
    stream = shape in ("cut", "hang_up", "tools")
    more = {"tools": TOOLS} if shape == "tools" else {}
    try:
        with openai.OpenAI(max_retries=2 if shape == "retry" else 0) as client:
            # The simulator's script goes by the model.
            answer = client.chat.completions.create(
                model=f"gpt-{shape}", messages=MESSAGES, stream=stream, extra_headers=headers, **more)
            if stream:
                for _ in answer:
                    if shape == "hang_up":
                        answer.close()
                        break
    except Exception as error:
        print(shape, type(error).__name__, flush=True)


def messages(stream):
    with anthropic.Anthropic(max_retries=2) as client:
        answer = client.messages.create(model="claude-sonnet-5-5", max_tokens=256, messages=MESSAGES, stream=stream)
        if stream:
            for _ in answer:
                pass


for name in sys.argv[1:]:
    shape = name.removesuffix("_untraced")
    with tracer.start_as_current_span(f"app {name}"):
        if shape.startswith("anthropic"):
            messages(shape.endswith("stream"))
        else:
            chat(shape, shape == name)
provider.shutdown()
