"""An app as anybody writes it: the official SDK, a key from the environment, nothing of Outrigger. It asks three models in turn, for ever."""

import itertools
import time

import openai

client = openai.OpenAI()
for model in itertools.cycle(["gpt-5-mini", "gpt-5-mini", "gpt-6.1-terra"]):
    try:
        stream = client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": "When does the tide turn?"}],
            stream=True,
            safety_identifier="customer-42",
        )
        print(model, "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices), flush=True)
    except openai.APIError as error:
        print(model, type(error).__name__, error, flush=True)
    time.sleep(2)
