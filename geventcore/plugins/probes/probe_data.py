"""The result of a probe, as templates see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lxml import etree

from geventcore.plugin.recording import ComputedText
from geventcore.plugins.client_values import parse_json, parse_xml, parse_yaml


class ProbeData(ComputedText):
    """A text that can also be read as XML, JSON or YAML, or None if it is not valid. Each is parsed on first use.

    The text comes from a client, and templates for other clients read it; see `geventcore.plugins.client_values`.
    """

    __slots__ = ("_parsed",)
    _parsed: dict[str, Any]

    @property
    def data(self) -> str:
        """The text itself."""
        return str(self)

    @property
    def xdata(self) -> etree._Element | None:
        """The root element of the text as XML, or None."""
        root: etree._Element | None = self._once("xml", parse_xml)
        return root

    @property
    def json(self) -> Any:
        """The value of the text as JSON, or None."""
        return self._once("json", parse_json)

    @property
    def yaml(self) -> Any:
        """The value of the text as YAML, or None. `PluginExecutionError` if PyYAML is not installed."""
        return self._once("yaml", parse_yaml)

    def _once(self, form: str, parse: Callable[[str], Any]) -> Any:
        try:
            parsed = self._parsed
        except AttributeError:
            parsed = self._parsed = {}
        if form not in parsed:
            try:
                parsed[form] = parse(str(self))
            except ValueError:
                parsed[form] = None
        return parsed[form]
