"""The result of a probe, as templates see it."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any

from lxml import etree

from geventcore.errors import PluginExecutionError


class ProbeData(str):
    """A text that can also be read as XML, JSON or YAML; what it is not in is None. Each is parsed once, when asked."""

    __slots__ = ("_parsed",)
    _parsed: dict[str, Any]

    @property
    def data(self) -> str:
        """The text itself."""
        return str(self)

    @property
    def xdata(self) -> etree._Element | None:
        """The root element of the text as XML, or None."""
        root: etree._Element | None = self._once("xml", self._parse_xml)
        return root

    @property
    def json(self) -> Any:
        """What the text is as JSON, or None."""
        return self._once("json", self._parse_json)

    @property
    def yaml(self) -> Any:
        """What the text is as YAML, or None. `PluginExecutionError` if PyYAML is not installed."""
        return self._once("yaml", self._parse_yaml)

    def _once(self, form: str, parse: Callable[[], Any]) -> Any:
        try:
            parsed = self._parsed
        except AttributeError:
            parsed = self._parsed = {}
        if form not in parsed:
            parsed[form] = parse()
        return parsed[form]

    def _parse_xml(self) -> etree._Element | None:
        # A declaration in the text may name another encoding than the one that it is in now.
        parser = etree.XMLParser(encoding="utf-8", no_network=True, load_dtd=False, resolve_entities=False)
        try:
            return etree.fromstring(self.encode("utf-8", "replace"), parser)
        except etree.XMLSyntaxError:
            return None

    def _parse_json(self) -> Any:
        try:
            return json.loads(self)
        except (ValueError, RecursionError):
            return None

    def _parse_yaml(self) -> Any:
        try:
            yaml = importlib.import_module("yaml")
        except ImportError as err:
            raise PluginExecutionError("a template reads probe data as YAML, but PyYAML is not installed") from err
        try:
            return yaml.safe_load(str(self))
        except (yaml.YAMLError, ValueError, RecursionError):
            return None
