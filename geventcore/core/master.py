"""The master of worker processes: starts them, replaces those that die, and passes on what they tell each other.

The master has loaded everything before it forks, so workers share its memory; it serves nobody itself and does nothing
that could make it wait. Each worker is connected to it by a socket whose end tells each that the other is gone. Workers
react to signals as a server does that is one process: TERM drains, HUP reloads, USR1 reopens logs; the master gets
the signals of the administrator, and hands them on.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import time
from _socket import socket, socketpair
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from geventcore.core.frames import FrameReader, Kind
from geventcore.core.signals import RELOADING, REOPENING_LOGS, TERMINATING, SignalQueue
from geventcore.core.switchboard import Deliveries, Switchboard
from geventcore.errors import CoreInitError

log = logging.getLogger(__name__)

#: How often the master looks around, in seconds; what happens wakes it at once.
TICK_SECONDS = 1.0
#: How long a worker may take to reload before the next one does, in seconds.
RELOAD_SECONDS = 30.0
#: A worker that ends sooner than this after its start has failed, in seconds.
EARLY_SECONDS = 5.0
#: The longest pause before a worker that fails again and again is started once more, in seconds.
LONGEST_PAUSE_SECONDS = 30.0
#: What is added to the time that workers have for draining, before they are killed, in seconds.
GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class SystemCalls:
    """What a library that makes waiting cooperative may have replaced: the master needs the originals."""

    fork: Callable[[], int] = os.fork
    waitpid: Callable[[int, int], tuple[int, int]] = os.waitpid
    poll: Callable[[], select.poll] = select.poll


class Server(Protocol):
    """The server, as its master sees it."""

    def work(self, slot: int, sock: socket, is_replacement: bool) -> NoReturn:
        """Be a worker, in its process; `sock` is connected to the master, others may serve already."""

    def all_ready(self) -> None:
        """All workers serve; called once."""

    def reload_master(self) -> None:
        """Read the configuration again, before the workers do."""

    def reloaded_all(self) -> None:
        """Workers have read the configuration again."""

    def reopen_logs(self) -> None:
        """Let go of log files that were moved away."""

    def stopping(self) -> None:
        """The server ends: accept nothing more."""

    def tick(self) -> None:
        """All workers live; called about once a second."""


@dataclass
class Worker:
    """A worker process as the master sees it."""

    slot: int
    pid: int
    sock: socket
    started: float
    reader: FrameReader = field(default_factory=FrameReader)
    unsent: bytearray = field(default_factory=bytearray)
    is_ready: bool = False
    last_heard: float = 0.0
    was_killed: bool = False


class Master:
    """Keeps a number of workers running."""

    def __init__(
        self,
        server: Server,
        count: int,
        signals: SignalQueue,
        calls: SystemCalls,
        *,
        drain: Callable[[], float],
        silence: Callable[[], float],
    ) -> None:
        """`drain` tells how long workers may take to end, `silence` how long one may say nothing, both in seconds."""
        self._server = server
        self._count = count
        self._signals = signals
        self._calls = calls
        self._drain = drain
        self._silence = silence
        self._workers: dict[int, Worker] = {}
        self._numbers = 0
        self._switchboard = Switchboard()
        self._failures = dict.fromkeys(range(1, count + 1), 0)
        self._start_at = dict.fromkeys(range(1, count + 1), 0.0)
        self._to_reload: deque[int] = deque()
        self._reloading: tuple[int, float] | None = None
        self._is_reloading = False
        self._was_ready = False
        self._ending_until: float | None = None

    def run(self) -> None:
        """Start the workers and keep them until the server is told to end. `CoreInitError` if one cannot start."""
        try:
            while self._workers or (self._ending_until is None and self._start_at):
                self._wait()
                self._handle_signals()
                self._look_around()
        except BaseException:
            self._kill_all()
            raise

    # -- starting and ending

    def _start(self, slot: int) -> None:
        ours, theirs = socketpair()
        self._numbers += 1
        number = self._numbers
        pid = self._signals.fork(self._calls.fork)
        if pid == 0:
            # A copy of the master's ends would keep the other workers from noticing that the master is gone.
            ours.close()
            for worker in self._workers.values():
                worker.sock.close()
            self._server.work(slot, theirs, self._was_ready)
        theirs.close()
        ours.setblocking(False)
        now = time.monotonic()
        self._workers[number] = Worker(slot, pid, ours, now, last_heard=now)
        self._switchboard.add(number)
        log.debug("worker %d is process %d", slot, pid)

    def _ended(self, number: int, status: int | None = None) -> None:
        """A worker's socket is closed, so its process is gone, or will be in an instant."""
        worker = self._workers.pop(number)
        worker.sock.close()
        if status is None:
            _, status = self._calls.waitpid(worker.pid, 0)
        self._deliver(self._switchboard.remove(number))
        if self._reloading is not None and self._reloading[0] == number:
            self._reloading = None
        if self._ending_until is not None:
            return
        code = os.waitstatus_to_exitcode(status)
        how = f"was ended by signal {-code} ({_signal_name(-code)})" if code < 0 else f"ended with status {code}"
        if not self._was_ready:
            raise CoreInitError(f"worker {worker.slot} {how} before it was ready")
        lived = time.monotonic() - worker.started
        if lived < EARLY_SECONDS:
            self._failures[worker.slot] += 1
        else:
            self._failures[worker.slot] = 0
        failures = self._failures[worker.slot]
        pause = min(0.1 * 2**failures, LONGEST_PAUSE_SECONDS) if failures else 0.0
        log.log(
            logging.INFO if code == 0 else logging.ERROR,
            "Worker %d (process %d) %s after %.0f s; another takes its place%s",
            *(worker.slot, worker.pid, how, lived, f" in {pause:.1f} s" if pause else ""),
        )
        self._start_at[worker.slot] = time.monotonic() + pause

    def _end(self) -> None:
        if self._ending_until is None:
            self._ending_until = time.monotonic() + self._drain() + GRACE_SECONDS
            self._start_at.clear()
            self._server.stopping()
        for worker in self._workers.values():
            _kill(worker, signal.SIGTERM)

    def _kill_all(self) -> None:
        for worker in self._workers.values():
            _kill(worker, signal.SIGKILL)
            worker.sock.close()
            self._calls.waitpid(worker.pid, 0)
        self._workers.clear()

    # -- waiting for what happens

    def _wait(self) -> None:
        poll = self._calls.poll()
        poll.register(self._signals.fileno(), select.POLLIN)
        by_descriptor = {worker.sock.fileno(): number for number, worker in self._workers.items()}
        for descriptor, number in by_descriptor.items():
            unsent = self._workers[number].unsent
            poll.register(descriptor, select.POLLIN | (select.POLLOUT if unsent else 0))
        soonest = min(self._start_at.values(), default=time.monotonic() + TICK_SECONDS)
        seconds = min(max(soonest - time.monotonic(), 0.0), TICK_SECONDS)
        for descriptor, events in poll.poll(seconds * 1000):
            worker_number = by_descriptor.get(descriptor)
            if worker_number is None or worker_number not in self._workers:
                continue
            if events & select.POLLOUT:
                self._send_unsent(self._workers[worker_number])
            if events & ~select.POLLOUT:
                self._receive(worker_number)

    def _receive(self, number: int) -> None:
        worker = self._workers[number]
        try:
            data = worker.sock.recv(262144)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._ended(number)
            return
        worker.last_heard = time.monotonic()
        for frame in worker.reader.feed(data):
            if frame.kind in (Kind.TELL, Kind.ANSWER):
                self._deliver(self._switchboard.receive(number, frame, worker.last_heard))
            elif frame.kind is Kind.READY:
                self._ready(worker)
            elif frame.kind is Kind.RELOADED and self._reloading is not None and self._reloading[0] == number:
                self._reloading = None

    def _ready(self, worker: Worker) -> None:
        worker.is_ready = True
        if not self._was_ready and sum(worker.is_ready for worker in self._workers.values()) == self._count:
            self._was_ready = True
            self._server.all_ready()
        elif self._was_ready:
            log.info("Worker %d (process %d) serves", worker.slot, worker.pid)

    def _deliver(self, deliveries: Deliveries) -> None:
        for number, frame in deliveries:
            worker = self._workers.get(number)
            if worker is not None:
                worker.unsent += frame.encode()
                self._send_unsent(worker)

    def _send_unsent(self, worker: Worker) -> None:
        try:
            while worker.unsent:
                del worker.unsent[: worker.sock.send(worker.unsent)]
        except BlockingIOError:
            return
        except OSError as err:
            # The end of its socket will say so, too.
            log.debug("worker %d cannot be told anything: %s", worker.slot, err)
            worker.unsent.clear()

    # -- what is to be done

    def _handle_signals(self) -> None:
        while (received := self._signals.take()) is not None:
            if received in TERMINATING:
                if self._ending_until is None:
                    log.info("Told to end by signal %d", received)
                self._end()
            elif received == RELOADING:
                self._is_reloading = True
                self._server.reload_master()
                self._to_reload = deque(self._workers)
            elif received == REOPENING_LOGS:
                self._server.reopen_logs()
                for worker in self._workers.values():
                    _kill(worker, REOPENING_LOGS)

    def _look_around(self) -> None:
        now = time.monotonic()
        # One at a time, so that the server can be told to end while it starts.
        for slot in [slot for slot, moment in self._start_at.items() if moment <= now][:1]:
            del self._start_at[slot]
            self._start(slot)
        self._reload_next(now)
        behind, deliveries = self._switchboard.find_behind(now)
        for number in behind:
            worker = self._workers[number]
            log.warning(
                "Worker %d (process %d) does not take what others tell it, and may answer with what was",
                *(worker.slot, worker.pid),
            )
        self._deliver(deliveries)
        for number, worker in list(self._workers.items()):
            # A process that the worker has forked may keep its socket open.
            pid, status = self._calls.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._ended(number, status)
        silence = self._silence()
        for worker in self._workers.values():
            if self._ending_until is not None and now >= self._ending_until:
                log.error("Worker %d (process %d) does not end; it is killed", worker.slot, worker.pid)
                _kill(worker, signal.SIGKILL)
            elif now - worker.last_heard > silence and not worker.was_killed:
                log.error(
                    "Worker %d (process %d) has not said anything for %.0f s; it is killed ([gevent] worker_timeout)",
                    *(worker.slot, worker.pid, now - worker.last_heard),
                )
                worker.was_killed = True
                _kill(worker, signal.SIGKILL)
        if self._was_ready and self._ending_until is None:
            self._server.tick()

    def _reload_next(self, now: float) -> None:
        """Have the next worker reload when the one before has done so."""
        if not self._is_reloading or (self._reloading is not None and now - self._reloading[1] < RELOAD_SECONDS):
            return
        self._reloading = None
        while self._to_reload:
            number = self._to_reload.popleft()
            if number in self._workers:
                self._reloading = (number, now)
                _kill(self._workers[number], RELOADING)
                return
        self._is_reloading = False
        self._server.reloaded_all()


def _kill(worker: Worker, number: int) -> None:
    # Not yet waited for, so the process number is still this worker's.
    os.kill(worker.pid, number)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
