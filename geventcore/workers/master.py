"""The master of worker processes: starts them, replaces those that die, and routes what they broadcast.

The master has loaded everything before it forks, so workers share its memory. It serves no clients and does nothing
that could make it wait. A socket pair connects each worker to it; when one end is closed, the other side knows that the
process is gone. Workers react to signals as a server of one process does: TERM drains, HUP reloads, USR1 reopens logs.
The master gets the signals of the administrator and passes them on.
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

from geventcore.backoff import Backoff
from geventcore.errors import CoreInitError
from geventcore.process.signals import RELOADING, REOPENING_LOGS, REPLACED, TERMINATING, SignalQueue
from geventcore.workers.broadcast_router import BroadcastRouter, Deliveries
from geventcore.workers.frames import FrameReader, Kind

log = logging.getLogger(__name__)

#: How often the master checks its workers, in seconds. Events wake it at once.
TICK_SECONDS = 1.0
#: How long a worker may take to reload before the next one does, in seconds.
RELOAD_SECONDS = 30.0
#: A worker that ends sooner than this after its start has failed, in seconds.
EARLY_SECONDS = 5.0
#: The pause before a worker that has failed once is started again, in seconds; doubled with each further failure.
FIRST_PAUSE_SECONDS = 0.2
#: The longest such pause, in seconds.
LONGEST_PAUSE_SECONDS = 30.0
#: What is added to the drain time of workers before they are killed, in seconds.
GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class SystemCalls:
    """The system calls of the master: the originals, where a library has replaced them to make waiting cooperative."""

    fork: Callable[[], int] = os.fork
    waitpid: Callable[[int, int], tuple[int, int]] = os.waitpid
    poll: Callable[[], select.poll] = select.poll


class MasterEvents(Protocol):
    """The events that the master reports to the server, in its own process. None of these methods may wait."""

    def announce(self) -> None:
        """All workers serve; called once."""

    def reload_in_master(self) -> None:
        """Read the configuration again, before the workers do: workers that are forked later begin with it."""

    def workers_reloaded(self) -> None:
        """All workers have read the configuration again."""

    def reopen_logs(self) -> None:
        """Open log files again that were moved away."""

    def replaced_in_master(self) -> None:
        """Another process serves in the place of this server, which ends."""

    def stop_in_master(self) -> None:
        """The server ends: accept nothing more."""

    def tick(self) -> None:
        """All workers live; called about once a second."""


#: Runs a worker, in its process: its slot, its socket to the master, and whether it replaces another worker.
Work = Callable[[int, socket, bool], NoReturn]


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
        server: MasterEvents,
        work: Work,
        count: int,
        signals: SignalQueue,
        calls: SystemCalls,
        *,
        drain_seconds: Callable[[], float],
        timeout: Callable[[], float],
        timeout_option: str = "",
    ) -> None:
        """`drain_seconds` returns how long workers may take to end, `timeout` how long one may be silent, in seconds;
        `timeout_option` names the option for the latter."""
        self._server = server
        self._work = work
        self._count = count
        self._signals = signals
        self._calls = calls
        self._drain_seconds = drain_seconds
        self._timeout = timeout
        self._timeout_option = timeout_option
        self._workers: dict[int, Worker] = {}
        self._numbers = 0
        self._router = BroadcastRouter()
        slots = range(1, count + 1)
        self._backoffs = {slot: Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS) for slot in slots}
        self._start_at = dict.fromkeys(slots, 0.0)
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
                self._check_workers()
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
            self._work(slot, theirs, self._was_ready)
        theirs.close()
        ours.setblocking(False)
        now = time.monotonic()
        self._workers[number] = Worker(slot, pid, ours, now, last_heard=now)
        self._router.add(number)
        log.debug("worker %d is process %d", slot, pid)

    def _ended(self, number: int, status: int | None = None) -> None:
        """Handle the end of a worker: its process is gone, or its socket is closed, so it will be in an instant."""
        worker = self._workers.pop(number)
        worker.sock.close()
        if status is None:
            _, status = self._calls.waitpid(worker.pid, 0)
        self._deliver(self._router.remove(number))
        if self._reloading is not None and self._reloading[0] == number:
            self._reloading = None
        if self._ending_until is not None:
            return
        code = os.waitstatus_to_exitcode(status)
        how = f"was killed by signal {-code} ({_signal_name(-code)})" if code < 0 else f"ended with status {code}"
        if not self._was_ready:
            raise CoreInitError(f"worker {worker.slot} {how} before it was ready")
        lived = time.monotonic() - worker.started
        pause = 0.0
        if lived < EARLY_SECONDS:
            pause = self._backoffs[worker.slot].fail()
        else:
            self._backoffs[worker.slot].succeed()
        log.log(
            logging.INFO if code == 0 else logging.ERROR,
            "Worker %d (process %d) %s after %.0f s; starting a replacement%s",
            *(worker.slot, worker.pid, how, lived, f" in {pause:.1f} s" if pause else ""),
        )
        self._start_at[worker.slot] = time.monotonic() + pause

    def _end(self) -> None:
        if self._ending_until is None:
            self._ending_until = time.monotonic() + self._drain_seconds() + GRACE_SECONDS
            self._start_at.clear()
            self._server.stop_in_master()
        for worker in self._workers.values():
            _kill(worker, signal.SIGTERM)

    def _kill_all(self) -> None:
        for worker in self._workers.values():
            _kill(worker, signal.SIGKILL)
            worker.sock.close()
            self._calls.waitpid(worker.pid, 0)
        self._workers.clear()

    # -- events

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
                self._deliver(self._router.receive(number, frame, worker.last_heard))
            elif frame.kind is Kind.READY:
                self._ready(worker)
            elif frame.kind is Kind.RELOADED and self._reloading is not None and self._reloading[0] == number:
                self._reloading = None

    def _ready(self, worker: Worker) -> None:
        worker.is_ready = True
        if not self._was_ready and sum(worker.is_ready for worker in self._workers.values()) == self._count:
            self._was_ready = True
            self._server.announce()
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
            # The master notices the closed socket, too.
            log.debug("nothing can be sent to worker %d: %s", worker.slot, err)
            worker.unsent.clear()

    # -- periodic work

    def _handle_signals(self) -> None:
        while (received := self._signals.take()) is not None:
            if received in TERMINATING:
                if self._ending_until is None:
                    log.info("Ending: received signal %d", received)
                self._end()
            elif received == REPLACED:
                self._server.replaced_in_master()
                self._end()
            elif received == RELOADING:
                self._is_reloading = True
                self._server.reload_in_master()
                self._to_reload = deque(self._workers)
            elif received == REOPENING_LOGS:
                self._server.reopen_logs()
                for worker in self._workers.values():
                    _kill(worker, REOPENING_LOGS)

    def _check_workers(self) -> None:
        now = time.monotonic()
        # One at a time, so that the server can be told to end while it starts.
        for slot in [slot for slot, moment in self._start_at.items() if moment <= now][:1]:
            del self._start_at[slot]
            self._start(slot)
        self._reload_next(now)
        behind, deliveries = self._router.find_behind(now)
        for number in behind:
            worker = self._workers[number]
            log.warning(
                "Worker %d (process %d) does not handle broadcasts and may answer from old data",
                *(worker.slot, worker.pid),
            )
        self._deliver(deliveries)
        for number, worker in list(self._workers.items()):
            # A process that the worker has forked may keep its socket open.
            pid, status = self._calls.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._ended(number, status)
        timeout = self._timeout()
        for worker in self._workers.values():
            if self._ending_until is not None and now >= self._ending_until:
                log.error("Worker %d (process %d) does not end; killing it", worker.slot, worker.pid)
                _kill(worker, signal.SIGKILL)
            elif now - worker.last_heard > timeout and not worker.was_killed:
                log.error(
                    "Worker %d (process %d) has not responded for %.0f s; killing it%s",
                    *(worker.slot, worker.pid, now - worker.last_heard),
                    f" ({self._timeout_option})" if self._timeout_option else "",
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
        self._server.workers_reloaded()


def _kill(worker: Worker, number: int) -> None:
    # Not yet waited for, so the process number is still this worker's.
    os.kill(worker.pid, number)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
