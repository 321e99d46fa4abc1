"""Editor: files of clients, changed by substitutions, as in Bcfg2 1.3 (docs: reference/plugins/legacy).

``Editor/etc/ntp.conf/edits`` has one ``pattern,replacement`` a line: a regular expression, and the replacement of its
matches in each line of the file. A probe uploads the client's file, which is stored as ``ntp.conf.H_<host>``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from lxml import etree

from geventcore.errors import PluginExecutionError, RepositoryError
from geventcore.filemonitor import FileEvent
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Probing
from geventcore.plugin.specificity import Specificity, file_name
from geventcore.plugins.cfg.content import Content
from geventcore.plugins.cfg.handlers import CfgGenerator, CfgHandler, HandlerTable
from geventcore.plugins.cfg.info import InfoXML
from geventcore.plugins.cfg.legacy_info import LegacyInfo
from geventcore.plugins.cfg.plugin import FileGenerator
from geventcore.regular_files import read_text
from geventcore.repository.durable_writes import write_durably


class Edits(CfgGenerator):
    """``edits``: the substitutions for all clients or for some."""

    basenames = ("edits",)

    def __init__(self, path: Path, specificity: Specificity, context: PluginContext) -> None:
        super().__init__(path, specificity, context)
        self._edits: list[tuple[re.Pattern[str], str]] | None = None

    def handle_event(self, event: FileEvent) -> None:
        edits = []
        for number, line in enumerate(self.read().decode(self.context.encoding, "replace").splitlines(), 1):
            if not line.strip():
                continue
            pattern, comma, replacement = line.partition(",")
            try:
                edits.append((re.compile(pattern), replacement.partition(",")[0]))
            except re.error as err:
                raise RepositoryError(f"{self.path}: line {number}: invalid regular expression: {err}") from err
            if not comma:
                raise RepositoryError(f"{self.path}: line {number}: expected pattern,replacement")
        self._edits = edits

    def get_content(self, entry: etree._Element, metadata: ClientMetadata) -> Content:
        if self._edits is None:
            raise PluginExecutionError(f"{self.path}: no version of this file is valid; see the log")
        source = self.path.with_name(file_name(self.path.parent.name, Specificity(metadata.hostname)))
        try:
            lines = read_text(source, self.context.encoding).split("\n")
        except FileNotFoundError as err:
            raise PluginExecutionError(f"{metadata.hostname} has not uploaded its {entry.get('name')} yet") from err
        except (OSError, UnicodeDecodeError) as err:
            raise PluginExecutionError(f"{source}: cannot be read: {err}") from err
        for pattern, replacement in self._edits:
            try:
                lines = [pattern.sub(replacement, line) for line in lines]
            except (re.error, IndexError) as err:
                raise PluginExecutionError(f"{self.path}: invalid replacement {replacement!r}: {err}") from err
        return Content.of_text("\n".join(lines), self.context.encoding, self.path)


class Upload(CfgHandler):
    """The file of a client, as it was uploaded."""

    priority = 100

    def handle_event(self, event: FileEvent) -> None:
        """Do nothing: the file is read when the entry is bound."""


class Editor(FileGenerator, Probing):
    """A plugin that changes files of clients by substitutions."""

    deprecated = True

    def handler_table(self) -> HandlerTable:
        return HandlerTable.of_classes([InfoXML, LegacyInfo, Edits, Upload])

    def get_probes(self, metadata: ClientMetadata) -> list[etree._Element]:
        """Return a probe for each file."""
        probes = []
        for name in sorted(self._tree.binders):
            probe = etree.Element("probe", name=name, source=self.name, interpreter="/bin/sh")
            probe.text = f"cat {shlex.quote(name)}"
            probes.append(probe)
        return probes

    def receive_data(self, metadata: ClientMetadata, data: Sequence[etree._Element]) -> None:
        """Store the uploaded files that have changed; `PluginExecutionError` if that fails."""
        for element in data:
            name = element.get("name", "")
            if name not in self._tree.binders:
                self.log.warning("%s: ignoring the upload of %r, which is not edited", metadata.hostname, name[:200])
                continue
            directory = self.directory / name.lstrip("/")
            path = directory / file_name(directory.name, Specificity(metadata.hostname))
            content = (element.text or "").encode(self.context.encoding, "replace")
            try:
                if not path.exists() or path.read_bytes() != content:
                    self.context.offload(write_durably, path, content)
            except OSError as err:
                raise PluginExecutionError(f"{path}: cannot be written: {err.strerror}") from err
