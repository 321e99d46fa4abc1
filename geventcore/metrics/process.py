"""Memory, descriptors and processor time of processes, from /proc."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

from geventcore.metrics.definitions import (
    CPU_SECONDS,
    OPEN_FILES,
    OPEN_FILES_LIMIT,
    PROCESS_START,
    PROPORTIONAL_BYTES,
    RESIDENT_BYTES,
)

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def start_ticks(pid: int) -> int | None:
    """Return the start time of a process in clock ticks since boot; None if it does not run.

    Process number and start time identify a process until the next boot.
    """
    try:
        # The program's name, in parentheses, may contain any character.
        fields = (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])


def proportional_bytes(process: str = "self") -> int | None:
    """Return the proportional memory (PSS) of a process in bytes; None if the kernel denies access."""
    try:
        for line in (_PROC / process / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        # After a change of the user, only root may read it.
        return None
    return None


class ProcessMeter:
    """Updates the metrics of this process."""

    def __init__(self) -> None:
        self._pid = 0
        self._start_time = 0.0
        self._cpu_seconds = 0.0

    def refresh(self) -> None:
        """Update the metrics."""
        pid = os.getpid()
        if pid != self._pid:
            self._pid, self._cpu_seconds = pid, 0.0
            self._start_time = _boot_time() + (start_ticks(pid) or 0) / _TICKS
        name = str(pid)
        PROCESS_START.set(self._start_time, name)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu_seconds = usage.ru_utime + usage.ru_stime
        CPU_SECONDS.inc(by=max(0.0, cpu_seconds - self._cpu_seconds))
        self._cpu_seconds = cpu_seconds
        RESIDENT_BYTES.set(int((_PROC / "self" / "statm").read_text().split()[1]) * _PAGE_BYTES, name)
        proportional = proportional_bytes()
        if proportional is not None:
            PROPORTIONAL_BYTES.set(proportional, name)
        # Listing the directory opens one more descriptor.
        OPEN_FILES.set(len(os.listdir(_PROC / "self" / "fd")) - 1, name)
        OPEN_FILES_LIMIT.set(resource.getrlimit(resource.RLIMIT_NOFILE)[0], name)


class OtherProcessMeter:
    """Updates the metrics of a process that does not measure itself."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def refresh(self) -> None:
        """Update the metrics, without values that only root may read after a change of the user."""
        name = str(self._pid)
        ticks = start_ticks(self._pid)
        if ticks is None:
            return
        with suppress(OSError):
            PROCESS_START.set(_boot_time() + ticks / _TICKS, name)
            RESIDENT_BYTES.set(int((_PROC / name / "statm").read_text().split()[1]) * _PAGE_BYTES, name)
            proportional = proportional_bytes(name)
            if proportional is not None:
                PROPORTIONAL_BYTES.set(proportional, name)
            OPEN_FILES.set(len(os.listdir(_PROC / name / "fd")), name)
            OPEN_FILES_LIMIT.set(resource.prlimit(self._pid, resource.RLIMIT_NOFILE)[0], name)


def _boot_time() -> float:
    for line in (_PROC / "stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0
