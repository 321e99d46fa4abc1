"""One TLS connection, for one exchange: connect, shake hands, send, receive, close.

A real client opens a new connection for every call, never resumes a session, sends no server name, checks the server's
certificate only if it has a CA, and closes without saying goodbye; so does this one. Its timeout holds for each single
operation, as that of a blocking socket does.

The connection is a non-blocking `ssl.SSLSocket` that waits through the event loop. asyncio's own streams give the same
and cost about a quarter more CPU per exchange, which the clients would take from the server that they share a machine
with.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from geventcore.errors import ConfigError, TLSError

T = TypeVar("T")

RECEIVE_BYTES = 65536


@dataclass(frozen=True)
class Target:
    """A server: where to connect to, and what to ask there.

    Attributes:
        host, port: a name or an address, IPv6 without brackets.
        path: the request's target.
    """

    host: str
    port: int
    path: str = "/RPC2"

    @property
    def authority(self) -> str:
        """``host:port`` as the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def resolve(self) -> list[Address]:
        """The host's addresses, best first; `ConfigError` if there is none."""
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as err:
            raise ConfigError(f"the server's name {self.host!r} cannot be resolved: {err}") from err
        return [Address(family, sockaddr) for family, _, _, _, sockaddr in found]


@dataclass(frozen=True)
class Address:
    """A resolved address, as `socket.connect` takes it."""

    family: int
    sockaddr: tuple[Any, ...]


def client_context(ca: Path | None, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """What a client with these files makes of TLS; `TLSError` if one of them is of no use."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    try:
        if ca is None:
            context.verify_mode = ssl.CERT_NONE
        else:
            context.load_verify_locations(ca)
    except OSError as err:
        raise TLSError(f"{ca}: no usable CA certificates: {err}") from err
    try:
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except OSError as err:
        raise TLSError(f"{certificate}: no usable certificate with its key: {err}") from err
    return context


class Connection:
    """A connection after its handshake. `OSError` (with it `TimeoutError` and `ssl.SSLError`) says what went wrong."""

    def __init__(self, tls_socket: ssl.SSLSocket, timeout_seconds: float) -> None:
        self._socket = tls_socket
        self._timeout_seconds = timeout_seconds

    @classmethod
    async def open(
        cls,
        addresses: Sequence[Address],
        context: ssl.SSLContext,
        timeout_seconds: float,
        source_address: str | None = None,
    ) -> Connection:
        """Connect to the first address that lets us, and shake hands.

        `source_address` is the local address to call from, if not any.
        """
        plain = await _connect_to_any(addresses, timeout_seconds, source_address)
        # The socket goes with the wrapper: if this fails, both are closed.
        connection = cls(context.wrap_socket(plain, do_handshake_on_connect=False), timeout_seconds)
        try:
            await connection._retry(connection._socket.do_handshake, "in the TLS handshake")
        except BaseException:
            connection.close()
            raise
        return connection

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        rest = memoryview(data)
        while rest:
            rest = rest[await self._retry(partial(self._socket.send, rest), "while sending the request") :]

    async def receive(self) -> bytes:
        """The next bytes; none if the server has closed."""
        return await self._retry(partial(self._socket.recv, RECEIVE_BYTES), "while waiting for the answer")

    def close(self) -> None:
        """Close at once, without close_notify."""
        self._socket.close()

    async def _retry(self, operation: Callable[[], T], doing: str) -> T:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_seconds
        while True:
            try:
                return operation()
            except ssl.SSLWantReadError:
                await _wait(self._socket, loop.add_reader, loop.remove_reader, deadline, doing)
            except ssl.SSLWantWriteError:
                await _wait(self._socket, loop.add_writer, loop.remove_writer, deadline, doing)


async def _connect_to_any(
    addresses: Sequence[Address], timeout_seconds: float, source_address: str | None
) -> socket.socket:
    refusal: OSError | None = None
    for address in addresses:
        plain = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            plain.setblocking(False)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if source_address is not None:
                plain.bind((source_address, 0))
            await _connect(plain, address, timeout_seconds)
        except OSError as err:
            plain.close()
            refusal = err
        except BaseException:
            plain.close()
            raise
        else:
            return plain
    assert refusal is not None, "a target has at least one address"
    raise refusal


async def _connect(plain: socket.socket, address: Address, timeout_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    code = plain.connect_ex(address.sockaddr)
    if code == errno.EINPROGRESS:
        deadline = loop.time() + timeout_seconds
        await _wait(plain, loop.add_writer, loop.remove_writer, deadline, "while connecting")
        code = plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, f"cannot connect: {os.strerror(code)}")


async def _wait(
    waiting: socket.socket,
    add: Callable[[int, Callable[[], None]], object],
    remove: Callable[[int], object],
    deadline: float,
    doing: str,
) -> None:
    """Wait until the socket is ready; `TimeoutError` at the deadline (the loop's time)."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[bool] = loop.create_future()

    def settle(value: bool) -> None:
        if not ready.done():
            ready.set_result(value)

    timer = loop.call_at(deadline, settle, False)
    descriptor = waiting.fileno()
    add(descriptor, lambda: settle(True))
    try:
        if not await ready:
            raise TimeoutError(f"timed out {doing}")
    finally:
        remove(descriptor)
        timer.cancel()
