"""A web server for package sources in tests, which can also fail, stall, cut off and demand a login or certificate."""

from __future__ import annotations

import base64
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: More than a client waits for.
STALL_SECONDS = 60.0


class PackageServer:
    """A server for the files below a directory.

    Attributes:
        root: the directory.
        faults: end of a path -> ``stall``, ``truncate``, ``503``, or ``404``.
        requests: the path and headers of each request so far.
        answers: the status of each answer so far.
        login: ``user:password`` that callers must give; none if empty.
        on_request: called with each path before it is answered.
    """

    def __init__(self, root: Path, context: ssl.SSLContext | None = None) -> None:
        self.root = root
        self.faults: dict[str, str] = {}
        self.requests: list[tuple[str, Mapping[str, str]]] = []
        self.answers: list[tuple[str, int]] = []
        self.login = ""
        self.on_request = lambda _path: None
        self.released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.scheme = "https" if context is not None else "http"
        self.port = self._server.server_address[1]

    @property
    def url(self) -> str:
        """The address of the root, with a slash at the end."""
        return f"{self.scheme}://localhost:{self.port}/"

    def fetched(self, ending: str) -> int:
        """How often a file has been transferred."""
        return sum(path.endswith(ending) and status == 200 for path, status in self.answers)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = unquote(urlsplit(handler.path).path)
        self.requests.append((handler.path, dict(handler.headers)))
        self.on_request(path)
        fault = next((fault for ending, fault in self.faults.items() if path.endswith(ending)), "")
        file = self.root / path.lstrip("/")
        wanted = f"Basic {base64.b64encode(self.login.encode()).decode()}"
        if self.login and handler.headers.get("Authorization") != wanted:
            self._send(handler, 401, b"")
        elif fault.isdecimal():
            self._send(handler, int(fault), b"")
        elif fault == "stall":
            self.released.wait(STALL_SECONDS)
            handler.close_connection = True
        elif not file.is_file():
            self._send(handler, 404, b"")
        else:
            changed = formatdate(file.stat().st_mtime, usegmt=True)
            tag = f'"{file.stat().st_mtime_ns:x}"'
            if handler.headers.get("If-None-Match") == tag:
                self._send(handler, 304, b"")
                return
            content = file.read_bytes()
            headers = {"ETag": tag, "Last-Modified": changed}
            if fault == "truncate":
                handler.close_connection = True
                self._send(handler, 200, content[: len(content) // 2], headers, len(content))
            else:
                self._send(handler, 200, content, headers)

    def _send(
        self,
        handler: BaseHTTPRequestHandler,
        status: int,
        content: bytes,
        headers: Mapping[str, str] | None = None,
        length: int | None = None,
    ) -> None:
        self.answers.append((handler.path, status))
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content) if length is None else length))
        handler.end_headers()
        handler.wfile.write(content)

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def package_server(root: Path, context: ssl.SSLContext | None = None) -> Iterator[PackageServer]:
    """A server that runs in the block."""
    server = PackageServer(root, context)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def wait_until(condition: object, what: str, seconds: float = 30.0) -> None:
    """Return when a condition holds; an AssertionError at the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)
