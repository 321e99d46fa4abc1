"""The event loop that makes the calls of clients: one thread, non-blocking sockets, epoll.

Every call is a new TCP connection with a full TLS handshake, and is closed without close_notify. One that fails in any
way is tried three times, one second apart; a server that is silent for 90 seconds has failed. Giving up DeclareVersion
goes on, giving up anything else fails the run. Clients differ from the original in what would only show their own
work: head and body leave together, and TCP_NODELAY is on.
"""

from __future__ import annotations

import errno
import heapq
import os
import random
import resource
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from geventcore.errors import TLSError
from geventcore.simulation.answers import Answer, AttemptFailed
from geventcore.simulation.conversation import CheckingConversation, Conversation, Run, RunFailed
from geventcore.simulation.load import (
    DECLARE_VERSION,
    GET_CONFIG,
    METHODS,
    Address,
    Load,
    LoadError,
    Pace,
    RetryPolicy,
    SimulatedClient,
)
from geventcore.simulation.records import CUT, GOOD, RUN, LoadResult
from geventcore.tls.client import ClientConnection, ClientContext

#: Linux: choose a port only when it is known where to, so that each address has all ports for each server.
_IP_BIND_ADDRESS_NO_PORT = 24
_RECORD_BYTES = 16 * 1024
#: Descriptors that a process has open besides its connections, generously.
_SPARE_DESCRIPTORS = 64
_SWEEP_SECONDS = 1.0
#: A server that cannot be connected to at one of its addresses may be at the next.
_CONNECT_ERRORS = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT})


@dataclass(frozen=True)
class Progress:
    """The state of a load: its age, numbers of runs, and number of calls made again."""

    seconds: float = 0.0
    ok: int = 0
    failed: int = 0
    under_way: int = 0
    retries: int = 0


class _Call:
    """One attempt of one call: a connection and how far it has come."""

    __slots__ = (
        "address",
        "answer",
        "connected",
        "events",
        "last_progress",
        "rest",
        "run",
        "second",
        "sock",
        "started",
        "tls",
    )

    def __init__(
        self, run: Run, address: int, sock: socket.socket, tls: ClientConnection, head: bytes, body: bytes
    ) -> None:
        self.run = run
        self.address = address
        self.sock = sock
        self.tls = tls
        self.started = self.last_progress = time.monotonic()
        self.connected = -1.0
        self.events = select.EPOLLOUT
        # Head and body leave in one record if there is room, and a long body is not copied for that.
        cut = max(0, _RECORD_BYTES - len(head))
        self.rest = memoryview(head + body[:cut])
        self.second = memoryview(body)[cut:]
        self.answer = Answer()

    @property
    def doing(self) -> str:
        """The step that the call has come to, in words."""
        if self.connected < 0:
            return "while connecting" if self.last_progress == self.started else "in the TLS handshake"
        return "while sending the request" if self.rest else "while waiting for the answer"


