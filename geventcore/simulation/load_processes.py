"""The processes of a load, from beginning to end.

    with LoadProcesses(load) as processes:
        processes.prepare()
        result = processes.run()

Every load ends with the process that has started it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any

from geventcore.simulation.engine import Progress
from geventcore.simulation.load import Job, Load, LoadError
from geventcore.simulation.records import LoadResult

#: For preparing one process, and for handing in the results. A machine under load may take long for a single run, and
#: a process that has died is noticed at once.
_PREPARE_SECONDS = 600.0
_RESULT_SECONDS = 300.0
#: From the word to begin until the beginning: all processes have read it by then.
_LEAD_SECONDS = 0.1
#: An interruption is noticed after so long at the latest.
_LOOK_SECONDS = 0.2
#: One process keeps up with so many clients that begin in the same second.
_CLIENTS_PER_PROCESS = 2500


class LoadProcesses:
    """Processes that make the calls of clients; they end at the end of the `with` block at the latest.

    Attributes:
        interrupted: whether SIGINT or SIGTERM has ended the load before its time.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._processes: list[subprocess.Popen[bytes]] = []
        self._connections: list[Connection[Any, Any]] = []
        self.interrupted = False

    def __enter__(self) -> LoadProcesses:
        return self

    def __exit__(self, *exception: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        for connection in self._connections:
            connection.close()

    def prepare(self) -> None:
        """Start the processes, and let each make its warm-up runs.

        Raises:
            LoadError: a file of the load is of no use, or the server does not even serve one client alone.
        """
        load = self._load
        numbers = range(len(load.clients))
        count = self._count()
        # One after the other, so that warming up is no load yet.
        for part in range(count):
            connection = self._start()
            connection.send(Job(load.share(part, count), numbers[part::count]))
            error = self._receive(connection, _PREPARE_SECONDS)
            if error is not None:
                raise LoadError(error)

    def run(self, progress: Callable[[Progress], None] = lambda _: None) -> LoadResult:
        """Make the load; return when it is over.

        SIGINT and SIGTERM end it early, and what was measured by then is returned.

        Args:
            progress: called about once a second, and at the end.

        Raises:
            LoadError: a process has died, or did not end in time.
        """
        begin = time.monotonic() + _LEAD_SECONDS
        result = LoadResult()
        with _noted_signals() as signals:
            for connection in self._connections:
                connection.send(begin)
            deadline = begin + self._load.seconds + _RESULT_SECONDS
            latest: dict[Any, Progress] = {}
            working: list[Any] = list(self._connections)
            while working:
                if signals and not self.interrupted:
                    self.interrupted = True
                    deadline = time.monotonic() + _RESULT_SECONDS
                    for connection in working:
                        # It may have ended by itself.
                        with contextlib.suppress(OSError):
                            connection.send("stop")
                for ready in wait(working, _LOOK_SECONDS):
                    answer = self._receive(ready)  # type: ignore[arg-type]
                    if isinstance(answer, Progress):
                        latest[ready] = answer
                        progress(_sum(latest.values()))
                    else:
                        working.remove(ready)
                        result.add(answer)
                if time.monotonic() > deadline:
                    raise LoadError("the load did not end in time")
        counts = result.counts
        progress(Progress(result.seconds, counts.runs_ok, counts.runs_failed, counts.runs_cut, counts.retries))
        return result

    def _start(self) -> Connection[Any, Any]:
        ours, theirs = Pipe()
        self._connections.append(ours)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "geventcore.simulation.load_worker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # Of its own, so that Ctrl-C on the terminal is for this process, which ends the load properly.
                start_new_session=True,
            )
        self._processes.append(process)
        return ours

    @staticmethod
    def _receive(connection: Connection[Any, Any], seconds: float | None = None) -> Any:
        """Return the next object of a process."""
        if not connection.poll(seconds):
            raise LoadError(f"a process of the load was not prepared within {seconds:.0f} s")
        try:
            return connection.recv()
        except (EOFError, OSError) as error:
            raise LoadError("a process of the load has ended without its result") from error

    def _count(self) -> int:
        load = self._load
        needed = -(-load.most_at_once // _CLIENTS_PER_PROCESS)
        count = load.processes or min(len(os.sched_getaffinity(0)), needed)
        return max(1, min(count, load.most_at_once))


@contextlib.contextmanager
def _noted_signals() -> Iterator[list[int]]:
    """Keep the numbers of SIGINT and SIGTERM in a list instead of interrupting whatever is being executed."""
    numbers: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield numbers
        return

    def note(number: int, _frame: FrameType | None) -> None:
        numbers.append(number)

    handlers = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield numbers
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _sum(parts: Any) -> Progress:
    listed = list(parts)
    seconds = max(part.seconds for part in listed)
    ok, failed, under_way, retries = (
        sum(getattr(part, name) for part in listed) for name in ("ok", "failed", "under_way", "retries")
    )
    return Progress(seconds, ok, failed, under_way, retries)
