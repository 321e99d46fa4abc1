"""The plugin Probes: it serves the scripts in ``Probes/`` to clients and stores their results.

A line ``group:<name>`` in the output puts the client into that group, if ``[probes] allowed_groups`` allows it. Such
lines are removed, and the rest is the result. An upload replaces all groups and results of the client.

An upload with more groups, more results or a longer result than the options allow is refused as a whole: with some of
its groups only, the client would get a wrong configuration.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.filemonitor import NOTHING
from geventcore.log import few_of, shortened
from geventcore.options import Option, types
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.explanation import Explaining, GroupReason, Source
from geventcore.plugin.interfaces import Connector, Probing, ResultLimit
from geventcore.plugins.probes.files import OTHER_NAME, SCRIPT_NAME, ProbeFile
from geventcore.plugins.probes.probe_data import ProbeData
from geventcore.plugins.probes.store import ClientProbes, ProbeStore, RememberingStore, XMLProbeStore
from geventcore.specfiles.directory import Directory
from geventcore.specfiles.most_specific import Candidates

USE_DATABASE = Option(
    "probes",
    "use_database",
    types.BOOLEAN,
    False,
    "Store the results of probes in the database instead of Probes/probed.xml.\n\n"
    "Set this if several machines serve the same clients.",
    at_start=True,
)

ALLOWED_GROUPS = Option(
    "probes",
    "allowed_groups",
    types.ANCHORED_REGEXES,
    ".*",
    "The groups that probes may put a client into: regular expressions, separated by white space.\n\n"
    "A client controls the output of its probes. Set this if some groups give access to secrets of other clients. An "
    "expression must match the whole name of a group.",
)

MAX_GROUPS = Option(
    "probes",
    "max_groups",
    types.integer(1),
    1000,
    "The most groups that the probes of a client may put it into. An upload with more is refused.",
)

MAX_RESULTS = Option(
    "probes",
    "max_results",
    types.integer(1),
    1000,
    "The most results that a client may upload at once. An upload with more is refused.",
)

MAX_RESULT_SIZE = Option(
    "probes",
    "max_result_size",
    types.size(1024),
    "16m",
    "The longest result of a probe, in UTF-8. An upload with a longer one is refused.\n\n"
    "[server] max_body limits the whole upload.",
)

#: The longest name of a group or probe, in characters.
LONGEST_NAME = 255

_GROUP_LINE = re.compile(r"group:\s*(\S+)")
STORE_NAME = "probed.xml"


class Probes(Plugin, Probing, Connector, Explaining):
    """A plugin that serves probes and stores their results."""

    #: Its data are in memory.
    reuse_seconds: ClassVar[float] = 0
    name = "Probes"
    options = (USE_DATABASE, ALLOWED_GROUPS, MAX_GROUPS, MAX_RESULTS, MAX_RESULT_SIZE)

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
            effect=lambda _: NOTHING,
        )
        store = self._open_store()
        self._store: ProbeStore = RememberingStore(store) if context.read_only else store

    def _open_store(self) -> ProbeStore:
        if self.context.settings[USE_DATABASE]:
            from geventcore.plugins.probes.database_store import DatabaseProbeStore

            return DatabaseProbeStore(self.context)
        store = XMLProbeStore(self.directory / STORE_NAME, self.context, self.context.forget_client)
        self.context.file_monitor.add_monitor(str(store.path), store)
        return store

    def _forget_candidates(self) -> None:
        self._candidates = None

    def _probes(self) -> list[tuple[str, Candidates[ProbeFile]]]:
        """Return the probes, sorted by name, each with its files."""
        if self._candidates is None:
            by_name: dict[str, list[ProbeFile]] = {}
            for file in self._files.children.values():
                by_name.setdefault(file.name, []).append(file)
            self._candidates = [(name, Candidates(by_name[name])) for name in sorted(by_name)]
        return self._candidates

    def get_probes(self, metadata: ClientMetadata) -> list[etree._Element]:
        """Return the most specific script of each name, sorted by name."""
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

    @property
    def result_limit(self) -> ResultLimit:
        """See `Probing.result_limit`."""
        return ResultLimit(self.context.settings[MAX_RESULT_SIZE], MAX_RESULT_SIZE.label)

    def receive_data(self, metadata: ClientMetadata, data: Sequence[etree._Element]) -> None:
        """Replace the client's groups and results; `PluginExecutionError` for an upload over one of the limits."""
        named = {name: element.text or "" for element in data if (name := element.get("name")) is not None}
        if len(named) < len(data):
            self.log.warning("%s: ignoring results without the name of a probe", metadata.hostname)
        self._check_results(named)
        groups: dict[str, None] = {}
        results: dict[str, ProbeData] = {}
        refused: dict[str, None] = {}
        for name, text in named.items():
            found, not_allowed, result = self._read_result(text)
            groups.update(found)
            refused.update(not_allowed)
            self._check_groups(name, groups)
            results[name] = ProbeData(result)
        empty = [name for name, text in named.items() if not text]
        if empty:
            self.log.info("%s: the results of these probes are empty: %s", metadata.hostname, few_of(empty))
        if refused:
            self.log.warning(
                "%s: ignoring groups from probes that %s does not allow: %s",
                *(metadata.hostname, ALLOWED_GROUPS.label, few_of(refused)),
            )
        self._store.replace(metadata.hostname, ClientProbes(tuple(groups), results))

    def _check_results(self, results: Mapping[str, str]) -> None:
        """Raise `PluginExecutionError` if there are too many results, or one is too long."""
        settings = self.context.settings
        if len(results) > settings[MAX_RESULTS]:
            raise PluginExecutionError(
                f"{len(results)} results of probes; {MAX_RESULTS.label} allows {settings[MAX_RESULTS]}"
            )
        limit = settings[MAX_RESULT_SIZE]
        for name, text in results.items():
            if len(name) > LONGEST_NAME:
                raise PluginExecutionError(
                    f"a probe has the name {shortened(name)!r}; the limit is {LONGEST_NAME} characters"
                )
            # A character has one to four bytes.
            if len(text) * 4 > limit and (size := len(text.encode("utf-8", "replace"))) > limit:
                raise PluginExecutionError(
                    f"the result of the probe {name} has {size} bytes; {MAX_RESULT_SIZE.label} allows {limit}"
                )

    def _check_groups(self, probe: str, groups: Mapping[str, None]) -> None:
        """Raise `PluginExecutionError` if the groups up to those of a probe are too many, or one is too long."""
        limit = self.context.settings[MAX_GROUPS]
        if len(groups) > limit:
            raise PluginExecutionError(
                f"the results up to that of the probe {probe} have {len(groups)} groups; "
                f"{MAX_GROUPS.label} allows {limit}"
            )
        too_long = next((group for group in groups if len(group) > LONGEST_NAME), None)
        if too_long is not None:
            raise PluginExecutionError(
                f"the probe {probe} has the group {shortened(too_long)!r}; the limit is {LONGEST_NAME} characters"
            )

    def _read_result(self, text: str) -> tuple[dict[str, None], dict[str, None], str]:
        """Split the output of a probe into groups, groups that are not allowed, and the result."""
        groups: dict[str, None] = {}
        refused: dict[str, None] = {}
        if "group:" not in text:
            return groups, refused, text
        allowed = self.context.settings[ALLOWED_GROUPS]
        rest = []
        for line in text.split("\n"):
            match = _GROUP_LINE.match(line)
            if match is None:
                rest.append(line)
                continue
            group = match.group(1)
            is_allowed = any(pattern.match(group) for pattern in allowed)
            (groups if is_allowed else refused)[group] = None
        return groups, refused, "\n".join(rest)

    def get_additional_groups(self, metadata: ClientMetadata) -> list[str]:
        """Return the groups of the last upload."""
        probes = metadata.scratch[self] = self._store.get(metadata.hostname)
        return list(probes.groups)

    def get_additional_data(self, metadata: ClientMetadata) -> Mapping[str, Any]:
        """Return probe name -> result of the last upload."""
        probes = metadata.scratch.pop(self, None) or self._store.get(metadata.hostname)
        return self._store.results(probes)

    def explain_groups(self, metadata: ClientMetadata) -> Mapping[str, Sequence[GroupReason]]:
        """See `Explaining`: the last upload, and the scripts that may have put the client into a group."""
        scripts = {}
        for name, candidates in self._probes():
            file = candidates.best(metadata)
            if file is not None and file.script is not None and "group:" in file.script:
                scripts[name] = str(file.path)
        found = {}
        for group in self._store.get(metadata.hostname).groups:
            text = "the last upload of probes"
            if scripts:
                text += f"; these probes print groups: {', '.join(scripts)}"
            file_name = next(iter(scripts.values())) if len(scripts) == 1 else ""
            found[group] = [GroupReason(Source(self.name, "probe", file_name, None, text))]
        return found