class Engine:
    """The clients of one process.

    Args:
        load: the clients of this process and their pace.
        numbers: of the clients in the records.
        contexts: their TLS contexts, in the order of the clients.
        conversation: shared by loads that may share what they have learnt to send.

    Raises:
        ConfigError: the server's name cannot be resolved.
    """

    def __init__(
        self,
        load: Load,
        conversation: Conversation,
        contexts: Sequence[ClientContext],
        numbers: Sequence[int] | None = None,
    ) -> None:
        self._pace = load.pace
        self._seconds = load.seconds
        self._retry = load.retry
        self._addresses: Sequence[Address] = load.target.resolve()
        self._conversation = conversation
        numbers = range(len(load.clients)) if numbers is None else numbers
        self._contexts = dict(zip(numbers, contexts, strict=True))
        self._result = LoadResult(observed=conversation.observed)
        self._counts = self._result.counts
        self._records = self._result.records
        self._calls: dict[int, _Call] = {}
        #: Clients that may begin a run, with their numbers.
        self._ready = deque(zip(load.clients, numbers, strict=True))
        self._runs_begun = dict.fromkeys(numbers, 0)
        #: Moment, order, and the run to go on with or the client that becomes ready.
        self._timers: list[tuple[float, int, Run | tuple[SimulatedClient, int]]] = []
        self._timer_order = 0
        self._under_way = 0
        self._poll = select.epoll()
        self._buffer = memoryview(bytearray(_RECORD_BYTES))
        self._begun = self._next_start = 0.0

    @property
    def progress(self) -> Progress:
        """The state of the load."""
        counts = self._counts
        seconds = time.monotonic() - self._begun
        return Progress(seconds, counts.runs_ok, counts.runs_failed, self._under_way, counts.retries)

    def drive(
        self, begin: float, stop_descriptor: int | None = None, report: Callable[[], None] = lambda: None
    ) -> LoadResult:
        """Make the runs, from the moment `begin` of the monotonic clock on.

        Args:
            stop_descriptor: something to read, or the end of it, ends the load at once.
            report: called about once a second.
        """
        if stop_descriptor is not None:
            self._poll.register(stop_descriptor, select.EPOLLIN)
        time.sleep(max(0.0, begin - time.monotonic()))
        cpu_seconds = time.process_time()
        self._begun = self._next_start = begin
        end = begin + self._seconds
        self._schedule_splay(begin)
        sweep_seconds = min(_SWEEP_SECONDS, self._retry.timeout_seconds)
        next_sweep = begin + sweep_seconds
        now = time.monotonic()
        stopped = False
        while now < end and not stopped:
            self._start_runs(now)
            if not (self._under_way or self._timers or self._ready):
                break
            wait = min(end, next_sweep, self._next_moment()) - now
            for descriptor, _ in self._poll.poll(max(wait, 0.0)):
                if descriptor == stop_descriptor:
                    stopped = True
                else:
                    self._advance(descriptor)
            now = time.monotonic()
            while self._timers and self._timers[0][0] <= now:
                self._go_on(heapq.heappop(self._timers)[2])
            if now >= next_sweep:
                next_sweep = now + sweep_seconds
                self._drop_silent(now)
                report()
        # Calls may have begun since the loop looked at the clock.
        now = time.monotonic()
        self._cut(now)
        self._result.seconds = now - begin
        self._counts.client_cpu_seconds = time.process_time() - cpu_seconds
        self._poll.close()
        return self._result

    def _schedule_splay(self, begin: float) -> None:
        if self._pace.splay_seconds and self._pace.rate is None:
            moments = random.Random(self._pace.seed)
            for ready in self._ready:
                self._at(begin + moments.random() * self._pace.splay_seconds, ready)
            self._ready.clear()

    def _start_runs(self, now: float) -> None:
        if self._pace.rate is None:
            limit = self._pace.concurrency or len(self._contexts)
            while self._ready and self._under_way < limit:
                self._begin_run(*self._ready.popleft())
            return
        while self._next_start <= now:
            self._next_start += 1 / self._pace.rate
            if self._ready:
                self._begin_run(*self._ready.popleft())
            else:
                self._counts.runs_not_begun += 1

    def _next_moment(self) -> float:
        moment = self._timers[0][0] if self._timers else float("inf")
        return moment if self._pace.rate is None else min(moment, self._next_start)

    def _at(self, moment: float, what: Run | tuple[SimulatedClient, int]) -> None:
        self._timer_order += 1
        heapq.heappush(self._timers, (moment, self._timer_order, what))

    def _go_on(self, what: Run | tuple[SimulatedClient, int]) -> None:
        if isinstance(what, Run):
            self._begin_call(what)
        else:
            self._ready.append(what)

    def _begin_run(self, client: SimulatedClient, number: int) -> None:
        self._under_way += 1
        self._runs_begun[number] += 1
        self._next_call(Run(client, number, time.monotonic()))

    def _end_run(self, run: Run, outcome: int) -> None:
        self._under_way -= 1
        self._record_run(run, outcome, time.monotonic())
        if self._pace.runs is None or self._runs_begun[run.number] < self._pace.runs:
            self._ready.append((run.client, run.number))

    def _begin_call(self, run: Run, first_address: int = 0) -> None:
        """Start an attempt, at the first of the server's addresses that can be called."""
        begin = time.monotonic()
        body = self._conversation.body(run)
        for number in range(first_address, len(self._addresses)):
            address = self._addresses[number]
            sock = socket.socket(address.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if run.client.address is not None:
                    sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
                    sock.bind((run.client.address, 0))
                state = sock.connect_ex(address.sockaddr)
                if state not in (0, errno.EINPROGRESS):
                    raise OSError(state, os.strerror(state))
            except OSError as error:
                sock.close()
                failure = f"cannot connect: {error.strerror}"
                continue
            head = self._conversation.head(run.client.user, body)
            tls = self._contexts[run.number].connect(sock)
            self._calls[sock.fileno()] = _Call(run, number, sock, tls, head, body)
            self._poll.register(sock.fileno(), select.EPOLLOUT)
            return
        self._attempt_failed(run, begin, -1.0, failure)

    def _advance(self, descriptor: int) -> None:
        call = self._calls[descriptor]
        run = call.run
        try:
            events = self._transfer(call)
            call.last_progress = now = time.monotonic()
            if events:
                if events != call.events:
                    call.events = events
                    self._poll.modify(descriptor, events)
                return
            bad_entries = self._conversation.receive(run, call.answer.body())
        except RunFailed as error:
            self._close(descriptor)
            self._record(call, GOOD, now)
            self._fail_run(run, self._records.reason(f"{METHODS[run.method]}: {_kind(error, run)}"))
            return
        except (OSError, TLSError, AttemptFailed) as error:
            self._close(descriptor)
            if isinstance(error, OSError) and call.connected < 0:
                if error.errno in _CONNECT_ERRORS and call.address + 1 < len(self._addresses):
                    self._begin_call(run, call.address + 1)
                    return
                error = AttemptFailed(f"cannot connect: {_kind(error, run)}")
            self._attempt_failed(run, call.started, call.connected, _kind(error, run))
            return
        self._close(descriptor)
        self._record(call, GOOD, now)
        counts = self._counts
        counts.calls += 1
        counts.bytes_received += call.answer.size
        if run.method == GET_CONFIG:
            counts.bad_entries += bad_entries
        self._next_call(run)

    def _transfer(self, call: _Call) -> int:
        """Go on as far as the socket allows; return the event to wait for, or 0 if the answer is complete."""
        tls = call.tls
        if call.connected < 0:
            events = tls.handshake()
            if events:
                return -events
            call.connected = time.monotonic() - call.started
        while call.rest:
            sent = tls.send(call.rest)
            if sent < 0:
                return -sent
            call.rest = call.rest[sent:]
            if not call.rest:
                call.rest, call.second = call.second, call.rest
                if not call.rest:
                    # No server has answered already.
                    return select.EPOLLIN
        buffer = self._buffer
        while True:
            size = tls.receive_into(buffer)
            if size < 0:
                return -size
            if size == 0:
                call.answer.end()
                return 0
            if call.answer.receive(buffer[:size]):
                return 0

    def _close(self, descriptor: int) -> None:
        # Closing the socket also takes it out of the epoll set.
        self._calls.pop(descriptor).sock.close()

    def _next_call(self, run: Run) -> None:
        if self._conversation.advance(run):
            self._begin_call(run)
        else:
            self._counts.runs_ok += 1
            self._end_run(run, GOOD)

    def _attempt_failed(self, run: Run, started: float, connected: float, kind: str) -> None:
        now = time.monotonic()
        outcome = self._records.reason(f"{METHODS[run.method]}: {kind}")
        self._records.add(run.number, run.method, run.attempt, outcome, started - self._begun, connected, now - started)
        if run.attempt < self._retry.attempts:
            run.attempt += 1
            self._counts.retries += 1
            self._at(now + self._retry.delay_seconds, run)
        elif run.method == DECLARE_VERSION:
            self._next_call(run)
        else:
            self._fail_run(run, outcome)

    def _fail_run(self, run: Run, outcome: int) -> None:
        self._counts.runs_failed += 1
        self._end_run(run, outcome)

    def _drop_silent(self, now: float) -> None:
        limit = now - self._retry.timeout_seconds
        for descriptor in [fd for fd, call in self._calls.items() if call.last_progress < limit]:
            call = self._calls[descriptor]
            self._close(descriptor)
            self._attempt_failed(call.run, call.started, call.connected, f"timed out {call.doing}")

    def _cut(self, now: float) -> None:
        """End what is under way: neither a success nor a failure."""
        runs = [what for _, _, what in self._timers if isinstance(what, Run)]
        for call in self._calls.values():
            self._record(call, CUT, now)
            runs.append(call.run)
            call.sock.close()
        for run in runs:
            self._record_run(run, CUT, now)
        self._counts.runs_cut = self._under_way

    def _record(self, call: _Call, outcome: int, now: float) -> None:
        run = call.run
        self._records.add(
            run.number,
            run.method,
            run.attempt,
            outcome,
            call.started - self._begun,
            call.connected,
            now - call.started,
        )

    def _record_run(self, run: Run, outcome: int, now: float) -> None:
        started = run.started
        self._records.add(run.number, RUN, 1, outcome, started - self._begun, -1.0, now - started)


def new_conversation(load: Load) -> Conversation:
    """Return the conversation that a load's plan asks for."""
    return CheckingConversation(load) if load.plan.checks_answers else Conversation(load)


def client_contexts(load: Load) -> list[ClientContext]:
    """Return a TLS context for each client: one for all without a certificate; `TLSError` if a file is of no use.

    Reading a key takes time that is not the run's, so contexts are made beforehand.
    """
    shared = ClientContext(load.ca)
    return [
        ClientContext(load.ca, client.certificate, client.key) if client.certificate else shared
        for client in load.clients
    ]


def make_runs(load: Load) -> LoadResult:
    """Let all clients make their runs in this process and thread; return when they have.

    Raises:
        ConfigError, TLSError: the server's name or a file is of no use.
    """
    return Engine(load, new_conversation(load), client_contexts(load)).drive(time.monotonic())


def warm_up(load: Load, conversation: Conversation, contexts: Sequence[ClientContext]) -> None:
    """Let some clients make a run, one after the other, so that what all send is made before the clock starts.

    The clients are from all over the list, which in generated repositories have all the profiles.

    Raises:
        LoadError: a run failed, or the server could not bind an entry.
    """
    runs = load.warm_up_runs
    step = max(1, len(load.clients) // max(1, runs))
    for client, context in list(zip(load.clients, contexts, strict=True))[: step * runs : step]:
        alone = replace(load, clients=[client], pace=Pace(), retry=RetryPolicy(attempts=1))
        result = Engine(alone, conversation, [context]).drive(time.monotonic())
        if result.counts.runs_ok != 1:
            reason = result.records.reasons[-1] if result.records.reasons else "it did not end in time"
            raise LoadError(f"a single run of {client.name} failed: {reason}")
        if result.counts.bad_entries:
            raise LoadError(f"the server could not bind {result.counts.bad_entries} entries of {client.name}")


def allow_descriptors(connections: int) -> None:
    """Raise this process's limit of open files to what so many connections need; `LoadError` if that is not allowed."""
    needed = connections + _SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise LoadError(
            f"{needed} open files are needed and the limit is {hard}: lower the concurrency, take more processes, or"
            " raise the limit (ulimit -n)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _kind(error: Exception, run: Run) -> str:
    """Return a short text for an error, the same for all clients."""
    text = str(error)
    if isinstance(error, TLSError):
        text = f"TLS: {error}"
    elif isinstance(error, OSError) and error.errno is not None:
        text = os.strerror(error.errno)
    return text.replace(run.client.name, "HOST")
