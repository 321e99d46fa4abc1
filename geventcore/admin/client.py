"""A client of the admin listener, for ``geventcore status`` and for tests."""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass

from geventcore.options.listen_address import ListenAddress


@dataclass(frozen=True)
class Reply:
    """The response of the admin listener."""

    status: int
    content_type: str
    text: str


class _Connection(http.client.HTTPConnection):
    """HTTP over a UNIX socket or TCP."""

    def __init__(self, address: ListenAddress, timeout: float) -> None:
        super().__init__("localhost" if address.path is not None else address.host, address.port, timeout)
        self._path = address.path

    def connect(self) -> None:
        if self._path is None:
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(address: ListenAddress, path: str, *, accept: str = "*/*", timeout: float = 10.0) -> Reply:
    """Send a GET request and return the response; `OSError` or `http.client.HTTPException` if there is none."""
    connection = _Connection(address, timeout)
    try:
        connection.request("GET", path, headers={"Accept": accept})
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        return Reply(response.status, response.headers.get("Content-Type", ""), text)
    finally:
        connection.close()
