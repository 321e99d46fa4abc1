"""Deltas of Bcfg2 1.3: ``<base>….cat`` and ``<base>….diff`` change the content that another file generates.

A delta is applied for the clients in its name if it is at least as specific as the file that generates the content.
Several are applied one after the other, the least specific first. Created content is not changed.

A host or group may have a name that ends like a delta: ``motd.H_www.example.cat`` is content for ``www.example.cat``,
and a delta for ``www.example``. Such a file is both (`PlainAndDelta`). But while ``www.example.cat`` is a client, the
file is its content alone: a client stores files under its own name, and must not change those of another one.
"""

from __future__ import annotations

import subprocess
import tempfile
from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from geventcore.errors import PluginExecutionError, RepositoryError
from geventcore.filemonitor import FileEvent
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.programs import run_to_end
from geventcore.plugin.specificity import Specificity
from geventcore.plugins.cfg.content import Content
from geventcore.plugins.cfg.handlers import CfgDelta
from geventcore.plugins.cfg.plaintext import PlaintextGenerator

#: The timeout of ``patch``, in seconds.
TIMEOUT_SECONDS = 30.0
#: The limit on cached results of a ``.diff``. A plain file has one; a template may produce new contents endlessly.
MAX_KEPT = 64


class PlainAndDelta(PlaintextGenerator):
    """A file that is content for some clients, and a delta for others.

    Attributes:
        delta: the delta.
    """

    def __init__(self, path: Path, specificity: Specificity, context: PluginContext, delta: CfgDelta) -> None:
        super().__init__(path, specificity, context)
        self.delta = delta
        self._host = specificity.hostname

    @property
    def is_content_alone(self) -> bool:
        """True if the host whose content the file is, is a client."""
        return self._host is not None and self._host in self.context.metadata_source.list_clients()

    def handle_event(self, event: FileEvent) -> None:
        super().handle_event(event)
        self.delta.handle_event(event)


def applicable(
    files: Iterable[CfgDelta | PlainAndDelta], specificity: Specificity, metadata: ClientMetadata
) -> list[CfgDelta]:
    """Return the deltas for a client whose content comes from a file of this specificity, in the order of use."""
    found = []
    for file in files:
        delta = file.delta if isinstance(file, PlainAndDelta) else file
        fits = delta.specificity.rank <= specificity.rank and delta.specificity.matches(metadata)
        if fits and not (isinstance(file, PlainAndDelta) and file.is_content_alone):
            found.append(delta)
    found.sort(key=lambda delta: str(delta.path))
    found.sort(key=lambda delta: delta.specificity.rank, reverse=True)
    return found


class _FileDelta(CfgDelta):
    """A delta whose file is kept in memory."""

    def __init__(self, path: Path, specificity: Specificity, context: PluginContext) -> None:
        super().__init__(path, specificity, context)
        self._data: bytes | None = None

    def handle_event(self, event: FileEvent) -> None:
        self._data = None
        self._data = self.read()

    def change(self, content: Content) -> Content:
        if self._data is None:
            raise PluginExecutionError(f"{self.path}: the file could not be read; see the log")
        return Content.of_bytes(self.changed(content.as_bytes(), self._data), self.context.encoding, self.path)

    @abstractmethod
    def changed(self, data: bytes, delta: bytes) -> bytes:
        """Apply the content of the delta; `PluginExecutionError` if that fails."""


class CatDelta(_FileDelta):
    """``<base>….cat``: ``+line`` appends a line at the end, ``-line`` removes the first equal line.

    Other lines are ignored.
    """

    extensions: ClassVar[tuple[str, ...]] = ("cat",)

    def changed(self, data: bytes, delta: bytes) -> bytes:
        lines = data.strip().split(b"\n")
        for line in delta.split(b"\n"):
            if line.startswith(b"+"):
                lines.append(line[1:])
            elif line.startswith(b"-") and line[1:] in lines:
                lines.remove(line[1:])
        return b"\n".join(lines) + b"\n"


class DiffDelta(_FileDelta):
    """``<base>….diff``: a unified diff, applied by the program ``patch``."""

    extensions: ClassVar[tuple[str, ...]] = ("diff",)

    def __init__(self, path: Path, specificity: Specificity, context: PluginContext) -> None:
        super().__init__(path, specificity, context)
        self._results: dict[bytes, bytes] = {}

    def handle_event(self, event: FileEvent) -> None:
        self._results = {}
        super().handle_event(event)

    def changed(self, data: bytes, delta: bytes) -> bytes:
        results = self._results
        result = results.get(data)
        if result is None:
            result = self.context.offload(self._patch, data, delta)
            if len(results) >= MAX_KEPT:
                results.clear()
            results[data] = result
        return result

    def _patch(self, data: bytes, delta: bytes) -> bytes:
        with tempfile.TemporaryDirectory(prefix="geventcore-patch-") as directory:
            source, output = Path(directory, "content"), Path(directory, "changed")
            source.write_bytes(data)
            # -u excludes other formats; those for ed could run commands.
            command = ["patch", "-u", "-f", "-r", "-", "-o", str(output), str(source)]
            try:
                done = run_to_end(command, TIMEOUT_SECONDS, delta)
            except OSError as err:
                raise PluginExecutionError(
                    f"{self.path}: cannot be applied: cannot run the program patch: {err.strerror}"
                ) from err
            except subprocess.TimeoutExpired as err:
                raise PluginExecutionError(f"{self.path}: timeout of patch after {TIMEOUT_SECONDS:g} seconds") from err
            if done.returncode:
                text = " ".join((done.stderr + done.stdout).decode("utf-8", "replace").split())
                raise PluginExecutionError(
                    f"{self.path}: does not apply to the content: {text.replace(str(source), 'the content')}"
                )
            try:
                return output.read_bytes()
            except OSError as err:
                raise RepositoryError(f"{self.path}: patch wrote no result: {err.strerror}") from err
