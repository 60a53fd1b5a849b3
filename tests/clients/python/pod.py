"""An app in a pod, as one would write it: asks again and again, and says of each answer what it was, a line of JSON each.

    python3 pod.py MODEL COUNT SECONDS [stream] [fresh] [stay]

COUNT calls (0: for ever), SECONDS between them. `stream`: streamed. `fresh`: each on a connection of its own. `stay`, and with COUNT 0: at SIGTERM it
makes one call more, says so, and ends.
"""

import json
import signal
import sys
import threading
import time

import openai

model, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
stream, fresh, stay = (word in sys.argv[4:] for word in ("stream", "fresh", "stay"))
client = openai.OpenAI(max_retries=0, timeout=20)
ending = threading.Event()


def say(**what):
    print(json.dumps({"at": time.time(), **what}), flush=True)


def ask(**more):
    global client
    if fresh:
        client.close()
        client = openai.OpenAI(max_retries=0, timeout=20)
    try:
        answer = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Where is the harbour?"}], stream=stream
        )
        if stream:
            text = ""
            for chunk in answer:
                words = "".join(choice.delta.content or "" for choice in chunk.choices)
                if words and not text:
                    say(begun=True)
                text += words
        else:
            text = answer.choices[0].message.content
        say(text=text, **more)
    # In mid-stream the SDK lets the transport's own errors through.
    except Exception as error:
        say(error=type(error).__name__, status=getattr(error, "status_code", None), told=str(error), **more)


signal.signal(signal.SIGTERM, lambda *_: ending.set())
asked = 0
while not ending.is_set() and (count == 0 or asked < count):
    ask()
    asked += 1
    ending.wait(seconds)
if count == 0 or stay:
    ending.wait()
    ask(last=True)
