"""A TLS XML-RPC server that answers as a test says and remembers who asked for what.

It is made of the standard library, so that it shares no mistake with the code that talks to it.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import socketserver
import ssl
import threading
import xmlrpc.client
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from geventcore.tls.authority import Authority

CONFIGURATION = (
    '<Configuration version="2.0" revision="7"><Bundle name="b">'
    '<Path name="/etc/motd" type="file" owner="root" group="root" mode="644">hello</Path>'
    '<Package name="rsync" version="any" type="deb"/></Bundle></Configuration>'
)
PROBES = '<probes><probe name="os" source="Probes" interpreter="/bin/sh">echo group:debian</probe></probes>'

#: What a friendly server answers.
FRIENDLY: Mapping[str, Any] = {
    "AssertProfile": True,
    "DeclareVersion": True,
    "GetProbes": PROBES,
    "RecvProbeData": True,
    "GetDecisionList": [["Path", "/etc/*"]],
    "GetConfig": CONFIGURATION,
    "RecvStats": True,
}


@dataclass(frozen=True)
class Status:
    """Answer with this HTTP status."""

    code: int


@dataclass(frozen=True)
class Raw:
    """Answer with these bytes, and close."""

    data: bytes


class Hang:
    """Do not answer until the server is stopped."""


@dataclass(frozen=True)
class Received:
    """One call, as it arrived; `certificate` is the common name of the client's."""

    method: str
    params: tuple[Any, ...]
    user: str
    password: str
    address: str
    certificate: str | None
    resumed: bool
    headers: Mapping[str, str]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _TCPServer

    def do_POST(self) -> None:
        stub = self.server.stub
        body = self.rfile.read(int(self.headers["Content-Length"]))
        params, method = xmlrpc.client.loads(body)
        user, _, password = base64.b64decode(self.headers["Authorization"].split()[1]).decode().partition(":")
        peer = self.connection.getpeercert() or {}
        names = [value for part in peer.get("subject", ()) for key, value in part if key == "commonName"]
        received = Received(
            method,
            params,
            user,
            password,
            self.client_address[0],
            names[0] if names else None,
            self.connection.session_reused,
            dict(self.headers),
        )
        answer = stub.take(received)
        self.close_connection = True
        if isinstance(answer, Hang):
            stub.stopping.wait()
        elif isinstance(answer, Raw):
            self.wfile.write(answer.data)
        elif isinstance(answer, Status):
            self.send_response(answer.code)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            if not isinstance(answer, xmlrpc.client.Fault):
                answer = (answer,)
            text = xmlrpc.client.dumps(answer, methodresponse=True).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    def log_message(self, *_args: Any) -> None:
        """Tests read `StubServer.received`."""


class _TCPServer(socketserver.ThreadingTCPServer):
    request_queue_size = 256
    stub: StubServer

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(OSError):
            request.settimeout(30)
            with self.stub.context.wrap_socket(request, server_side=True) as wrapped:
                self.finish_request(wrapped, client_address)
        self.shutdown_request(request)


class StubServer:
    """The server, from the beginning to the end of a ``with`` block.

    Attributes:
        authority: has issued the server's certificate; the server trusts the clients that it has issued others for.
        ca: the file with the authority's certificate.
        port: on 127.0.0.1.
        answers: method -> what is answered: a value, a `Fault`, a `Status`, a `Raw`, a `Hang`, a list of those for
            one call after another, or a function of the `Received`.
        received: the calls, in the order of their arrival.
    """

    def __init__(self, directory: Path, **answers: Any) -> None:
        self.answers: dict[str, Any] = {**FRIENDLY, **answers}
        self.received: list[Received] = []
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self.authority = Authority.create("Test CA")
        issued = self.authority.issue("localhost", dns_names=["localhost"], ip_addresses=["127.0.0.1"], server=True)
        self.ca = directory / "ca.crt"
        self.ca.write_bytes(self.authority.certificate_pem)
        certificate, key = directory / "stub.crt", directory / "stub.key"
        certificate.write_bytes(issued.certificate_pem)
        key.write_bytes(issued.key_pem)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.context.load_verify_locations(self.ca)
        self.context.verify_mode = ssl.CERT_OPTIONAL

    def take(self, received: Received) -> Any:
        """Remember a call and decide on its answer."""
        with self._lock:
            self.received.append(received)
            answer = self.answers[received.method]
            if isinstance(answer, list) and received.method != "GetDecisionList":
                answer = answer.pop(0)
        return answer(received) if isinstance(answer, Callable) else answer  # type: ignore[arg-type]

    @property
    def methods(self) -> list[str]:
        """The methods that were called, in order."""
        return [call.method for call in self.received]

    def __enter__(self) -> StubServer:
        self._server = _TCPServer(("127.0.0.1", 0), _Handler)
        self._server.stub = self
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def unused_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
