"""Asking the admin listener of a server: for ``geventcore status``, and for tests."""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass

from geventcore.core.admin_options import AdminAddress


@dataclass(frozen=True)
class Reply:
    """What was answered."""

    status: int
    content_type: str
    text: str


class _Connection(http.client.HTTPConnection):
    """HTTP over whatever an address stands for."""

    def __init__(self, address: AdminAddress, timeout: float) -> None:
        super().__init__("localhost" if address.path is not None else address.host, address.port, timeout)
        self._path = address.path

    def connect(self) -> None:
        if self._path is None:
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(address: AdminAddress, path: str, *, accept: str = "*/*", timeout: float = 10.0) -> Reply:
    """What the listener answers to a GET; `OSError` or `http.client.HTTPException` if it does not."""
    connection = _Connection(address, timeout)
    try:
        connection.request("GET", path, headers={"Accept": accept})
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        return Reply(response.status, response.headers.get("Content-Type", ""), text)
    finally:
        connection.close()
