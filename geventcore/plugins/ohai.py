"""Ohai: what the program ohai knows about a client, for templates (docs: reference/plugins/ohai).

One probe runs it; its output is kept as ``Ohai/<host>.json`` and is ``metadata.Ohai`` from then on. Clients without the
program answer ``{}``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Connector, Probing
from geventcore.specfiles.durable import write_if_different
from geventcore.specfiles.xmlfile import Signature, signature

INTERPRETER = "/bin/sh"
SCRIPT = """PATH="$PATH:/opt/chef/bin:/opt/cinc/bin:/usr/local/bin"
output=$(ohai 2>/dev/null) || output='{}'
printf '%s\\n' "$output"
"""
#: How many clients' data are kept parsed. They take about a megabyte each, and a millisecond or two to parse.
MAX_KEPT = 200


class Ohai(Plugin, Probing, Connector):
    """Has clients run ohai, and keeps what it says."""

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._load = lru_cache(maxsize=MAX_KEPT)(self._load_version)

    def _path(self, hostname: str) -> Path:
        """The file of a client; `PluginExecutionError` if no file can have its name."""
        if "/" in hostname or "\0" in hostname:
            raise PluginExecutionError(f"data of {hostname!r} cannot be kept: there can be no file of that name")
        return self.directory / f"{hostname}.json"

    def get_probes(self, metadata: ClientMetadata) -> list[etree._Element]:
        """The one probe."""
        probe = etree.Element("probe", name=self.name, source=self.name, interpreter=INTERPRETER)
        probe.text = SCRIPT
        return [probe]

    def receive_data(self, metadata: ClientMetadata, data: Sequence[etree._Element]) -> None:
        """Keep an answer. One that is empty or no JSON object is left out, and what was known stays."""
        for element in data:
            text = (element.text or "").strip()
            if not text:
                self.log.info("%s: ohai said nothing", metadata.hostname)
                continue
            try:
                _parse(text)
            except ValueError as err:
                self.log.error("%s: what ohai said is not used: %s", metadata.hostname, err)
                continue
            self._store(metadata.hostname, f"{text}\n".encode())

    def _store(self, hostname: str, content: bytes) -> None:
        path = self._path(hostname)
        try:
            if self.context.offload(write_if_different, path, content):
                self.context.expire_metadata(hostname)
        except OSError as err:
            raise PluginExecutionError(f"{path}: cannot be written: {err.strerror or err}") from err

    def get_additional_data(self, metadata: ClientMetadata) -> Any:
        """What is known of the client; an empty dict if that is nothing."""
        path = self._path(metadata.hostname)
        version = signature(path)
        return {} if version is None else self._load(path, version)

    def _load_version(self, path: Path, version: Signature) -> Any:
        """The content of a file, read once for each version of it."""
        try:
            return _parse(self.context.offload(path.read_bytes))
        except (OSError, ValueError) as err:
            self.log.error("%s: cannot be used until the client sends new data: %s", path, err)
            return {}


def _parse(text: str | bytes) -> dict[str, Any]:
    """A JSON object; `ValueError` if it is none."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError(f"it is a {type(value).__name__}, not an object")
    return value
