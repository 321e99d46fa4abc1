"""Long results of probes: each in a file of its own, read when somebody wants it.

The other results are in memory and in ``probed.xml``, which is written as a whole. With long ones, both would grow
beyond all bounds: 200 clients with 2 MB each take 400 MB in every process, and every upload writes them all again.

A file's name is the SHA-256 of the client, the probe and the result, so nothing in a name is chosen by a client, and a
file never changes. ``probed.xml`` has the name (``<Probe name= value="" stored=/>``). Bcfg2 sees an empty result there
until the client uploads again.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import time
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from geventcore.errors import PluginExecutionError
from geventcore.plugins.probes.probe_data import ProbeData
from geventcore.repository.durable_writes import make_directories, write_durably

log = logging.getLogger(__name__)

#: A result with more characters is a long one. Results of real probes are some lines.
LONG_CHARACTERS = 64 * 1024
DIRECTORY_NAME = ".long-results"
#: An unused file is removed at this age, in seconds: another process may be about to refer to a younger one.
UNUSED_SECONDS = 600.0

_FILE_NAME = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class LongResult:
    """A reference to a file."""

    name: str

    @classmethod
    def parse(cls, text: str) -> LongResult | None:
        """Return the reference that a file name is; None if it is none."""
        return cls(text) if _FILE_NAME.fullmatch(text) else None


class LongResults:
    """The directory of long results."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def store(self, hostname: str, probe: str, text: str) -> LongResult:
        """Store a result durably; blocks. `OSError` if that fails."""
        data = text.encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(f"{hostname}\0{probe}\0".encode())
        digest.update(data)
        result = LongResult(digest.hexdigest())
        path = self.directory / result.name
        try:
            # It looks new to those who remove unused files.
            os.utime(path)
        except FileNotFoundError:
            make_directories(self.directory)
            write_durably(path, data, 0o600)
        return result

    def load(self, result: LongResult) -> ProbeData:
        """Return a result; `PluginExecutionError` if its file is gone or cannot be read."""
        path = self.directory / result.name
        try:
            return ProbeData(path.read_bytes().decode("utf-8", "surrogatepass"))
        except (OSError, ValueError) as err:
            reason = getattr(err, "strerror", None) or err
            raise PluginExecutionError(
                f"{path}: the result of a probe cannot be read: {reason}; the client's next upload replaces it"
            ) from err

    def remove_unused(self, used: Container[str]) -> None:
        """Remove old files whose names are not among those in use; blocks."""
        latest = time.time() - UNUSED_SECONDS
        with contextlib.suppress(FileNotFoundError), os.scandir(self.directory) as entries:
            for entry in entries:
                # A crash may have left temporary files, too.
                if entry.name not in used and entry.stat(follow_symlinks=False).st_mtime < latest:
                    os.unlink(entry.path)


class ResultsOfClient(Mapping[str, ProbeData]):
    """All results of a client by name; a long one is read at each access."""

    def __init__(self, short: Mapping[str, ProbeData], long: Mapping[str, LongResult], files: LongResults) -> None:
        self._short = short
        self._long = long
        self._files = files

    def __getitem__(self, name: str) -> ProbeData:
        result = self._long.get(name)
        return self._short[name] if result is None else self._files.load(result)

    def __contains__(self, name: object) -> bool:
        return name in self._short or name in self._long

    def __iter__(self) -> Iterator[str]:
        return iter([*self._short, *self._long])

    def __len__(self) -> int:
        return len(self._short) + len(self._long)
