"""Play many Bcfg2 clients against one server, and time what they see.

    python -m contrib.bench.load --url https://127.0.0.1:6789 --ca ca.crt --password secret --repository DIR \\
        --concurrency 64 --seconds 20

Every run makes the five calls of a 1.3.4 client, in its order, each on a new TCP and TLS connection without session
resumption. A call that fails is tried three times, one second apart, and gives up on a peer that is silent for 90
seconds. Giving up on DeclareVersion goes on, giving up on anything else fails the run. Where clients differ from the
original, it is to see the server's work and not their own: head and body leave together, TCP_NODELAY is on, the
server's certificate is checked once only, and entries are uploaded as good without being looked at.

Clients come from a repository written by `tests.repositories.generate`: each connects from its own loopback address as
`root`. A fixed number of runs is under way all the time: one that ends makes room for the next. Runs unfinished when
the time is over are cut, which is neither success nor failure. One process and one thread: sockets are non-blocking
under epoll.
"""

from __future__ import annotations

import argparse
import errno
import heapq
import json
import resource
import select
import socket
import ssl
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from contrib.bench.conversation import (
    METHODS,
    AttemptFailed,
    LoadError,
    Requests,
    Target,
    checked_body,
    is_complete,
    prepare,
)
from tests.repositories.generate import GeneratedClient, read_clients

#: The line on standard error which says that the clock starts now.
PREPARED = "prepared"
#: The run goes on without it; so does the original.
OPTIONAL_METHOD = "DeclareVersion"

_IP_BIND_ADDRESS_NO_PORT = 24
_READ_BYTES = 256 * 1024


@dataclass(frozen=True)
class Patience:
    """How long clients try; the defaults are 1.3.4's."""

    attempts: int = 3
    delay_seconds: float = 1.0
    silence_seconds: float = 90.0


@dataclass
class Result:
    """What the clients saw.

    Attributes:
        concurrency: runs under way at the same time.
        seconds: how long the load lasted.
        runs_ok, runs_failed, runs_cut: runs by how they ended.
        calls: answers received and found right.
        errors: what went wrong with single attempts -> how often.
        durations: `run` or a method -> seconds each one that succeeded took.
        unfinished: `run` or a method -> seconds each one that was under way at the end had taken so far.
        bytes_received: of all answers.
        bad_entries: entries which the server could not bind, in all configurations received.
        client_cpu_seconds: what playing the clients cost.
    """

    concurrency: int
    seconds: float = 0.0
    runs_ok: int = 0
    runs_failed: int = 0
    runs_cut: int = 0
    calls: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    durations: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    unfinished: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    bytes_received: int = 0
    bad_entries: int = 0
    client_cpu_seconds: float = 0.0


class _Call:
    """One attempt of one call: a connection and how far it has come."""

    __slots__ = (
        "connected",
        "last_progress",
        "received",
        "request",
        "run",
        "secured",
        "sent",
        "sock",
        "started",
        "tls",
    )

    def __init__(self, run: _Run, request: bytes, target: Target, now: float) -> None:
        self.run = run
        self.request = memoryview(request)
        self.sent = 0
        self.received = bytearray()
        self.started = self.last_progress = now
        self.connected = self.secured = False
        self.tls: ssl.SSLSocket | None = None
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        self.sock.bind((run.client.address, 0))
        state = self.sock.connect_ex(target.address)
        if state not in (0, errno.EINPROGRESS):
            raise OSError(state, errno.errorcode.get(state, "connect"))

    def advance(self, target: Target, buffer: bytearray) -> int:
        """Go on as far as the socket allows.

        Returns:
            The epoll events to wait for, or 0: the answer is complete, in `received`.

        Raises:
            OSError: the connection failed (`ssl.SSLError` is one).
            AttemptFailed: the answer is incomplete.
        """
        if self.tls is None:
            state = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if state:
                raise OSError(state, errno.errorcode.get(state, "connect"))
            self.tls = target.context.wrap_socket(self.sock, do_handshake_on_connect=False)
            self.sock = self.tls
        try:
            if not self.secured:
                self.tls.do_handshake()
                self.secured = True
            while self.sent < len(self.request):
                self.sent += self.tls.send(self.request[self.sent :])
            while True:
                size = self.tls.recv_into(buffer)
                if size == 0:
                    if is_complete(self.received, ended=True):
                        return 0
                    raise AttemptFailed("connection closed early")
                self.received += memoryview(buffer)[:size]
                if is_complete(self.received, ended=False):
                    return 0
        except ssl.SSLWantReadError:
            return select.EPOLLIN
        except ssl.SSLWantWriteError:
            return select.EPOLLOUT

    def close(self) -> None:
        """Without close_notify, as the original."""
        self.sock.close()


class _Run:
    """One client run: which call is next, and how often it was tried."""

    __slots__ = ("attempt", "client", "position", "requests", "started")

    def __init__(self, client: GeneratedClient, requests: Requests, now: float) -> None:
        self.client = client
        self.requests = requests
        self.started = now
        self.position = 0
        self.attempt = 1

    @property
    def method(self) -> str:
        return METHODS[self.position]

    def next_call(self) -> bool:
        """Go on to the next call the client makes; false: there is none."""
        self.attempt = 1
        self.position += 1
        while self.position < len(METHODS) and self.method not in self.requests.by_method:
            self.position += 1
        return self.position < len(METHODS)


