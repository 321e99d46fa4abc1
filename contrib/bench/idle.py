"""The memory of a connection that is open and wants nothing.

    python -m contrib.bench.idle --connections 2000

A server process of the gevent core gets TLS connections from a few loopback addresses: first one half of them, then the
other. In the first run they are silent after the handshake; in the second they have made a request and been answered,
and are kept. Each figure is the growth of the process's memory from one half to the other, for each connection, so what
the server takes once does not count. What counts is everything in the process: greenlet, stream, OpenSSL's state,
conversation, parser. Buffers of the kernel are not in it.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from geventcore.simulation.repository import Shape
from geventcore.simulation.sampler import Sampler
from geventcore.simulation.test_bed import PASSWORD, TestBed
from geventcore.wire.basicauth import format_authorization

#: The first of the addresses that connections come from.
SOURCES = tuple(f"127.0.3.{number}" for number in range(1, 5))
_OPTIONS = {"gevent": {"workers": "1"}, "server": {"idle_timeout": "600", "handshake_timeout": "600"}}


def open_one(number: int, port: int, context: ssl.SSLContext, request: bytes) -> ssl.SSLSocket:
    """Return a connection after its handshake, and after the answer to `request` if there is one."""
    source = SOURCES[number % len(SOURCES)]
    tcp = socket.create_connection(("127.0.0.1", port), timeout=60, source_address=(source, 0))
    tls = context.wrap_socket(tcp)
    if request:
        tls.sendall(request)
        if not tls.recv(65536).startswith(b"HTTP/1.1 200 "):
            raise SystemExit("a request is not answered")
    return tls


def measure(connections: int, answered: bool) -> tuple[float, float]:
    """Return resident and proportional memory of one connection, in bytes."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name, contextlib.ExitStack() as stack:
        bed = TestBed(Path(name), Shape(clients=1, entries=40))
        client = bed.clients[0]
        running = stack.enter_context(bed.serving(_OPTIONS))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        body = b"<methodCall><methodName>ping</methodName></methodCall>"
        request = (
            f"POST / HTTP/1.1\r\nHost: server\r\nAuthorization: {format_authorization(client.name, PASSWORD)}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        seen = []
        for step in range(2):
            for number in range(connections // 2):
                sock = open_one(step * connections + number, running.port, context, request if answered else b"")
                stack.callback(sock.close)
            # Until the last handshake has ended on the server's side, too.
            time.sleep(1.0)
            processes = Sampler([running.pid]).processes()
            seen.append((sum(one.rss for one in processes), sum(one.pss for one in processes)))
        return tuple(2 * (after - before) / connections for before, after in zip(*seen, strict=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each kind."""
    parser = argparse.ArgumentParser(prog="python -m contrib.bench.idle", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--connections", type=int, default=2000)
    options = parser.parse_args(arguments)
    print("connections        each: RSS KB  PSS KB", flush=True)
    for name, answered in (("silent", False), ("kept after an answer", True)):
        rss, pss = measure(options.connections, answered)
        print(f"{name:22} {rss / 1024:13.1f} {pss / 1024:7.1f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
