"""What a few misbehaving connections do to everybody else.

    python -m contrib.bench.disturbance geventcore-gevent geventcore-builtin bcfg2-builtin

Fifty clients call a server at a steady rate that leaves it mostly idle, each call over a new TLS connection. Phases
without and with disturbance take turns. A disturbance is a connection that says nothing, one that stops in the middle
of the TLS handshake, or one that sends a byte of a request each second; with ``--each N`` there are N of each kind.
With ``--floods N`` there are N programs beside them that begin one TLS handshake after the other, and break each off
when the server has computed its part.

The table tells the latency of the fifty clients' calls, handshake included, without and with the disturbance. Times are
in milliseconds. Everything runs on this machine's loopback addresses.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contrib.bench.servers import SERVERS
from geventcore.fleet.calls import Caller, CallFailed, CallPolicy
from geventcore.fleet.connection import Target, client_context
from geventcore.wire.basicauth import format_authorization
from tests.peers.certificates import CertificateFiles
from tests.peers.environment import PeerError
from tests.peers.sites import ServerSite
from tests.repositories.generate import GeneratedClient, Shape, generate

PASSWORD = "benchmark"
HOST = "127.0.0.1"
#: As a client's: long enough to see how long a stall lasts.
POLICY = CallPolicy(attempts=1, timeout_seconds=90.0)


@dataclass
class Latencies:
    """Of calls, in seconds."""

    answered: list[float] = field(default_factory=list)
    failed: int = 0

    def milliseconds(self, fraction: float) -> float:
        """A percentile."""
        ordered = sorted(self.answered)
        return ordered[min(len(ordered) - 1, int(len(ordered) * fraction))] * 1000 if ordered else float("nan")


def hello(context: ssl.SSLContext) -> bytes:
    """What a client sends to begin a TLS handshake."""
    outgoing = ssl.MemoryBIO()
    machine = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=HOST)
    with contextlib.suppress(ssl.SSLWantReadError):
        machine.do_handshake()
    return outgoing.read()


async def flood(port: int, context: ssl.SSLContext) -> None:
    """Begin handshakes, and do not go on with them once the server has computed its part."""
    loop = asyncio.get_running_loop()
    first_words = hello(context)
    while True:
        with contextlib.suppress(OSError), await connect(port) as sock:
            await loop.sock_sendall(sock, first_words)
            await loop.sock_recv(sock, 65536)


async def connect(port: int) -> socket.socket:
    """A TCP connection and nothing more."""
    sock = socket.socket()
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, (HOST, port))
    except BaseException:
        sock.close()
        raise
    return sock


async def trickle(port: int, context: ssl.SSLContext) -> None:
    """Send a request, a byte each second."""
    writer = None
    try:
        _, writer = await asyncio.open_connection(HOST, port, ssl=context, server_hostname=HOST)
        for byte in b"POST /RPC2 HTTP/1.1\r\nHost: server\r\nUser-Agent: slow\r\n" * 10:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(1)
    except (OSError, ssl.SSLError):
        # The server may have had enough of it.
        return
    finally:
        if writer is not None:
            writer.transport.abort()


@contextlib.asynccontextmanager
async def disturbance(port: int, context: ssl.SSLContext, each: int, floods: int) -> AsyncIterator[None]:
    """Misbehaving connections, for the duration of the block."""
    loop = asyncio.get_running_loop()
    silent = [await connect(port) for _ in range(2 * each)]
    for sock in silent[:each]:
        first_words = hello(context)
        await loop.sock_sendall(sock, first_words[: len(first_words) // 2])
    slow = [asyncio.create_task(trickle(port, context)) for _ in range(each)]
    slow += [asyncio.create_task(flood(port, context)) for _ in range(floods)]
    try:
        yield
    finally:
        for sock in silent:
            sock.close()
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)


async def call_steadily(caller: Caller, start: float, interval: float, seconds: float, latencies: Latencies) -> None:
    """Call once each `interval`, whether or not the last call was slow."""
    loop = asyncio.get_running_loop()
    calls = []
    begin = loop.time()
    for number in range(int(seconds / interval)):
        await asyncio.sleep(max(0.0, begin + start + number * interval - loop.time()))
        calls.append(asyncio.create_task(_timed_call(caller, latencies)))
    await asyncio.gather(*calls)


async def _timed_call(caller: Caller, latencies: Latencies) -> None:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    try:
        await caller.call("GetProbes")
    except CallFailed:
        latencies.failed += 1
    else:
        latencies.answered.append(loop.time() - begin)


async def phase(
    site: ServerSite, clients: Sequence[GeneratedClient], options: argparse.Namespace, disturb: bool, into: Latencies
) -> None:
    """One phase of the measurement."""
    target = Target(HOST, site.port)
    context = client_context(site.ca)
    interval = len(clients) / options.rate
    async with contextlib.AsyncExitStack() as stack:
        if disturb:
            await stack.enter_async_context(
                disturbance(site.port, client_context(site.ca), options.each, options.floods)
            )
        callers = [
            Caller(target, target.resolve(), context, format_authorization(client.name, PASSWORD), POLICY)
            for client in clients
        ]
        await asyncio.gather(
            *(
                call_steadily(caller, number * interval / len(clients), interval, options.seconds, into)
                for number, caller in enumerate(callers)
            )
        )


def measure(name: str, directory: Path, options: argparse.Namespace) -> tuple[Latencies, Latencies]:
    """The latencies of one server without and with disturbance."""
    repository = directory / "repository"
    clients = generate(repository, Shape(clients=options.clients, entries=40))
    authority = CertificateFiles(directory / "certificates")
    site = ServerSite(directory / "server", repository, authority.server(), authority.ca, PASSWORD)
    quiet, disturbed = Latencies(), Latencies()
    running = SERVERS[name]().start(site)
    try:
        asyncio.run(phase(site, clients, options, disturb=False, into=Latencies()))
        for number in range(options.rounds):
            print(f"{name}: round {number + 1}", file=sys.stderr, flush=True)
            asyncio.run(phase(site, clients, options, disturb=False, into=quiet))
            asyncio.run(phase(site, clients, options, disturb=True, into=disturbed))
    finally:
        running.stop(patience=2.0)
    return quiet, disturbed


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line for each server."""
    parser = argparse.ArgumentParser(
        prog="python -m contrib.bench.disturbance", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("servers", nargs="+", choices=sorted(SERVERS), metavar="server", help=", ".join(SERVERS))
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--rate", type=float, default=50.0, help="calls per second, of all clients together")
    parser.add_argument("--each", type=int, default=1, help="how many misbehaving connections of each kind")
    parser.add_argument("--floods", type=int, default=0, help="programs that begin handshakes all the time")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of a phase")
    parser.add_argument("--rounds", type=int, default=2, help="phases of each kind")
    options = parser.parse_args(arguments)
    print("server                         calls  failed  p50 quiet  p50 with  p99 quiet  p99 with   max with")
    for name in options.servers:
        with tempfile.TemporaryDirectory(prefix="bench-") as directory:
            try:
                quiet, disturbed = measure(name, Path(directory), options)
            except PeerError as err:
                print(f"{name}: {err}", file=sys.stderr)
                return 1
        print(
            f"{name:30} {len(disturbed.answered):5d} {disturbed.failed:7d}"
            f" {quiet.milliseconds(0.5):10.1f} {disturbed.milliseconds(0.5):9.1f}"
            f" {quiet.milliseconds(0.99):10.1f} {disturbed.milliseconds(0.99):9.1f}"
            f" {disturbed.milliseconds(1.0):10.1f}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
