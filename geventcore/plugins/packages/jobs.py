"""The orders to bring a cache up to date, and the process that carries them out.

The process is `geventcore.plugins.packages.refreshing`. Nothing is imported from there, so that a server does not load
what only that process needs.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from geventcore.plugins.packages.kinds.base import Origin

log = logging.getLogger(__name__)

#: How long the process has to end after it was told to, in seconds.
END_SECONDS = 5.0


@dataclass(frozen=True)
class JobSource:
    """A source as a job needs it.

    Attributes:
        origin: its files.
        keys: the URLs of its keys.
        fetch_before: it is fetched if that was last done before this time, in seconds since the epoch.
    """

    origin: Origin
    keys: tuple[str, ...] = ()
    fetch_before: float = 0.0


@dataclass(frozen=True)
class Job:
    """The order to bring a cache up to date.

    Attributes:
        cache: the directory.
        sources: all sources, each origin once.
        settings: the fields of `DownloadSettings`.
        signatures: ``check``, ``require`` or ``ignore``.
        reads_data: false if only keys are wanted.
        fetches_keys: true if keys that have been fetched are fetched again.
        output: a directory for the indexes of sources that have none. Nothing is fetched then, nor written elsewhere.
        reports_progress: true for a line on standard error about each step.
    """

    cache: str
    sources: tuple[JobSource, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    signatures: str = "check"
    reads_data: bool = True
    fetches_keys: bool = False
    output: str = ""
    reports_progress: bool = False

    def as_json(self) -> str:
        """The text that `parse_job` reads."""
        return json.dumps(dataclasses.asdict(self))


def parse_job(text: str) -> Job:
    """Read the text of `Job.as_json`."""
    values: dict[str, Any] = json.loads(text)
    sources = []
    for one in values.pop("sources"):
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in one["origin"].items()
        }
        sources.append(JobSource(Origin(**fields), tuple(one["keys"]), one["fetch_before"]))
    return Job(**values, sources=tuple(sources))


class JobRunner:
    """Runs jobs, one at a time."""

    def __init__(self) -> None:
        self._working = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopped = False

    def run(self, job: Job, seconds: float) -> None:
        """Run a job in a process of its own, and wait until it ends, for `seconds` at most. Failures are logged."""
        with self._working:
            if not self._is_stopped:
                try:
                    self._run(job, seconds)
                except (OSError, ValueError) as err:
                    log.error("Package sources are not up to date: cannot run the process that fetches them: %s", err)

    def _run(self, job: Job, seconds: float) -> None:
        # It does not get the terminal's signals: the server tells it to end.
        process = subprocess.Popen(
            [sys.executable, "-m", "geventcore.plugins.packages.refreshing"],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=None if job.reports_progress else subprocess.PIPE,
            start_new_session=True,
        )
        with process:
            self._process = process
            try:
                _, errors = process.communicate(job.as_json().encode(), seconds)
            except subprocess.TimeoutExpired:
                log.error("Package sources are not up to date: they could not be fetched within %g seconds", seconds)
                return
            finally:
                self._process = None
                if process.poll() is None:
                    _end(process)
        if process.returncode and not self._is_stopped:
            reason = (errors or b"").decode("utf-8", "replace").strip().rpartition("\n")[2]
            log.error(
                "Package sources are not up to date: the process that fetches them ended with status %d: %s",
                process.returncode,
                reason or "no message",
            )

    def stop(self) -> None:
        """End the process that runs, and start no other."""
        self._is_stopped = True
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
