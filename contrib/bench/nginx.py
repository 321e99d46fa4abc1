"""The cost of a request beside nginx: a new TLS connection each, and an answer of 200 KB that is ready.

    python -m contrib.bench.nginx --requests 1500 --rounds 4

Geventcore authenticates the caller, decides access, parses the call and marshals the answer, which a plugin has at
hand; nginx has the very same bytes as a file. Both have one process, the same certificate, and the same ciphers in the
same order; neither logs requests. The servers take turns. What is printed is the processor time, user and system, of
the server's processes for each request, and what ours is divided by nginx's.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from contrib.bench.ready_answer import DOCUMENT
from geventcore.simulation.repository import Shape
from geventcore.simulation.sampler import Sampler
from geventcore.simulation.test_bed import HOST, PASSWORD, PLUGINS, TestBed, free_port
from geventcore.tls.authority import KeyType
from geventcore.wire.basicauth import format_authorization
from geventcore.wire.xmlrpc import dump_string_response

BODY = dump_string_response(DOCUMENT.data)

_ONE_WORKER = {"gevent": {"workers": "1"}}

_NGINX_CONFIGURATION = """\
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  default_type text/xml;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_prefer_server_ciphers on;
  ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384;
  ssl_ciphers ECDHE+AESGCM+AES128:ECDHE+AESGCM;
  ssl_certificate {certificate};
  ssl_certificate_key {key};
  ssl_client_certificate {ca};
  ssl_verify_client optional;
  server {{ listen {host}:{port} ssl backlog=4096; root {directory}/files; }}
}}
"""


@dataclass(frozen=True)
class Running:
    """A server that runs, and the request that it answers."""

    name: str
    pid: int
    port: int
    request: bytes


@contextlib.contextmanager
def geventcore(bed: TestBed) -> Iterator[Running]:
    """Start the gevent core, with the plugin that has the answer ready."""
    with bed.serving(_ONE_WORKER) as server:
        authorization = format_authorization(bed.clients[0].name, PASSWORD)
        body = xmlrpc.client.dumps((), "ReadyAnswer.get").encode()
        head = (
            f"POST /RPC2 HTTP/1.1\r\nHost: {HOST}:{server.port}\r\nAccept-Encoding: gzip\r\nContent-Type: text/xml\r\n"
            f"User-Agent: Python-xmlrpc/3.11\r\nAuthorization: {authorization}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        yield Running("geventcore", server.pid, server.port, head.encode() + body)


@contextlib.contextmanager
def nginx(directory: Path, bed: TestBed, body: bytes = BODY) -> Iterator[Running]:
    """Start Debian's nginx, which sends a body."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    files = directory / "files"
    files.mkdir(parents=True)
    (files / "answer").write_bytes(body)
    port = free_port()
    configuration = directory / "nginx.conf"
    configuration.write_text(
        _NGINX_CONFIGURATION.format(
            directory=directory, certificate=bed.certificate, key=bed.key, ca=bed.ca, host=HOST, port=port
        )
    )
    request = f"GET /answer HTTP/1.1\r\nHost: {HOST}:{port}\r\nUser-Agent: Python-xmlrpc/3.11\r\n\r\n"
    process = subprocess.Popen([program, "-c", str(configuration), "-p", str(directory)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection((HOST, port)):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"nginx does not start:\n{(directory / 'error.log').read_text()}")
            time.sleep(0.05)
        yield Running("nginx", process.pid, port, request.encode())
    finally:
        process.terminate()
        process.wait()


def ask(server: Running, context: ssl.SSLContext, wanted: bytes | None = BODY) -> None:
    """Make one request on a connection of its own, closed without close_notify as real clients do.

    The answer must have the body `wanted`, or any if it is None.
    """
    with socket.create_connection((HOST, server.port), timeout=30) as tcp:
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(tcp) as tls:
            tls.sendall(server.request)
            with tls.makefile("rb") as reader:
                status = reader.readline()
                length = 0
                while (line := reader.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                body = reader.read(length)
    if b" 200 " not in status or (wanted is not None and body != wanted) or len(body) != length:
        raise SystemExit(f"{server.name} answers {status!r} and {len(body)} bytes")


def cost(servers: Running | Sequence[Running], requests: int, at_once: int, wanted: bytes | None = BODY) -> float:
    """Return processor time of the server for each of a number of requests, in seconds.

    Several requests to one server take turns.
    """
    turns = [servers] if isinstance(servers, Running) else servers
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    sampler = Sampler([turns[0].pid])
    before = sampler.cpu_seconds()
    with ThreadPoolExecutor(at_once) as executor:
        asked = [executor.submit(ask, turns[number % len(turns)], context, wanted) for number in range(requests)]
        for done in asked:
            done.result()
    return (sampler.cpu_seconds() - before) / requests


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each kind of key."""
    parser = argparse.ArgumentParser(prog="python -m contrib.bench.nginx", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--requests", type=int, default=1500, help="in each round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--at-once", type=int, default=8, help="clients at the same time")
    parser.add_argument("--keys", default="ecdsa,rsa", help="kinds of the server's key")
    options = parser.parse_args(arguments)
    print("key     geventcore ms  nginx ms  ratio  (rounds)", flush=True)
    for kind in options.keys.split(","):
        key_type: KeyType = "rsa" if kind == "rsa" else "ecdsa"
        with tempfile.TemporaryDirectory(prefix="bench-") as name, contextlib.ExitStack() as stack:
            directory = Path(name)
            plugins = (*PLUGINS, "contrib.bench.ready_answer.ReadyAnswer")
            bed = TestBed(directory, Shape(clients=1, entries=40), plugins, key_type)
            ours = stack.enter_context(geventcore(bed))
            theirs = stack.enter_context(nginx(directory / "nginx", bed))
            for server in (ours, theirs):
                cost(server, 200, options.at_once)
            pairs = [
                (cost(ours, options.requests, options.at_once), cost(theirs, options.requests, options.at_once))
                for _ in range(options.rounds)
            ]
        ratios = [one / other for one, other in pairs]
        one, other = (median(column) * 1000 for column in zip(*pairs, strict=True))
        rounds = " ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"{key_type:6} {one:14.3f} {other:9.3f} {median(ratios):6.2f}  ({rounds})", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
