"""All values of one process at one moment, as JSON can carry them from process to process."""

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
    """What one process has counted.

    Attributes:
        process: names the process: number and start, see `process_name`.
        time: when it was taken, on `time.monotonic`'s clock, which all processes share.
        samples: family -> its samples.
    """

    process: str
    time: float
    samples: dict[str, list[Sample]]

    def as_json(self) -> dict[str, Any]:
        """What JSON can carry."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Snapshot:
        """The snapshot that `as_json` was made of."""
        samples: dict[str, list[Sample]] = {
            family: [(name, tuple((label, text) for label, text in labels), value) for name, labels, value in found]
            for family, found in data["samples"].items()
        }
        return cls(data["process"], data["time"], samples)


def process_name() -> str:
    """Names this process for as long as the machine runs."""
    pid = os.getpid()
    return f"{pid}:{start_ticks(pid)}"


def is_running(process: str) -> bool:
    """Whether a process, named by `process_name`, still runs."""
    pid, _, ticks = process.partition(":")
    return str(start_ticks(int(pid))) == ticks


class Sampler:
    """Takes snapshots of this process."""

    def __init__(self) -> None:
        self._refreshers: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def add(self, refresh: Callable[[], None]) -> None:
        """Have `refresh` called before each snapshot, to bring gauges up to date; it must not wait."""
        self._refreshers.append(refresh)

    def take(self) -> Snapshot:
        """All values of now."""
        with self._lock:
            return self._take()

    def _take(self) -> Snapshot:
        for refresh in self._refreshers:
            refresh()
        samples = {family.definition.name: family.samples() for family in families()}
        return Snapshot(process_name(), time.monotonic(), samples)
