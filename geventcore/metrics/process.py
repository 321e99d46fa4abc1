"""Memory, descriptors and processor time of this process, as the kernel's files in /proc tell them."""

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
    """When a process was started, in clock ticks since the machine was; None if it does not run.

    Together with its number that names a process for as long as the machine runs.
    """
    try:
        # The name of the program, in parentheses, may hold anything.
        fields = (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])


def proportional_bytes(process: str = "self") -> int | None:
    """A process's memory, of shared memory only its share; None if the kernel does not tell."""
    try:
        for line in (_PROC / process / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        # After a change of the user the kernel keeps it for root.
        return None
    return None


class ProcessMeter:
    """Brings the metrics about this process up to date."""

    def __init__(self) -> None:
        self._pid = 0
        self._start_time = 0.0
        self._cpu_seconds = 0.0

    def refresh(self) -> None:
        """Look at this process."""
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
        # Listing the directory opens one more.
        OPEN_FILES.set(len(os.listdir(_PROC / "self" / "fd")) - 1, name)
        OPEN_FILES_LIMIT.set(resource.getrlimit(resource.RLIMIT_NOFILE)[0], name)


class OtherProcessMeter:
    """Brings the metrics about a process up to date that does not measure itself."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def refresh(self) -> None:
        """Look at it. After a change of the user the kernel keeps some of it for root, and that is left out."""
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
