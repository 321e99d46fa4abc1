"""Decisions: lists of entries that a client may install (``whitelist.xml``) or must not (``blacklist.xml``)."""

from __future__ import annotations

import re

from geventcore.filemonitor import NOTHING
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Decision
from geventcore.specfiles.directory import Directory
from geventcore.specfiles.structfile import StructFile

_LIST = re.compile(r"(?:white|black)list\.xml")


class Decisions(Plugin, Decision):
    """A plugin that serves the two lists."""

    name = "Decisions"

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._lists = Directory(
            self.directory,
            context.file_monitor,
            lambda path: StructFile(path, context, monitor_self=False),
            _LIST,
            recursive=False,
            effect=lambda _: NOTHING,
        )

    def get_decisions(self, metadata: ClientMetadata, mode: str) -> list[tuple[str, str]]:
        """Return ``(type, name)`` of every ``Decision`` for the client, unconditional ones first; none without a file.

        `RepositoryError` if the file exists but no version of it was valid.
        """
        structure = self._lists.children.get(f"{mode}.xml")
        if structure is None:
            return []
        decisions = []
        for element in structure.xml_match(metadata).iter("Decision"):
            entry_type, name = element.get("type"), element.get("name")
            if entry_type is None or name is None:
                self.log.error("%s: ignoring a Decision without type or name", structure.path)
            else:
                decisions.append((entry_type, name))
        return decisions
