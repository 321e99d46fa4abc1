"""Processor time and memory of a tree of processes, from /proc."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Peak:
    """The largest values seen.

    Attributes:
        rss_bytes: resident memory, where pages shared by processes count once for each.
        pss_bytes: proportional memory, where they count once in all.
        processes: number of processes.
    """

    rss_bytes: int = 0
    pss_bytes: int = 0
    processes: int = 0


class Meter:
    """Watches the process `pid` and its descendants until the `with` block ends."""

    def __init__(self, pid: int, interval_seconds: float = 0.5) -> None:
        self._pid = pid
        self._interval = interval_seconds
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak = Peak()

    def __enter__(self) -> Meter:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._done.set()
        self._thread.join()

    def cpu_seconds(self) -> float:
        """User and system time up to now, with that of children which have ended and been waited for."""
        return sum(_cpu_seconds(pid) for pid in process_tree(self._pid))

    def _watch(self) -> None:
        while True:
            tree = process_tree(self._pid)
            self.peak = Peak(
                max(self.peak.rss_bytes, sum(map(_rss_bytes, tree))),
                max(self.peak.pss_bytes, sum(map(_pss_bytes, tree))),
                max(self.peak.processes, len(tree)),
            )
            if self._done.wait(self._interval):
                return


def memory(root: int) -> tuple[int, int]:
    """Resident and proportional memory of a process and its descendants now, in bytes."""
    tree = process_tree(root)
    return sum(map(_rss_bytes, tree)), sum(map(_pss_bytes, tree))


def process_tree(root: int) -> list[int]:
    """`root` and all its descendants."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = _stat_fields(int(entry))
            if fields:
                children[int(fields[1])].append(int(entry))
    tree = [root]
    for pid in tree:
        tree += children[pid]
    return tree


def _stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty if the process is gone."""
    text = _read(pid, "stat")
    return text[text.rindex(")") + 2 :].split() if text else []


def _cpu_seconds(pid: int) -> float:
    fields = _stat_fields(pid)
    return sum(map(int, fields[11:15])) / _TICKS_PER_SECOND


def _rss_bytes(pid: int) -> int:
    text = _read(pid, "statm")
    return int(text.split()[1]) * _PAGE_BYTES if text else 0


def _pss_bytes(pid: int) -> int:
    for line in _read(pid, "smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _read(pid: int, name: str) -> str:
    """A file below /proc/PID; empty if the process is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
