"""The plugin: has clients run the scripts in ``Probes/`` and keeps what they say.

A line of a result that begins with ``group:<name>`` puts the client into that group, if ``[probes] allowed_groups``
allows it; the rest of such a line means nothing, and it is taken out. What remains is the result. An upload replaces
all groups and results of the client.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from lxml import etree

from geventcore.options import Option, types
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Connector, Probing
from geventcore.plugins.probes.files import OTHER_NAME, SCRIPT_NAME, ProbeFile
from geventcore.plugins.probes.probe_data import ProbeData
from geventcore.plugins.probes.store import ClientProbes, ProbeStore, XMLProbeStore
from geventcore.specfiles.directory import Directory
from geventcore.specfiles.specificity import Candidates

USE_DATABASE = Option(
    "probes",
    "use_database",
    types.BOOLEAN,
    False,
    "Whether the results of probes are kept in the database.\n\nWithout it they are in Probes/probed.xml. Several "
    "machines that serve the same clients need it.",
    at_start=True,
)

ALLOWED_GROUPS = Option(
    "probes",
    "allowed_groups",
    types.ANCHORED_REGEXES,
    ".*",
    "The groups that probes may put a client into: regular expressions with white space between them.\n\n"
    "A client decides what its probes say. Set this if a client must not be able to take a group that gives it other "
    "clients' secrets. An expression has to match the whole name.",
)

_GROUP_LINE = re.compile(r"group:\s*(\S+)")
STORE_NAME = "probed.xml"


class Probes(Plugin, Probing, Connector):
    """Serves probes and takes their results."""

    name = "Probes"
    options = (USE_DATABASE, ALLOWED_GROUPS)

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._candidates: list[tuple[str, Candidates[ProbeFile]]] | None = None
        self._files = Directory(
            self.directory,
            context.file_monitor,
            lambda path: ProbeFile(path, context.encoding),
            SCRIPT_NAME,
            recursive=False,
            ignore=OTHER_NAME,
            on_change=self._forget_candidates,
        )
        self._store: ProbeStore = self._open_store()

    def _open_store(self) -> ProbeStore:
        if self.context.settings[USE_DATABASE]:
            from geventcore.plugins.probes.database_store import DatabaseProbeStore

            return DatabaseProbeStore(self.context)
        store = XMLProbeStore(self.directory / STORE_NAME, self.context, self.context.expire_metadata)
        self.context.file_monitor.add_monitor(str(store.path), store)
        return store

    def _forget_candidates(self) -> None:
        self._candidates = None

    def _probes(self) -> list[tuple[str, Candidates[ProbeFile]]]:
        """Name -> the files of that name, sorted by name."""
        if self._candidates is None:
            by_name: dict[str, list[ProbeFile]] = {}
            for file in self._files.children.values():
                by_name.setdefault(file.name, []).append(file)
            self._candidates = [(name, Candidates(by_name[name])) for name in sorted(by_name)]
        return self._candidates

    def get_probes(self, metadata: ClientMetadata) -> list[etree._Element]:
        """The most specific script of each name, sorted by name."""
        start = time.perf_counter()
        probes = []
        for name, candidates in self._probes():
            file = candidates.best(metadata)
            if file is not None and file.script is not None:
                probe = etree.Element("probe", name=name, source=self.name, interpreter=file.interpreter)
                probe.text = file.script
                probes.append(probe)
        self.context.measure("Probes:GetProbes", time.perf_counter() - start)
        return probes

    def receive_data(self, metadata: ClientMetadata, data: Sequence[etree._Element]) -> None:
        """Replace the client's groups and results."""
        groups: dict[str, None] = {}
        results: dict[str, ProbeData] = {}
        for element in data:
            name = element.get("name")
            if name is None:
                self.log.warning("%s sent a result that names no probe; ignored", metadata.hostname)
                continue
            if element.text is None:
                self.log.info("%s: the result of probe %s is empty", metadata.hostname, name)
            found, result = self._read_result(element.text or "", name, metadata)
            groups.update(dict.fromkeys(found))
            results[name] = ProbeData(result)
        self._store.replace(metadata.hostname, ClientProbes(tuple(groups), results))

    def _read_result(self, text: str, probe: str, metadata: ClientMetadata) -> tuple[list[str], str]:
        """The groups that a result names, and what remains of it."""
        if "group:" not in text:
            return [], text
        allowed = self.context.settings[ALLOWED_GROUPS]
        groups, rest = [], []
        for line in text.split("\n"):
            match = _GROUP_LINE.match(line)
            if match is None:
                rest.append(line)
                continue
            group = match.group(1)
            if any(pattern.match(group) for pattern in allowed):
                groups.append(group)
            else:
                self.log.warning(
                    "%s: probe %s may not put it into group %s ([probes] allowed_groups)",
                    *(metadata.hostname, probe, group),
                )
        return groups, "\n".join(rest)

    def get_additional_groups(self, metadata: ClientMetadata) -> list[str]:
        """The groups of the last upload."""
        probes = metadata.scratch[self] = self._store.get(metadata.hostname)
        return list(probes.groups)

    def get_additional_data(self, metadata: ClientMetadata) -> Mapping[str, Any]:
        """Probe name -> result of the last upload."""
        # Of the same upload as the groups, if those were asked for.
        probes = metadata.scratch.pop(self, None) or self._store.get(metadata.hostname)
        return dict(probes.data)
