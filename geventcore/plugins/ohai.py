"""Ohai: data about a client from the program ohai, for templates (docs: reference/plugins/ohai).

One probe runs the program. Its output is stored as ``Ohai/<host>.json``, and templates read it as ``metadata.Ohai``.
Clients without the program answer ``{}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Connector, Probing, ResultLimit
from geventcore.plugins.client_values import parse_json
from geventcore.regular_files import read_file
from geventcore.repository.durable_writes import write_if_different
from geventcore.specfiles.xmlfile import Signature, signature

INTERPRETER = "/bin/sh"
SCRIPT = """PATH="$PATH:/opt/chef/bin:/opt/cinc/bin:/usr/local/bin"
output=$(ohai 2>/dev/null) || output='{}'
printf '%s\\n' "$output"
"""
#: The longest output of ohai that is accepted; usual ones have some 100 KB.
MAX_BYTES = 16 * 1024 * 1024
#: The number of clients whose parsed data are cached: about a megabyte each, which takes 1 to 2 ms to parse.
MAX_KEPT = 200


class Ohai(Plugin, Probing, Connector):
    """A plugin that runs ohai on clients and stores its output."""

    #: Its data are in memory.
    reuse_seconds: ClassVar[float] = 0

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._load = lru_cache(maxsize=MAX_KEPT)(self._load_version)

    @property
    def result_limit(self) -> ResultLimit:
        """See `Probing.result_limit`."""
        return ResultLimit(MAX_BYTES)

    def _path(self, hostname: str) -> Path:
        """Return the path of a client's file; `PluginExecutionError` if the client's name is not a valid file name."""
        if "/" in hostname or "\0" in hostname:
            raise PluginExecutionError(f"cannot store the data of {hostname!r}: it is not a valid file name")
        return self.directory / f"{hostname}.json"

    def get_probes(self, metadata: ClientMetadata) -> list[etree._Element]:
        """Return the probe that runs ohai."""
        probe = etree.Element("probe", name=self.name, source=self.name, interpreter=INTERPRETER)
        probe.text = SCRIPT
        return [probe]

    def receive_data(self, metadata: ClientMetadata, data: Sequence[etree._Element]) -> None:
        """Store an answer. An empty or invalid answer is ignored, and the stored data stay."""
        # There is one probe. Of several answers the last one counts.
        for element in data[-1:]:
            text = (element.text or "").strip()
            if not text:
                self.log.info("%s: ohai printed nothing; keeping the stored data", metadata.hostname)
                continue
            try:
                _parse(text)
            except ValueError as err:
                self.log.error("%s: ignoring the output of ohai: %s", metadata.hostname, err)
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
        """Return the stored data of the client, or an empty dict."""
        path = self._path(metadata.hostname)
        version = signature(path)
        return {} if version is None else self._load(path, version)

    def _load_version(self, path: Path, version: Signature) -> Any:
        """Return the content of a file, read once for each version."""
        try:
            return _parse(self.context.offload(read_file, path))
        except (OSError, ValueError) as err:
            self.log.error("%s: ignoring this file until the client sends valid data: %s", path, err)
            return {}


def _parse(text: str | bytes) -> dict[str, Any]:
    """Parse a JSON object; `ValueError` if the text is something else."""
    value = parse_json(text)
    if not isinstance(value, dict):
        raise ValueError(f"the JSON is a {type(value).__name__}, not an object")
    return value