class Load:
    """The clients under way, driven by one loop.

    Args:
        target: the server.
        clients: taken in turn.
        prepared: profile -> what its clients send.
        concurrency: runs under way at the same time.
        patience: of every client.
    """

    def __init__(
        self,
        target: Target,
        clients: Sequence[GeneratedClient],
        prepared: Mapping[str, Requests],
        concurrency: int,
        patience: Patience,
    ) -> None:
        self._target = target
        self._prepared = prepared
        self._patience = patience
        self._clients: Iterator[GeneratedClient] = cycle(clients)
        self._result = Result(concurrency)
        self._calls: dict[int, _Call] = {}
        self._retries: list[tuple[float, int, _Run]] = []
        self._retry_number = 0
        self._underway = 0
        self._poll = select.epoll()
        self._buffer = bytearray(_READ_BYTES)

    def drive(self, runs: int, seconds: float) -> Result:
        """Make at most `runs` runs within at most `seconds`."""
        cpu = time.process_time()
        begun = now = time.monotonic()
        started = 0
        sweep_seconds = min(1.0, self._patience.silence_seconds)
        next_sweep = now + sweep_seconds
        while now - begun < seconds:
            while self._underway < self._result.concurrency and started < runs:
                started += 1
                self._underway += 1
                client = next(self._clients)
                self._begin(_Run(client, self._prepared[client.profile], time.monotonic()))
            if not self._underway:
                break
            wait = min(seconds - (now - begun), next_sweep - now)
            if self._retries:
                wait = min(wait, self._retries[0][0] - now)
            for descriptor, _ in self._poll.poll(max(wait, 0.0)):
                self._advance(descriptor)
            now = time.monotonic()
            while self._retries and self._retries[0][0] <= now:
                self._begin(heapq.heappop(self._retries)[2])
            if now >= next_sweep:
                next_sweep = now + sweep_seconds
                self._drop_silent(now)
        result = self._result
        result.seconds = now - begun
        result.runs_cut = self._underway
        result.client_cpu_seconds = time.process_time() - cpu
        waiting = [run for _, _, run in self._retries]
        for call in self._calls.values():
            result.unfinished[call.run.method].append(round(now - call.started, 6))
            waiting.append(call.run)
            call.close()
        result.unfinished["run"] += [round(now - run.started, 6) for run in waiting]
        self._poll.close()
        return result

    def _begin(self, run: _Run) -> None:
        try:
            call = _Call(run, run.requests.by_method[run.method], self._target, time.monotonic())
        except OSError as error:
            self._attempt_failed(run, _kind(error))
            return
        descriptor = call.sock.fileno()
        self._calls[descriptor] = call
        self._poll.register(descriptor, select.EPOLLOUT)

    def _advance(self, descriptor: int) -> None:
        call = self._calls[descriptor]
        run = call.run
        try:
            events = call.advance(self._target, self._buffer)
            if events:
                call.last_progress = time.monotonic()
                self._poll.modify(descriptor, events)
                return
            body = checked_body(run.method, call.received, run.client, run.requests.names_client)
        except (OSError, AttemptFailed, ValueError, zlib.error) as error:
            self._end(descriptor)
            self._attempt_failed(run, _kind(error))
            return
        self._end(descriptor)
        self._succeeded(call, body)

    def _end(self, descriptor: int) -> None:
        # Closing the socket also takes it out of the epoll set.
        self._calls.pop(descriptor).close()

    def _succeeded(self, call: _Call, body: bytes) -> None:
        run, now = call.run, time.monotonic()
        result = self._result
        result.calls += 1
        result.bytes_received += len(call.received)
        if run.method == "GetConfig":
            result.bad_entries += body.count(b' failure="')
        result.durations[run.method].append(round(now - call.started, 6))
        self._continue(run, now)

    def _continue(self, run: _Run, now: float) -> None:
        if run.next_call():
            self._begin(run)
            return
        self._underway -= 1
        self._result.runs_ok += 1
        self._result.durations["run"].append(round(now - run.started, 6))

    def _attempt_failed(self, run: _Run, kind: str) -> None:
        errors, name = self._result.errors, f"{run.method}: {kind}"
        errors[name] = errors.get(name, 0) + 1
        now = time.monotonic()
        if run.attempt < self._patience.attempts:
            run.attempt += 1
            self._retry_number += 1
            heapq.heappush(self._retries, (now + self._patience.delay_seconds, self._retry_number, run))
        elif run.method == OPTIONAL_METHOD:
            self._continue(run, now)
        else:
            self._underway -= 1
            self._result.runs_failed += 1

    def _drop_silent(self, now: float) -> None:
        limit = now - self._patience.silence_seconds
        for descriptor in [fd for fd, call in self._calls.items() if call.last_progress < limit]:
            run = self._calls[descriptor].run
            self._end(descriptor)
            self._attempt_failed(run, "timeout")


def _kind(error: Exception) -> str:
    """A short name for an error, the same for all of its kind."""
    if isinstance(error, ssl.SSLError):
        return f"TLS {error.reason or error}"
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode.get(error.errno, str(error))
    return str(error)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: prints one JSON object; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m contrib.bench.load", description="Play Bcfg2 clients.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--ca", type=Path, required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--repository", type=Path, required=True, help="written by tests.repositories.generate")
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--runs", type=int, default=sys.maxsize, help="end after so many")
    parser.add_argument("--seconds", type=float, default=20.0, help="end after so long")
    options = parser.parse_args(arguments)
    _allow_descriptors(options.concurrency + 64)
    clients = read_clients(options.repository)
    try:
        target = Target(options.url, options.ca, options.password)
        prepared = prepare(target, clients)
    except LoadError as error:
        print(error, file=sys.stderr)
        return 1
    print(PREPARED, file=sys.stderr, flush=True)
    result = Load(target, clients, prepared, options.concurrency, Patience()).drive(options.runs, options.seconds)
    print(json.dumps(vars(result)))
    return 0


def _allow_descriptors(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


if __name__ == "__main__":
    sys.exit(main())
