"""Prints who issued the certificate that a host shows to an ordinary client behind HTTPS_PROXY."""

import os
import socket
import ssl
import sys
from urllib.parse import urlsplit

host = sys.argv[1]
proxy = urlsplit(os.environ["HTTPS_PROXY"])
connection = socket.create_connection((proxy.hostname, proxy.port))
connection.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
head = b""
while not head.endswith(b"\r\n\r\n"):
    head += connection.recv(1)
assert head.startswith(b"HTTP/1.1 200"), head
with ssl.create_default_context().wrap_socket(connection, server_hostname=host) as tls:
    issuer = dict(pair[0] for pair in tls.getpeercert()["issuer"])
    print(issuer["commonName"])
