"""Asks a listed host to speak WebSocket, through the proxy of the environment; prints what came back.

Usage: websocket.py BYTES   sends so many bytes after the switch, in pieces, and compares what returns
"""

import json
import os
import select
import socket
import ssl
import sys
from urllib.parse import urlsplit

HOST = "api.openai.com"
GREETING = b"\x81\x05hello"
LAST = b"\x88\x00"


def head_of(stream):
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)
        assert byte, f"the connection ended in the head: {data}"
        data += byte
    return data.decode().split("\r\n")


def exactly(stream, count):
    data = b""
    while len(data) < count:
        piece = stream.recv(count - len(data))
        assert piece, f"the connection ended after {len(data)} of {count} bytes"
        data += piece
    return data


def echo(stream, data):
    """Sends in pieces and reads what returns meanwhile, on one thread: a TLS connection of OpenSSL's is not safe for two."""
    stream.setblocking(False)
    sent, back = 0, bytearray()
    while len(back) < len(data):
        moved = 0
        if sent < len(data):
            try:
                moved = stream.send(data[sent:sent + 9973])
                sent += moved
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
        try:
            piece = stream.recv(len(data) - len(back))
            assert piece, f"the connection ended after {len(back)} of {len(data)} bytes"
            back += piece
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if not moved:
                ready = select.select([stream], [stream] if sent < len(data) else [], [], 20)
                assert any(ready), f"silence after {len(back)} of {len(data)} bytes"
    stream.settimeout(20)
    return bytes(back)


proxy = urlsplit(os.environ["HTTPS_PROXY"])
connection = socket.create_connection((proxy.hostname, proxy.port), timeout=20)
connection.sendall(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode())
head_of(connection)
tls = ssl.create_default_context().wrap_socket(connection, server_hostname=HOST, suppress_ragged_eofs=False)
tls.sendall((
    f"GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\nHost: {HOST}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHRpZGUgdHVybnMgIQ==\r\n"
    f"Authorization: Bearer {os.environ['OPENAI_API_KEY']}\r\n\r\n"
).encode())
status, *headers = head_of(tls)
headers = dict(line.lower().split(": ", 1) for line in headers if line)
told = {"status": int(status.split()[1]), "headers": headers}
if told["status"] == 101:
    told["greeting"] = exactly(tls, len(GREETING)) == GREETING
    data = os.urandom(int(sys.argv[1]))
    told["echoed"] = echo(tls, data) == data
    tls.sendall(LAST)
    # A clean end and nothing before it; a torn one raises.
    told["rest"] = tls.recv(1).hex()
else:
    told["body"] = exactly(tls, int(headers["content-length"])).decode()
print(json.dumps(told))
