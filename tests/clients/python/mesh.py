"""What a mesh's proxy is to a pod: takes the connections that are redirected to it, says where each was going, and carries it there.

    python3 mesh.py PORT
"""

import json
import socket
import struct
import sys
import threading

SO_ORIGINAL_DST = 80


def carry(source, sink):
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        # Either end may break off; the other one is told so.
        source.close()
        sink.close()


def serve(near):
    port, address = struct.unpack("!2xH4s8x", near.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16))
    place = (socket.inet_ntoa(address), port)
    print(json.dumps({"to": "%s:%d" % place}), flush=True)
    far = socket.create_connection(place)
    threading.Thread(target=carry, args=(near, far), daemon=True).start()
    carry(far, near)


with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
