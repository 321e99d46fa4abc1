"""Snapshots of a process's metrics that can be sent to other processes as JSON."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from geventcore.metrics.families import Sample, families
from geventcore.metrics.process import start_ticks


@dataclass(frozen=True)
class Snapshot:
    """The values of one process.

    Attributes:
        process: identification of the process, see `process_name`.
        time: time on the clock of `time.monotonic`, which all processes share.
        samples: family -> samples.
    """

    process: str
    time: float
    samples: dict[str, list[Sample]]

    def as_json(self) -> dict[str, Any]:
        """Return the snapshot as a JSON value."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Snapshot:
        """Make a snapshot from the result of `as_json`."""
        samples: dict[str, list[Sample]] = {
            family: [(name, tuple((label, text) for label, text in labels), value) for name, labels, value in found]
            for family, found in data["samples"].items()
        }
        return cls(data["process"], data["time"], samples)


def process_name() -> str:
    """Return an identification of this process that is unique until the next boot."""
    pid = os.getpid()
    return f"{pid}:{start_ticks(pid)}"


def is_running(process: str) -> bool:
    """Return whether the process with an identification of `process_name` still runs."""
    pid, _, ticks = process.partition(":")
    return str(start_ticks(int(pid))) == ticks


class Sampler:
    """Takes snapshots of this process."""

    def __init__(self) -> None:
        self._refreshers: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def add(self, refresh: Callable[[], None]) -> None:
        """Call `refresh` before each snapshot to update gauges. It must not block."""
        self._refreshers.append(refresh)

    def take(self) -> Snapshot:
        """Return a snapshot of the current values."""
        with self._lock:
            return self._take()

    def _take(self) -> Snapshot:
        for refresh in self._refreshers:
            refresh()
        samples = {family.definition.name: family.samples() for family in families()}
        return Snapshot(process_name(), time.monotonic(), samples)
