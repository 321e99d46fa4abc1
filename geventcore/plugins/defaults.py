"""Defaults: attributes for entries that lack them, in files like those of Rules (docs: reference/plugins/defaults).

They apply to every entry of the built configuration, whichever plugin bound it. Names are regular expressions.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, ClassVar

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.options import Option, types
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.explanation import Explaining, Sources
from geventcore.plugin.interfaces import UNCHANGED, DeclaredDependencies, EntryValidator, ForEveryClient
from geventcore.specfiles.priority_files import PriorityFiles, apply
from geventcore.specfiles.priority_places import PriorityPlaces

REPLACE_NAME = Option(
    "defaults",
    "replace_name",
    types.BOOLEAN,
    False,
    "Replace %{name} in the attributes of a default by the name of the entry.",
)


class Defaults(Plugin, EntryValidator, DeclaredDependencies, Explaining):
    """A plugin that adds default attributes to bound entries."""

    options: ClassVar[tuple[Option[Any], ...]] = (REPLACE_NAME,)

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._defaults = PriorityFiles(self.directory, context)
        self._defaults.regular_expressions = True

    def dependencies(self, metadata: ClientMetadata) -> Hashable:
        """See `DeclaredDependencies`."""
        return ()

    def validate_goals(self, metadata: ClientMetadata, config: etree._Element) -> None:
        """Add the default attributes to every entry; with a conflict of defaults, leave the entry unchanged."""
        for structure in config:
            for entry in structure.iterchildren(tag=etree.Element):
                self.amend_entry(entry, metadata)
                self.context.breathe()

    def explain_goal(self, entry: etree._Element, metadata: ClientMetadata) -> Sources:
        """See `Explaining`: the defaults for the entry."""
        return PriorityPlaces(self._defaults, metadata, self.name).sources(entry)

    def amendment(self, tag: str, name: str, metadata: ClientMetadata) -> Hashable | None:
        """See `EntryValidator`: the default."""
        try:
            key = self._defaults.choice(tag, name, metadata)
        except PluginExecutionError:
            return None
        if key is None or key == UNCHANGED:
            return key
        replace_name = self.context.settings[REPLACE_NAME]
        return ForEveryClient((key.key, replace_name)) if isinstance(key, ForEveryClient) else (key, replace_name)

    def amend_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        """See `EntryValidator`."""
        try:
            candidate = self._defaults.best(entry, metadata)
        except PluginExecutionError as err:
            self.log.error("%s: ignoring conflicting defaults: %s", metadata.hostname, err)
            return
        if candidate is not None:
            apply(candidate.content(metadata), entry, self.context.settings[REPLACE_NAME])
