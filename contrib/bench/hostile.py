"""What thousands of misbehaving connections take away from everybody else.

    python -m contrib.bench.hostile

Well-behaved clients call a server as fast as they get answers, each call over a new TLS connection. Phases without and
with misbehaving connections take turns. Of these there are three kinds, of each as many as `--each` says, and who is
cut off comes back. A phase begins when the server has answered what they asked for when they came:

silent       they connect and say nothing
trickling    after the handshake they send a byte of a request each second
unread       they ask for a configuration, and never read it

How many calls the server answers in a second of its own processor time depends less than other numbers on what else the
machine does, but those who misbehave need a processor, too, and where two share their units each is slower then. What
the server uses while only they are there does not depend on that. Everything runs on this machine's loopback addresses.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import resource
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

from contrib.bench.meter import Meter
from geventcore.fleet.calls import Caller, CallFailed, CallPolicy
from geventcore.fleet.connection import Target, client_context
from geventcore.wire.basicauth import format_authorization
from tests.peers.certificates import CertificateFiles
from tests.peers.server import GeventcoreServer
from tests.peers.sites import ServerSite
from tests.repositories.generate import GeneratedClient, Shape, generate

PASSWORD = "benchmark"
HOST = "127.0.0.1"
#: How many misbehaving connections are opened at once.
OPENING = 50
KINDS = ("silent", "trickling", "unread")


@dataclass(frozen=True)
class Attack:
    """What the misbehaving process needs to know."""

    port: int
    ca: Path
    each: int
    kinds: Sequence[str]
    authorization: str


#: How long the server may take for that, in seconds.
SETTLE_SECONDS = 30.0


class Attacker:
    """Keeps misbehaving connections open."""

    def __init__(self, attack: Attack) -> None:
        self._attack = attack
        self._context = client_context(attack.ca)
        self._opening = asyncio.Semaphore(OPENING)
        self._begun: asyncio.Queue[None] = asyncio.Queue()

    async def run(self, begun: Callable[[], None]) -> None:
        """Do it until cancelled; `begun` is called when all connections have been opened once."""
        kinds: dict[str, Callable[[], Awaitable[None]]] = {
            "silent": self._silent,
            "trickling": self._trickle,
            "unread": self._leave_unread,
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


def _attack(attack: Attack, begun: Connection) -> None:
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


async def call_for(seconds: float, callers: Sequence[Caller], method: str) -> tuple[int, int]:
    """Call as fast as there are answers; how many calls were answered, and how many failed."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    answered = failed = 0

    async def go_on_calling(caller: Caller) -> None:
        nonlocal answered, failed
        while loop.time() < end:
            try:
                await caller.call(method)
                answered += 1
            except CallFailed:
                failed += 1

    await asyncio.gather(*map(go_on_calling, callers))
    return answered, failed


@dataclass(frozen=True)
class Phase:
    """What came of one phase.

    Attributes:
        answered, failed: numbers of calls.
        cpu_seconds: what the server has used.
    """

    answered: int
    failed: int
    cpu_seconds: float

    @property
    def goodput(self) -> float:
        """Answered calls for each second of the server's processor time."""
        return self.answered / self.cpu_seconds


def measure(directory: Path, options: argparse.Namespace) -> tuple[list[Phase], list[Phase], float, int]:
    """The phases without and with misbehaving connections; what part of a processor these alone take; and the most
    memory that the server took, in bytes."""
    repository = directory / "repository"
    clients = generate(repository, Shape(clients=options.clients + 1, entries=options.entries))
    authority = CertificateFiles(directory / "certificates")
    overrides = {"gevent": {"workers": str(options.workers)}}
    site = ServerSite(directory / "server", repository, authority.server(), authority.ca, PASSWORD, overrides=overrides)
    quiet: list[Phase] = []
    disturbed: list[Phase] = []
    alone: list[float] = []
    running = GeventcoreServer().start(site)
    try:
        with Meter(running.pid) as meter:
            attack = Attack(
                site.port, site.ca, options.each, options.kinds, format_authorization(clients[-1].name, PASSWORD)
            )
            phase(site, clients[:-1], options, meter)
            for number in range(options.rounds):
                quiet.append(phase(site, clients[:-1], options, meter))
                with attackers(attack):
                    settle(meter)
                    before = meter.cpu_seconds()
                    time.sleep(options.seconds)
                    alone.append((meter.cpu_seconds() - before) / options.seconds)
                    disturbed.append(phase(site, clients[:-1], options, meter))
                print(
                    f"round {number + 1}: {quiet[-1].goodput:.1f} and {disturbed[-1].goodput:.1f} calls per CPU second",
                    file=sys.stderr,
                )
        return quiet, disturbed, median(alone), meter.peak.pss_bytes
    finally:
        running.stop(patience=2.0)


def settle(meter: Meter) -> None:
    """Wait until the server has done what the connections have asked for: that much anybody may ask."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        before = meter.cpu_seconds()
        time.sleep(0.5)
        if meter.cpu_seconds() - before < 0.1:
            return


def phase(site: ServerSite, clients: Sequence[GeneratedClient], options: argparse.Namespace, meter: Meter) -> Phase:
    """One phase."""
    target = Target(HOST, site.port)
    context, policy = client_context(site.ca), CallPolicy(attempts=1)
    callers = [
        Caller(target, target.resolve(), context, format_authorization(client.name, PASSWORD), policy)
        for client in clients
    ]
    before = meter.cpu_seconds()
    answered, failed = asyncio.run(call_for(options.seconds, callers, options.method))
    return Phase(answered, failed, meter.cpu_seconds() - before)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was measured."""
    parser = argparse.ArgumentParser(prog="python -m contrib.bench.hostile", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clients", type=int, default=20, help="well-behaved ones")
    parser.add_argument("--entries", type=int, default=100, help="of a client's configuration")
    parser.add_argument("--method", default="GetConfig", help="what they call")
    parser.add_argument("--each", type=int, default=667, help="misbehaving connections of each kind")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--workers", type=int, default=1, help="processes of the server")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a phase")
    parser.add_argument("--rounds", type=int, default=3, help="phases with and without them")
    options = parser.parse_args(arguments)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        quiet, disturbed, alone, memory = measure(Path(directory), options)
    ratio = median(phase.goodput for phase in disturbed) / median(phase.goodput for phase in quiet)
    for name, phases in (("quiet", quiet), ("disturbed", disturbed)):
        print(
            f"{name:10} {sum(phase.answered for phase in phases):6d} answered "
            f"{sum(phase.failed for phase in phases):4d} failed "
            f"{median(phase.goodput for phase in phases):8.1f} calls per CPU second"
        )
    print(f"{len(options.kinds) * options.each} misbehaving connections leave {100 * ratio:.1f} %; {memory >> 20} MB")
    print(f"without anybody else they take {100 * alone:.1f} % of a processor")
    return 0


if __name__ == "__main__":
    sys.exit(main())
