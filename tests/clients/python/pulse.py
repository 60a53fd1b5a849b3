"""Asks a model at a steady pace, each call on a connection and a thread of its own, so that a call which waits holds up no other. Says of
each call when it began and ended, and its answer or what went wrong: a line of JSON each.

    python3 pulse.py MODEL COUNT SECONDS [BYTES]

COUNT calls (0: for ever), one every SECONDS, with a prompt of so many BYTES. Then it stays.
"""

import http.client
import json
import ssl
import sys
import threading
import time

model, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
prompt = "x" * int(sys.argv[4]) if len(sys.argv) > 4 else "Where is the harbour?"
body = json.dumps({"model": model, "messages": [{"role": "user", "content": prompt}]})
headers = {"Authorization": "Bearer sk-harbour-0123456789", "Content-Type": "application/json"}
trust = ssl.create_default_context()
speaking = threading.Lock()


def ask():
    said = {"began": time.time()}
    connection = http.client.HTTPSConnection("api.openai.com", timeout=60, context=trust)
    try:
        connection.request("POST", "/v1/chat/completions", body, headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status == 200:
            said["text"] = json.loads(content)["choices"][0]["message"]["content"]
        else:
            said.update(error="Status", status=answer.status)
    except (OSError, http.client.HTTPException) as error:
        said.update(error=type(error).__name__, told=str(error))
    finally:
        connection.close()
    with speaking:
        print(json.dumps({**said, "ended": time.time()}), flush=True)


asked, due = 0, time.monotonic()
while count == 0 or asked < count:
    threading.Thread(target=ask).start()
    asked += 1
    due += seconds
    time.sleep(max(0.0, due - time.monotonic()))
threading.Event().wait()
