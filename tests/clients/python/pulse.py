"""Asks a model at a steady pace, each call on a connection and a thread of its own, so that a call which waits holds up no other. Says of
each call that it begins, and then when it began and ended, for how long this program had no processor meanwhile, and its answer or what
went wrong: a line of JSON each. The variables that OpenAI's SDK follows lead it too.

    python3 pulse.py MODEL COUNT SECONDS [BYTES]

COUNT calls (0: for ever), one every SECONDS, with a prompt of so many BYTES. Then it stays. Calls that it was too late for are left out.
"""

import http.client
import json
import math
import os
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request

model, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
prompt = "x" * int(sys.argv[4]) if len(sys.argv) > 4 else "Where is the harbour?"
body = json.dumps({"model": model, "messages": [{"role": "user", "content": prompt}]}).encode()
address = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1") + "/chat/completions"
headers = {"Authorization": "Bearer sk-harbour-0123456789", "Content-Type": "application/json"}
trust = ssl.create_default_context()
speaking = threading.Lock()

# A call that begins later than the next one was due: nothing here ran. Both in one tuple, which changes at once.
stalled_and_due = 0.0, time.monotonic()


def stalled():
    """Seconds so far in which this program had no processor, as far as its pace shows it."""
    before, due = stalled_and_due
    return before + max(0.0, time.monotonic() - due - seconds)


def say(what):
    with speaking:
        print(json.dumps(what), flush=True)


def ask():
    said, before = {"began": time.time()}, stalled()
    say(said)
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=60, context=trust) as answer:
            said["text"] = json.load(answer)["choices"][0]["message"]["content"]
    except urllib.error.HTTPError as error:
        said.update(error="Status", status=error.code)
    except (OSError, http.client.HTTPException) as error:
        said.update(error=type(error).__name__, told=str(error))
    said.update(ended=time.time(), stalled=stalled() - before)
    say(said)


asked = 0
while count == 0 or asked < count:
    threading.Thread(target=ask).start()
    asked += 1
    _, due = stalled_and_due
    due = max(due + seconds, time.monotonic())
    stalled_and_due = stalled(), due
    time.sleep(max(0.0, due - time.monotonic()))
stalled_and_due = stalled(), math.inf
threading.Event().wait()
