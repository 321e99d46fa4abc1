"""Both ends of TLS for the tests: a site's files, and real clients (the standard library's ssl) on a thread."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from geventcore.tls.authority import Authority, IssuedCertificate
from geventcore.tls.context import ServerContext, TLSFiles, build_server_context
from geventcore.tls.stream import TLSStream
from geventcore.tls.waiter import SelectWaiter, Waiter

#: Far more than anything here takes; what waits longer hangs.
PATIENCE_SECONDS = 20.0


def soon() -> float:
    return monotonic() + PATIENCE_SECONDS


@dataclass
class Site:
    """An authority, a server certificate for ``localhost`` and whatever else a test writes into the directory."""

    directory: Path
    authority: Authority = field(default_factory=lambda: Authority.create("Site CA"))

    def __post_init__(self) -> None:
        self.ca = self.write("ca.pem", self.authority.certificate_pem)
        self.certificate, self.key = self.write_pair("server", self.authority.issue("localhost"))

    def write(self, name: str, content: bytes) -> Path:
        path = self.directory / name
        path.write_bytes(content)
        return path

    def write_pair(self, name: str, issued: IssuedCertificate) -> tuple[Path, Path]:
        return self.write(f"{name}.pem", issued.certificate_pem), self.write(f"{name}.key", issued.key_pem)

    def files(self, *, ca: bool = True, crl: Path | None = None) -> TLSFiles:
        return TLSFiles(self.certificate, self.key, self.ca if ca else None, crl)

    def context(self, *, ca: bool = True, crl: Path | None = None, session_tickets: bool = True) -> ServerContext:
        return build_server_context(self.files(ca=ca, crl=crl), session_tickets=session_tickets)

    def client(self, issued: IssuedCertificate | None = None) -> ssl.SSLContext:
        """A client that trusts the site's authority and may have a certificate."""
        return trusting(self.authority, self.directory, issued)


def trusting(authority: Authority, directory: Path, issued: IssuedCertificate | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.certificate_pem.decode("ascii"))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if issued is not None:
        pair = directory / "client-with-key.pem"
        pair.write_bytes(issued.certificate_pem + issued.key_pem)
        context.load_cert_chain(pair)
        pair.unlink()
    return context


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a TCP connection over loopback: server's and client's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=PATIENCE_SECONDS)
        server, _ = listener.accept()
    return server, client


def talk(sock: ssl.SSLSocket) -> bytes:
    """One request, and all of its answer until the server ends the stream."""
    sock.sendall(b"request")
    return read_to_end(sock)


def read_to_end(sock: socket.socket) -> bytes:
    received = []
    while data := sock.recv(65536):
        received.append(data)
    return b"".join(received)


@contextmanager
def tls_client(
    sock: socket.socket,
    context: ssl.SSLContext,
    script: Callable[[ssl.SSLSocket], Any] = talk,
    session: ssl.SSLSession | None = None,
) -> Iterator[Future[Any]]:
    """Run a client on a thread: handshake, then `script`. Its result or exception is in the future."""

    def run() -> Any:
        sock.settimeout(PATIENCE_SECONDS)
        with context.wrap_socket(sock, server_hostname="localhost", session=session) as wrapped:
            return script(wrapped)

    with sock, ThreadPoolExecutor(1) as executor:
        yield executor.submit(run)


@contextmanager
def stream_to(
    context: ServerContext,
    client_context: ssl.SSLContext,
    script: Callable[[ssl.SSLSocket], Any] = talk,
    *,
    waiter: Waiter | None = None,
    session: ssl.SSLSession | None = None,
) -> Iterator[tuple[TLSStream, Future[Any]]]:
    """A stream, handshake still to do, to a client that runs on a thread. Closed in the end."""
    server_end, client_end = tcp_pair()
    stream = TLSStream(context, server_end, waiter or SelectWaiter())
    with tls_client(client_end, client_context, script, session) as client:
        try:
            yield stream, client
        finally:
            stream.close()


def serve(stream: TLSStream, answer: bytes = b"answer") -> bytes:
    """The whole life of a connection with one request, whose body is returned."""
    stream.handshake(soon())
    request = stream.receive(65536, soon())
    stream.send_all(answer, soon())
    stream.shutdown(soon())
    stream.close()
    return request
