"""Memory, processor time, descriptors and threads of the processes of a server on this machine, over time.

Memory is the proportional set size where the kernel tells it: pages that processes share count once in all, so that a
sum over workers that were forked from one master is what the machine has to give. psutil is an extra; without it there
are no samples.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from geventcore.errors import ConfigError

if TYPE_CHECKING:
    import psutil

DEFAULT_INTERVAL_SECONDS = 0.5


@dataclass(frozen=True)
class ProcessSample:
    """One process at one moment; memory in bytes, processor time in seconds since it began."""

    pid: int
    name: str
    cpu_seconds: float
    rss: int
    pss: int
    descriptors: int
    threads: int


@dataclass(frozen=True)
class Sample:
    """All processes of a server at one moment, `seconds` after the sampling began.

    Attributes:
        cpu_seconds: user and system time of all of them, and of those that have ended.
        rss, pss: bytes of memory.
    """

    seconds: float
    cpu_seconds: float
    rss: int
    pss: int
    descriptors: int
    threads: int
    processes: int


@dataclass
class Samples:
    """The samples of a load.

    Attributes:
        largest: the processes at the moment when they took most memory together.
    """

    samples: list[Sample] = field(default_factory=list)
    largest: Sequence[ProcessSample] = ()

    @property
    def peak_pss(self) -> int:
        """The most memory at any moment, in bytes."""
        return max((sample.pss for sample in self.samples), default=0)

    @property
    def peak_rss(self) -> int:
        """The same, with shared pages counted for each process."""
        return max((sample.rss for sample in self.samples), default=0)

    def as_json(self) -> Mapping[str, Any]:
        """Return columns, and the processes."""
        names = Sample.__dataclass_fields__
        return {
            "over_time": {name: [getattr(sample, name) for sample in self.samples] for name in names},
            "largest": [asdict(process) for process in self.largest],
        }


class Sampler:
    """Watches processes and all their descendants until the `with` block ends.

    Args:
        roots: process ids.

    Raises:
        ConfigError: psutil is not installed.
    """

    def __init__(self, roots: Iterable[int], interval_seconds: float = DEFAULT_INTERVAL_SECONDS) -> None:
        self._psutil = _psutil()
        self._roots = list(roots)
        self._interval = interval_seconds
        self._known: dict[int, psutil.Process] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._begin = time.monotonic()
        self.result = Samples()

    def __enter__(self) -> Sampler:
        self._begin = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()

    def cpu_seconds(self) -> float:
        """Return processor time up to now, with that of children which have ended and been waited for."""
        return sum(_cpu_seconds(process, self._psutil.Error) for process in self._tree())

    def processes(self) -> list[ProcessSample]:
        """Return the processes as they are now."""
        found = (self._look_at(process) for process in self._tree())
        return [sample for sample in found if sample is not None]

    def _watch(self) -> None:
        while True:
            self._take()
            if self._ended.wait(self._interval):
                self._take()
                return

    def _take(self) -> None:
        moment = time.monotonic() - self._begin
        processes = self.processes()
        if not processes:
            return
        sample = Sample(
            moment,
            sum(one.cpu_seconds for one in processes),
            sum(one.rss for one in processes),
            sum(one.pss for one in processes),
            sum(one.descriptors for one in processes),
            sum(one.threads for one in processes),
            len(processes),
        )
        if sample.pss >= self.result.peak_pss:
            self.result.largest = processes
        self.result.samples.append(sample)

    def _tree(self) -> list[psutil.Process]:
        """Return the processes that exist. Objects are kept: psutil knows by them when a number is used again."""
        found: dict[int, psutil.Process] = {}
        for root in self._roots:
            try:
                process = self._known.get(root) or self._psutil.Process(root)
                for one in (process, *process.children(recursive=True)):
                    found.setdefault(one.pid, self._known.get(one.pid, one))
            except self._psutil.Error:
                continue
        self._known = found
        return list(found.values())

    def _look_at(self, process: psutil.Process) -> ProcessSample | None:
        try:
            with process.oneshot():
                memory = process.memory_full_info()
                return ProcessSample(
                    process.pid,
                    process.name(),
                    _cpu_seconds(process, self._psutil.Error),
                    memory.rss,
                    getattr(memory, "pss", memory.rss),
                    process.num_fds(),
                    process.num_threads(),
                )
        except self._psutil.Error:
            return None


def listening_processes(port: int) -> list[int]:
    """Return the processes of this machine that listen on a TCP port, without those whose parents do, too.

    Raises:
        ConfigError: psutil is not installed.
    """
    psutil = _psutil()
    try:
        listening = {
            connection.pid
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
        }
    except psutil.Error:
        return []
    roots = []
    for pid in listening - {None}:
        try:
            if psutil.Process(pid).ppid() not in listening:
                roots.append(pid)
        except psutil.Error:
            continue
    return sorted(roots)


def _cpu_seconds(process: psutil.Process, gone: type[Exception]) -> float:
    try:
        times = process.cpu_times()
    except gone:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _psutil() -> Any:
    try:
        import psutil
    except ImportError as error:
        raise ConfigError(
            "the server's processes cannot be watched without psutil: pip install 'geventcore[bench]'"
        ) from error
    return psutil
