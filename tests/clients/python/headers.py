"""Sends one raw request with headers of every kind and prints what was sent and what came back.

Usage: headers.py [stream]
"""

import hashlib
import json
import os
import socket
import ssl
import sys
from urllib.parse import urlsplit

asked = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "ünïcode  \t"}]}
if "stream" in sys.argv:
    asked["stream"] = True
body = json.dumps(asked, ensure_ascii=False).encode()
headers = [
    ("Host", "api.openai.com"),
    ("User-Agent", "headers-test/1.0"),
    ("X-Custom-Case", "Kept"),
    ("Connection", "keep-alive, X-Hop"),
    ("X-Hop", "gone"),
    ("Keep-Alive", "timeout=5"),
    ("TE", "gzip"),
    ("Expect", "100-continue"),
    ("X-Outrigger-Step", "plan"),
    ("X-Outrigger-Note", "gone too"),
    ("Authorization", "Bearer " + os.environ["OPENAI_API_KEY"]),
    ("Accept", "application/json"),
    ("Accept-Encoding", "gzip"),
    ("Content-Type", "application/json"),
    ("Content-Length", str(len(body))),
]
proxy = urlsplit(os.environ["HTTPS_PROXY"])
connection = socket.create_connection((proxy.hostname, proxy.port))
connection.sendall(b"CONNECT api.openai.com:443 HTTP/1.1\r\n\r\n")
head = b""
while not head.endswith(b"\r\n\r\n"):
    head += connection.recv(1)
tls = ssl.create_default_context().wrap_socket(connection, server_hostname="api.openai.com")
lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
tls.sendall(f"POST /v1/chat/completions?a=%2F&b HTTP/1.1\r\n{lines}\r\n".encode())


def head_of(stream):
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        data += stream.recv(1)
    return data.decode().split("\r\n")


interim = head_of(tls)
assert interim[0].startswith("HTTP/1.1 100"), interim
tls.sendall(body)
status, *answer = head_of(tls)
answer = [line.split(": ", 1) for line in answer if line]
length = dict((name.lower(), value) for name, value in answer).get("content-length")


def exactly(count):
    data = b""
    while len(data) < count:
        data += tls.recv(count - len(data))
    return data


def line():
    data = b""
    while not data.endswith(b"\r\n"):
        data += tls.recv(1)
    return data


received = b""
if length is None:
    while (count := int(line(), 16)) > 0:
        received += exactly(count)
        line()
else:
    received = exactly(int(length))
print(json.dumps({
    "status": status,
    "sent_headers": headers,
    "sent": body.decode(),
    "received_headers": answer,
    "received_sha256": hashlib.sha256(received).hexdigest(),
}))
