"""Handshakes as Python 3.13 makes them by default: strict. PORT NAME..., one line each."""

import socket
import ssl
import sys

for port, name in zip(sys.argv[1::2], sys.argv[2::2]):
    context = ssl.create_default_context()
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with socket.create_connection(("127.0.0.1", int(port))) as stream:
        try:
            with context.wrap_socket(stream, server_hostname=name):
                print("accepted", flush=True)
        except ssl.SSLCertVerificationError as error:
            print("refused:", error.verify_message, flush=True)
