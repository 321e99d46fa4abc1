"""Rules: entries written out literally, in files with priorities (docs: reference/plugins/rules)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

from lxml import etree

from geventcore.options import Option, types
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Binder, ForEveryClient, Generator
from geventcore.specfiles.priority_files import PriorityFiles

REGEX = Option(
    "rules",
    "regex",
    types.BOOLEAN,
    False,
    "Take the names in rules for regular expressions, which must match the whole name of an entry.",
)
REPLACE_NAME = Option(
    "rules",
    "replace_name",
    types.BOOLEAN,
    False,
    "Replace %{name} in the attributes of a rule by the name of the entry that it is used for.",
)


class Rules(Plugin, Generator):
    """Binds entries from rules."""

    options: ClassVar[tuple[Option[Any], ...]] = (REGEX, REPLACE_NAME)

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._rules = PriorityFiles(self.directory, context)
        self._settings: object = None
        self._replace_name = False
        self._published: tuple[object, Mapping[str, Mapping[str, Binder]]] = (None, {})

    @property
    def entries(self) -> Mapping[str, Mapping[str, Binder]]:  # type: ignore[override]  # computed when files change
        """See `Generator`: the rules that stand outside of conditions."""
        names = self._rules.names
        if self._published[0] is not names:
            self._published = (names, {tag: dict.fromkeys(each, self.bind_entry) for tag, each in names.items()})
        return self._published[1]

    def handles_entry(self, entry: etree._Element, metadata: ClientMetadata) -> bool:
        """Whether there is a rule for the entry that applies to the client."""
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

    def _replaces_name(self) -> bool:
        """Whether names are filled in; follows the settings, which a reload replaces as a whole."""
        settings = self.context.settings
        if settings is not self._settings:
            self._settings = settings
            self._rules.regular_expressions = settings[REGEX]
            self._replace_name = settings[REPLACE_NAME]
        return self._replace_name
