"""The clients of one process: one thread, non-blocking sockets, epoll.

Every call is a new TCP connection and a full TLS handshake with a check of the server's certificate, and is closed
without close_notify. One that fails in any way is tried three times, one second apart; a server that is silent for 90
seconds has failed. Giving up DeclareVersion goes on, giving up anything else fails the run. Where clients differ from
the original, it is to see the server's work and not their own: head and body leave together, TCP_NODELAY is on, and
entries are reported as good without being looked at.
"""

from __future__ import annotations

import errno
import gc
import heapq
import random
import resource
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from geventcore.errors import GeventcoreError, TLSError
from geventcore.fleet.load.conversation import (
    DECLARE_VERSION,
    GET_CONFIG,
    GET_PROBES,
    METHODS,
    RECV_PROBE_DATA,
    RECV_STATS,
    Answer,
    AttemptFailed,
    Conversation,
    bad_entries,
    check_answer,
)
from geventcore.fleet.load.job import Job, LoadClient, Pace, Patience
from geventcore.fleet.load.records import CUT, GOOD, RUN, Counts, LoadResult
from geventcore.tls.client import ClientConnection, ClientContext

#: Linux: choose a port only when it is known where to, so that each address has all ports for each server.
_IP_BIND_ADDRESS_NO_PORT = 24
_RECORD_BYTES = 16 * 1024
#: Descriptors that a process has open besides its connections, generously.
_SPARE_DESCRIPTORS = 64
_SWEEP_SECONDS = 1.0
_GARBAGE_THRESHOLD = 50_000


class LoadError(GeventcoreError):
    """The load can't be made; the text says why."""


class _Run:
    """One client run: which call is next, and how often it was tried."""

    __slots__ = ("attempt", "client", "method", "probe_upload", "started", "statistics")

    def __init__(self, client: LoadClient, now: float) -> None:
        self.client = client
        self.started = now
        self.method = DECLARE_VERSION
        self.attempt = 1
        self.probe_upload: bytes | None = None
        self.statistics = b""


class _Call:
    """One attempt of one call: a connection and how far it has come."""

    __slots__ = ("answer", "connected", "events", "last_progress", "rest", "run", "second", "sock", "started", "tls")

    def __init__(self, run: _Run, sock: socket.socket, tls: ClientConnection, head: bytes, body: bytes) -> None:
        self.run = run
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


