"""Misbehaving connections, from a process of their own. Who is cut off comes back. Kinds:

silent       they connect and say nothing
half         they stop in the middle of the TLS handshake
trickling    after the handshake they send a byte of a request each second
unread       they ask for a configuration, and never read it
flood        they begin one TLS handshake after the other, and break each off when the server has computed its part
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import resource
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from geventcore.simulation.test_bed import HOST

#: How many connections are opened at once.
OPENING = 50


@dataclass(frozen=True)
class Attack:
    """The connections to open.

    Attributes:
        each: number of each kind.
        authorization: of a client, for the Authorization header.
    """

    port: int
    ca: Path
    each: int
    kinds: Sequence[str]
    authorization: str


class Attacker:
    """Keeps misbehaving connections open."""

    def __init__(self, attack: Attack) -> None:
        self._attack = attack
        self._context = ssl.create_default_context(cafile=str(attack.ca))
        self._context.check_hostname = False
        self._opening = asyncio.Semaphore(OPENING)
        self._begun: asyncio.Queue[None] = asyncio.Queue()

    async def run(self, begun: Callable[[], None]) -> None:
        """Do it until cancelled; `begun` is called when all connections have been opened once."""
        kinds: dict[str, Callable[[], Awaitable[None]]] = {
            "silent": self._silent,
            "half": self._stop_in_handshake,
            "trickling": self._trickle,
            "unread": self._leave_unread,
            "flood": self._flood,
        }
        count = self._attack.each * len(self._attack.kinds)
        tasks = [
            asyncio.create_task(self._for_ever(kinds[kind]))
            for kind in self._attack.kinds
            for _ in range(self._attack.each)
        ]
        for _ in range(count):
            await self._begun.get()
        begun()
        await asyncio.gather(*tasks)

    async def _for_ever(self, misbehave: Callable[[], Awaitable[None]]) -> None:
        while True:
            with contextlib.suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError):
                await misbehave()
            await asyncio.sleep(1)

    async def _open(self, **options: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with self._opening:
            sock = socket.socket()
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.setblocking(False)
                await asyncio.get_running_loop().sock_connect(sock, (HOST, self._attack.port))
                return await asyncio.open_connection(sock=sock, **options)  # type: ignore[arg-type]
            except BaseException:
                sock.close()
                raise
            finally:
                self._begun.put_nowait(None)

    async def _silent(self) -> None:
        reader, writer = await self._open()
        with contextlib.closing(writer):
            await reader.read()

    async def _stop_in_handshake(self) -> None:
        first_words = _hello(self._context)
        reader, writer = await self._open()
        with contextlib.closing(writer):
            writer.write(first_words[: len(first_words) // 2])
            await reader.read()

    async def _flood(self) -> None:
        """Begin handshakes, and break each off once the server has computed its part."""
        loop = asyncio.get_running_loop()
        first_words = _hello(self._context)
        self._begun.put_nowait(None)
        while True:
            with contextlib.suppress(OSError), socket.socket() as sock:
                sock.setblocking(False)
                await loop.sock_connect(sock, (HOST, self._attack.port))
                await loop.sock_sendall(sock, first_words)
                await loop.sock_recv(sock, 65536)

    async def _trickle(self) -> None:
        _, writer = await self._open(ssl=self._context, server_hostname=HOST)
        try:
            for byte in b"POST /RPC2 HTTP/1.1\r\nHost: server\r\nUser-Agent: slow\r\n" * 10:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(1)
        finally:
            writer.transport.abort()

    async def _leave_unread(self) -> None:
        _, writer = await self._open(ssl=self._context, server_hostname=HOST, limit=1024)
        try:
            body = b"<methodCall><methodName>GetConfig</methodName></methodCall>"
            head = f"POST / HTTP/1.1\r\nHost: server\r\nAuthorization: {self._attack.authorization}\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            await asyncio.sleep(100)
        finally:
            writer.transport.abort()


def _hello(context: ssl.SSLContext) -> bytes:
    """Return the bytes that begin a TLS handshake."""
    outgoing = ssl.MemoryBIO()
    machine = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=HOST)
    with contextlib.suppress(ssl.SSLWantReadError):
        machine.do_handshake()
    return outgoing.read()


def _attack(attack: Attack, begun: Connection) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(Attacker(attack).run(lambda: begun.send(None)))


@contextlib.contextmanager
def attackers(attack: Attack) -> Iterator[None]:
    """A process that misbehaves, for the duration of the block."""
    context = multiprocessing.get_context("spawn")
    begun, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_attack, args=(attack, theirs), daemon=True)
    process.start()
    try:
        if not begun.poll(60):
            raise SystemExit("the misbehaving connections could not be opened within 60 s")
        yield
    finally:
        process.kill()
        process.join()
