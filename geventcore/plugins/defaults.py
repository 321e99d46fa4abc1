"""Defaults: attributes for entries that lack them, in files like those of Rules (docs: reference/plugins/defaults).

They apply to every entry of the built configuration, whoever bound it. Names are regular expressions.
"""

from __future__ import annotations

from typing import Any, ClassVar

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.options import Option, types
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import GoalValidator
from geventcore.specfiles.priority_files import PriorityFiles, apply

REPLACE_NAME = Option(
    "defaults",
    "replace_name",
    types.BOOLEAN,
    False,
    "Replace %{name} in the attributes of a default by the name of the entry that it is used for.",
)


class Defaults(Plugin, GoalValidator):
    """Completes bound entries."""

    options: ClassVar[tuple[Option[Any], ...]] = (REPLACE_NAME,)

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._defaults = PriorityFiles(self.directory, context)
        self._defaults.regular_expressions = True

    def validate_goals(self, metadata: ClientMetadata, config: etree._Element) -> None:
        """Complete every entry for which there is a default; a conflict leaves the entry as it is."""
        replace_name = self.context.settings[REPLACE_NAME]
        for structure in config:
            for entry in structure.iterchildren(tag=etree.Element):
                try:
                    candidate = self._defaults.best(entry, metadata)
                except PluginExecutionError as err:
                    self.log.error("%s: no default is used: %s", metadata.hostname, err)
                    continue
                if candidate is not None:
                    apply(candidate.content(metadata), entry, replace_name)
                self.context.breathe()