class Engine:
    """The clients under way.

    Args:
        job: who calls whom, and when.
        conversation: shared by those who may share what they have learnt to send.
    """

    def __init__(self, job: Job, conversation: Conversation, context: ClientContext) -> None:
        self._job = job
        self._conversation = conversation
        self._context = context
        self._patience = job.patience
        self._counts = Counts()
        self._result = LoadResult(self._counts)
        self._records = self._result.records
        self._calls: dict[int, _Call] = {}
        self._idle = deque(job.clients)
        self._ended: dict[str, int] = {}
        #: Moment, number, and the run to go on with or the client who begins one.
        self._timers: list[tuple[float, int, _Run | LoadClient]] = []
        self._timer_number = 0
        self._underway = 0
        self._poll = select.epoll()
        self._buffer = memoryview(bytearray(_RECORD_BYTES))
        self._begun = 0.0
        self._next_start = 0.0

    @property
    def counts(self) -> Counts:
        """The sums so far."""
        return self._counts

    @property
    def underway(self) -> int:
        """Number of runs that have begun and not ended."""
        return self._underway

    def drive(
        self, begin: float, stop_descriptor: int | None = None, tell: Callable[[], None] = lambda: None
    ) -> LoadResult:
        """Make the runs, from the moment `begin` of the monotonic clock on.

        Args:
            stop_descriptor: something to read, or the end of it, ends the load at once.
            tell: called about once a second.
        """
        if stop_descriptor is not None:
            self._poll.register(stop_descriptor, select.EPOLLIN)
        # What is there stays, and what is made for calls forms no cycles worth looking for often.
        gc.freeze()
        gc.set_threshold(_GARBAGE_THRESHOLD)
        time.sleep(max(0.0, begin - time.monotonic()))
        cpu = time.process_time()
        self._begun = self._next_start = begin
        end = begin + self._job.seconds
        self._schedule_splay(begin)
        next_sweep = begin + _sweep_seconds(self._patience)
        now = time.monotonic()
        stopped = False
        while now < end and not stopped:
            self._start_runs(now)
            if not self._underway and not self._timers and self._job.pace.rate is None:
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
                next_sweep = now + _sweep_seconds(self._patience)
                self._drop_silent(now)
                tell()
        # Calls may have begun since the loop looked at the clock.
        now = time.monotonic()
        self._cut(now)
        self._result.seconds = now - begin
        self._counts.client_cpu_seconds = time.process_time() - cpu
        self._poll.close()
        return self._result

    def _schedule_splay(self, begin: float) -> None:
        pace = self._job.pace
        if pace.concurrency is None and pace.rate is None:
            moments = random.Random(pace.seed)
            for client in self._idle:
                self._at(begin + moments.random() * pace.splay_seconds, client)
            self._idle.clear()

    def _start_runs(self, now: float) -> None:
        pace = self._job.pace
        if pace.concurrency is not None:
            while self._underway < pace.concurrency and self._idle:
                self._begin_run(self._idle.popleft())
        elif pace.rate is not None:
            while self._next_start <= now:
                self._next_start += 1 / pace.rate
                if self._idle:
                    self._begin_run(self._idle.popleft())
                else:
                    self._counts.runs_not_begun += 1

    def _next_moment(self) -> float:
        moment = self._timers[0][0] if self._timers else float("inf")
        return moment if self._job.pace.rate is None else min(moment, self._next_start)

    def _at(self, moment: float, what: _Run | LoadClient) -> None:
        self._timer_number += 1
        heapq.heappush(self._timers, (moment, self._timer_number, what))

    def _go_on(self, what: _Run | LoadClient) -> None:
        if isinstance(what, LoadClient):
            self._begin_run(what)
        else:
            self._begin_call(what)

    def _begin_run(self, client: LoadClient) -> None:
        self._underway += 1
        self._begin_call(_Run(client, time.monotonic()))

    def _end_run(self, run: _Run, outcome: int, now: float) -> None:
        self._underway -= 1
        self._records.add(RUN, 1, outcome, run.started - self._begun, -1.0, now - run.started)
        client, pace = run.client, self._job.pace
        if pace.concurrency is not None or pace.rate is not None:
            self._idle.append(client)
        elif pace.runs > 1:
            ended = self._ended[client.name] = self._ended.get(client.name, 0) + 1
            if ended < pace.runs:
                self._at(now, client)

    def _begin_call(self, run: _Run) -> None:
        now = time.monotonic()
        if run.method == RECV_PROBE_DATA and run.probe_upload is not None:
            body = run.probe_upload
        else:
            body = run.statistics if run.method == RECV_STATS else self._conversation.body(run.method)
        head = self._conversation.head(run.client.user, body)
        sock = socket.socket(self._job.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if run.client.address is not None:
                sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
                sock.bind((run.client.address, 0))
            state = sock.connect_ex(self._job.sockaddr)
            if state not in (0, errno.EINPROGRESS):
                raise OSError(state, "connect")
        except OSError as error:
            sock.close()
            self._attempt_failed(run, now, -1.0, _kind(error))
            return
        descriptor = sock.fileno()
        self._calls[descriptor] = _Call(run, sock, self._context.connect(sock), head, body)
        self._poll.register(descriptor, select.EPOLLOUT)

    def _advance(self, descriptor: int) -> None:
        call = self._calls[descriptor]
        try:
            events = self._transfer(call)
            call.last_progress = now = time.monotonic()
            if events:
                if events != call.events:
                    call.events = events
                    self._poll.modify(descriptor, events)
                return
            run = call.run
            body = call.answer.body()
            check_answer(run.method, body)
            self._learn(run, body)
        except (OSError, TLSError, AttemptFailed) as error:
            self._close(descriptor)
            self._attempt_failed(call.run, call.started, call.connected, _kind(error))
            return
        self._close(descriptor)
        self._call_succeeded(call, now)

    def _transfer(self, call: _Call) -> int:
        """Go on as far as the socket allows: the event to wait for, or 0 if the answer is complete."""
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

    def _learn(self, run: _Run, body: bytes | bytearray) -> None:
        """Keep what later calls of the run send back."""
        if run.method == GET_PROBES:
            run.probe_upload = self._conversation.probe_upload(run.client, body)
        elif run.method == GET_CONFIG:
            run.statistics = self._conversation.statistics(run.client, body)
            self._counts.bad_entries += bad_entries(body)

    def _close(self, descriptor: int) -> None:
        # Closing the socket also takes it out of the epoll set.
        self._calls.pop(descriptor).sock.close()

    def _call_succeeded(self, call: _Call, now: float) -> None:
        run, counts = call.run, self._counts
        counts.calls += 1
        counts.bytes_received += call.answer.size
        self._records.add(run.method, run.attempt, GOOD, call.started - self._begun, call.connected, now - call.started)
        self._next_call(run, now)

    def _next_call(self, run: _Run, now: float) -> None:
        run.attempt = 1
        run.method += 1
        if run.method == RECV_PROBE_DATA and run.probe_upload is None:
            run.method += 1
        if run.method < len(METHODS):
            self._begin_call(run)
            return
        self._counts.runs_ok += 1
        self._end_run(run, GOOD, now)

    def _attempt_failed(self, run: _Run, started: float, connected: float, kind: str) -> None:
        now = time.monotonic()
        kind = kind.replace(run.client.name, "HOST")
        outcome = self._records.reason(f"{METHODS[run.method]}: {kind}")
        self._records.add(run.method, run.attempt, outcome, started - self._begun, connected, now - started)
        if run.attempt < self._patience.attempts:
            run.attempt += 1
            self._counts.retries += 1
            self._at(now + self._patience.delay_seconds, run)
        elif run.method == DECLARE_VERSION:
            self._next_call(run, now)
        else:
            self._counts.runs_failed += 1
            self._end_run(run, outcome, now)

    def _drop_silent(self, now: float) -> None:
        limit = now - self._patience.silence_seconds
        for descriptor in [fd for fd, call in self._calls.items() if call.last_progress < limit]:
            call = self._calls[descriptor]
            self._close(descriptor)
            self._attempt_failed(call.run, call.started, call.connected, "timed out")

    def _cut(self, now: float) -> None:
        """End what is under way: neither a success nor a failure."""
        runs = [what for _, _, what in self._timers if isinstance(what, _Run)]
        for call in self._calls.values():
            self._records.add(
                call.run.method, call.run.attempt, CUT, call.started - self._begun, call.connected, now - call.started
            )
            runs.append(call.run)
            call.sock.close()
        for run in runs:
            self._records.add(RUN, 1, CUT, run.started - self._begun, -1.0, now - run.started)
        self._counts.runs_cut = self._underway


def warm_up(job: Job, conversation: Conversation, context: ClientContext) -> None:
    """Let some clients make a run, one after the other, so that what all send is made before the clock starts.

    Raises:
        LoadError: a run failed, or the server could not bind an entry.
    """
    step = max(1, len(job.clients) // max(1, job.warm_up))
    for client in job.clients[: step * job.warm_up : step]:
        alone = replace(job, clients=[client], pace=Pace(), patience=Patience(attempts=1))
        result = Engine(alone, conversation, context).drive(time.monotonic())
        if result.counts.runs_ok != 1:
            reason = result.records.reasons[-1] if result.records.reasons else "it was not over in time"
            raise LoadError(f"a single run of {client.name} did not work: {reason}")
        if result.counts.bad_entries:
            raise LoadError(f"the server could not bind {result.counts.bad_entries} entries of {client.name}")


def allow_descriptors(connections: int) -> None:
    """Raise this process's limit of open files to what so many connections need; `LoadError` if that is not allowed."""
    needed = connections + _SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise LoadError(f"{needed} open files are needed and the limit is {hard}: take more processes, or raise it")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _sweep_seconds(patience: Patience) -> float:
    return min(_SWEEP_SECONDS, patience.silence_seconds)


def _kind(error: Exception) -> str:
    """A short name for an error, the same for all of its kind."""
    if isinstance(error, TLSError):
        return f"TLS: {error}"
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode.get(error.errno, str(error))
    return str(error)
