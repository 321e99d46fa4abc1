"""``Bcfg2.Utils``: running programs, locking files, ranges of numbers."""

from __future__ import annotations

import fcntl
import re
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["ClassName", "Executor", "ExecutorResult", "PackedDigitRange", "locked"]


class ClassName:
    """A class attribute with the name of the class."""

    def __get__(self, instance: object, owner: type) -> str:
        return owner.__name__


@dataclass
class ExecutorResult:
    """The result of a program.

    Attributes:
        stdout, stderr: its output.
        retval: its exit status; None if it could not be run or was killed.
        error: the reason of its failure, or None.
    """

    stdout: str
    stderr: str
    retval: int | None
    error: str | None = None

    @property
    def success(self) -> bool:
        return self.retval == 0

    def __bool__(self) -> bool:
        return self.success

    def __iter__(self) -> Any:
        return iter((self.success, self.stdout.splitlines()))


class Executor:
    """A runner of programs."""

    def __init__(self, timeout: float | None = None) -> None:
        """Kill a program after `timeout` seconds."""
        self.timeout = timeout

    def run(
        self,
        command: str | Sequence[str],
        inputdata: str | None = None,
        timeout: float | None = None,
        shell: bool = False,
        **named: Any,
    ) -> ExecutorResult:
        """Run a program to its end. Without `shell`, a text is split into words like in a shell."""
        words: str | Sequence[str] = shlex.split(command) if isinstance(command, str) and not shell else command
        try:
            done = subprocess.run(
                words,
                input=inputdata,
                stdin=subprocess.DEVNULL if inputdata is None else None,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=self.timeout if timeout is None else timeout,
                shell=shell,
                check=False,
                **named,
            )
        except OSError as err:
            return ExecutorResult("", str(err), None, str(err))
        except subprocess.TimeoutExpired as err:
            return ExecutorResult("", "", None, str(err))
        error = (done.stderr.strip() or f"status {done.returncode}") if done.returncode else None
        return ExecutorResult(done.stdout, done.stderr, done.returncode, error)


def locked(fd: int) -> bool:
    """Lock a file; return true if another process has already locked it."""
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


class PackedDigitRange:
    """Ranges of numbers as a text: ``1-4,9,20-`` (the last one has no end)."""

    def __init__(self, *ranges: str) -> None:
        self._ranges: list[tuple[int, int | None]] = []
        for part in ",".join(ranges).split(","):
            match = re.fullmatch(r"\s*(\d+)(?:(-)(\d*))?\s*", part)
            if match is None:
                raise ValueError(f"{part!r} is neither a number nor a range")
            last = match[3] if match[2] else match[1]
            self._ranges.append((int(match[1]), int(last) if last else None))

    def includes(self, other: str | int) -> bool:
        """Return true if a number is in one of the ranges."""
        number = int(other)
        return any(first <= number and (last is None or number <= last) for first, last in self._ranges)

    def __contains__(self, other: str | int) -> bool:
        return self.includes(other)
