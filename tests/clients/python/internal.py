"""Services of a company's own: internal.py FOLDER. Each name has its port, and its certificate in the folder; every GET is answered by one word."""

import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "6")
        self.end_headers()
        self.wfile.write(b"moored")

    def log_message(self, *_):
        pass


for name, port in ("company", 8443), ("partner", 8444):
    server = ThreadingHTTPServer(("", port), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{sys.argv[1]}/{name}.works.crt", f"{sys.argv[1]}/{name}.works.key")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever).start()
print("{}", flush=True)
