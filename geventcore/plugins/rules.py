"""Rules: literal attributes of entries, in files with priorities (docs: reference/plugins/rules)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, ClassVar

from lxml import etree

from geventcore.options import Option, Settings, types
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.explanation import Explaining, Sources
from geventcore.plugin.interfaces import Binder, DeclaredDependencies, ForEveryClient, Generator
from geventcore.repository.derived import Derived
from geventcore.specfiles.priority_files import PriorityFiles
from geventcore.specfiles.priority_places import PriorityPlaces

REGEX = Option(
    "rules",
    "regex",
    types.BOOLEAN,
    False,
    "Use the names in rules as regular expressions, which must match the whole name of an entry.",
)
REPLACE_NAME = Option(
    "rules",
    "replace_name",
    types.BOOLEAN,
    False,
    "Replace %{name} in the attributes of a rule by the name of the entry.",
)


class Rules(Plugin, Generator, DeclaredDependencies, Explaining):
    """A plugin that binds entries from rules."""

    options: ClassVar[tuple[Option[Any], ...]] = (REGEX, REPLACE_NAME)

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._rules = PriorityFiles(self.directory, context)
        self._replace_name = Derived(self._read_settings)
        self._entries = Derived(self._index_entries)

    @property
    def entries(self) -> Mapping[str, Mapping[str, Binder]]:  # type: ignore[override]  # computed when files change
        """See `Generator`: the unconditional rules."""
        return self._entries.get(self._rules.names)

    def _index_entries(self, names: Mapping[str, Iterable[str]]) -> Mapping[str, Mapping[str, Binder]]:
        return {tag: dict.fromkeys(each, self.bind_entry) for tag, each in names.items()}

    def dependencies(self, metadata: ClientMetadata) -> Hashable:
        """See `DeclaredDependencies`."""
        return ()

    def handles_entry(self, entry: etree._Element, metadata: ClientMetadata) -> bool:
        """Return true if a rule for the entry applies to the client."""
        self._replaces_name()
        return bool(self._rules.candidates(entry, metadata))

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        """Complete the entry from the rule with the highest priority."""
        self._rules.complete(entry, metadata, self._replaces_name())

    def binding_key(self, entry: etree._Element, metadata: ClientMetadata) -> Hashable | None:
        """See `Generator`: the rule."""
        replace_name = self._replaces_name()
        key = self._rules.key(entry, metadata)
        if isinstance(key, ForEveryClient):
            return ForEveryClient((key.key, replace_name))
        return None if key is None else (key, replace_name)

    def explain_binding(self, entry: etree._Element, metadata: ClientMetadata) -> Sources:
        """See `Explaining`: the rules for the entry."""
        self._replaces_name()
        return PriorityPlaces(self._rules, metadata, self.name).sources(entry)

    def _replaces_name(self) -> bool:
        """True if the current settings replace names."""
        return self._replace_name.get(self.context.settings)

    def _read_settings(self, settings: Settings) -> bool:
        self._rules.regular_expressions = settings[REGEX]
        return settings[REPLACE_NAME]
