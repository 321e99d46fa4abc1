"""What a request costs the server beside nginx: a new TLS connection each, and an answer of 200 KB that is ready.

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

from contrib.bench.meter import Meter
from contrib.bench.ready_answer import DOCUMENT
from geventcore.tls.authority import Authority, KeyType, write_private
from geventcore.wire.basicauth import format_authorization
from geventcore.wire.xmlrpc import dump_string_response
from tests.peers.certificates import Certificate
from tests.peers.server import GeventcoreServer
from tests.peers.sites import PLUGINS, ServerSite, free_port
from tests.repositories.generate import Shape, generate

HOST = "127.0.0.1"
PASSWORD = "benchmark"
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
  ssl_certificate {pair.certificate};
  ssl_certificate_key {pair.key};
  ssl_client_certificate {ca};
  ssl_verify_client optional;
  server {{ listen {host}:{port} ssl backlog=4096; root {directory}/files; }}
}}
"""


@dataclass(frozen=True)
class Contender:
    """A server that runs, and the request that it answers."""

    name: str
    pid: int
    port: int
    request: bytes


@dataclass(frozen=True)
class Keys:
    """The files of an authority and of a server certificate of one kind."""

    ca: Path
    pair: Certificate

    @classmethod
    def make(cls, directory: Path, key_type: KeyType) -> Keys:
        """New ones, both with that kind of key."""
        authority = Authority.create("Bench CA", key_type)
        ca = directory / "ca.crt"
        ca.write_bytes(authority.certificate_pem)
        issued = authority.issue("localhost", dns_names=["localhost"], ip_addresses=[HOST], key_type=key_type)
        pair = Certificate(directory / "server.crt", directory / "server.key")
        pair.certificate.write_bytes(issued.certificate_pem)
        write_private(pair.key, issued.key_pem)
        return cls(ca, pair)


@contextlib.contextmanager
def geventcore(directory: Path, keys: Keys) -> Iterator[Contender]:
    """Our gevent core."""
    repository = directory / "repository"
    client = generate(repository, Shape(clients=1, entries=40))[0]
    plugins = (*PLUGINS, "contrib.bench.ready_answer.ReadyAnswer")
    site = ServerSite(
        directory / "server", repository, keys.pair, keys.ca, PASSWORD, plugins=plugins, overrides=_ONE_WORKER
    )
    body = xmlrpc.client.dumps((), "ReadyAnswer.get").encode()
    head = (
        f"POST /RPC2 HTTP/1.1\r\nHost: {HOST}:{site.port}\r\nAccept-Encoding: gzip\r\nContent-Type: text/xml\r\n"
        f"User-Agent: Python-xmlrpc/3.11\r\nAuthorization: {format_authorization(client.name, PASSWORD)}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with GeventcoreServer("gevent").serving(site) as running:
        yield Contender("geventcore", running.pid, site.port, head.encode() + body)


@contextlib.contextmanager
def nginx(directory: Path, keys: Keys) -> Iterator[Contender]:
    """Debian's nginx."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    files = directory / "files"
    files.mkdir(parents=True)
    (files / "answer").write_bytes(BODY)
    port = free_port()
    configuration = directory / "nginx.conf"
    configuration.write_text(
        _NGINX_CONFIGURATION.format(directory=directory, pair=keys.pair, ca=keys.ca, host=HOST, port=port)
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
        yield Contender("nginx", process.pid, port, request.encode())
    finally:
        process.terminate()
        process.wait()


def ask(contender: Contender, context: ssl.SSLContext) -> None:
    """One request on a connection of its own, closed without close_notify as real clients do."""
    with socket.create_connection((HOST, contender.port), timeout=30) as tcp:
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(tcp) as tls:
            tls.sendall(contender.request)
            with tls.makefile("rb") as reader:
                status = reader.readline()
                length = 0
                while (line := reader.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                body = reader.read(length)
    if b" 200 " not in status or body != BODY:
        raise SystemExit(f"{contender.name} answers {status!r} and {len(body)} bytes")


def cost(contender: Contender, requests: int, at_once: int) -> float:
    """Processor time of the server for each of a number of requests, in seconds."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    meter = Meter(contender.pid)
    before = meter.cpu_seconds()
    with ThreadPoolExecutor(at_once) as executor:
        for done in [executor.submit(ask, contender, context) for _ in range(requests)]:
            done.result()
    return (meter.cpu_seconds() - before) / requests


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
            keys = Keys.make(directory, key_type)
            ours = stack.enter_context(geventcore(directory / "ours", keys))
            theirs = stack.enter_context(nginx(directory / "nginx", keys))
            for contender in (ours, theirs):
                cost(contender, 200, options.at_once)
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
