"""A service of the company by every library, then a model by the official SDK: stores.py URL [MODEL]. Prints a line of JSON, {NAME: text}, or what
went wrong in the place of a text. Nothing here knows of a certificate."""

import json
import ssl
import sys
import urllib.request

import httpx
import openai
import requests

url, model = sys.argv[1], sys.argv[2:]
clients = {
    "urllib": lambda: urllib.request.urlopen(url, timeout=20).read().decode(),
    "requests": lambda: requests.get(url, timeout=20).text,
    # The company's apps that call by httpx give it the system's store; its own is certifi.
    "httpx": lambda: httpx.get(url, timeout=20, verify=ssl.create_default_context()).text,
}
if model:
    messages = [{"role": "user", "content": "Where is the harbour?"}]
    clients["openai"] = lambda: openai.OpenAI().chat.completions.create(model=model[0], messages=messages).choices[0].message.content
said = {}
for name, client in clients.items():
    try:
        said[name] = client()
    except Exception as error:
        said[name] = repr(error)
print(json.dumps(said), flush=True)
