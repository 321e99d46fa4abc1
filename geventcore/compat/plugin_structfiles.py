"""``Bcfg2.Server.Plugin.helpers``: XML files whose content depends on the client.

`geventcore.specfiles.structfile` does the work, so the rules are the same as for the server's own files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from geventcore.compat.current import get_core
from geventcore.compat.plugin_files import XMLFileBacked
from geventcore.errors import RepositoryError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import TemplateFile
from geventcore.specfiles import structfile as server
from geventcore.specfiles.conditions import condition_holds, is_conditional

__all__ = ["PriorityStructFile", "StructFile"]


class _ServerFile(server.StructFile):
    """The server's object for a file, which notifies its owner of changes."""

    def __init__(self, path: Path, context: PluginContext, owner: StructFile) -> None:
        self.owner = owner
        super().__init__(path, context, monitor_self=False)

    def _watch(self, paths: Iterable[Path]) -> None:
        self.owner.watch(paths)


class StructFile(XMLFileBacked):
    """An XML file with conditions and encrypted elements; it may be a template."""

    def __init__(self, filename: str, *arguments: Any, **named: Any) -> None:
        self.server_file = _ServerFile(Path(os.fspath(filename)), get_core().context, self)
        super().__init__(filename, *arguments, **named)

    def Index(self) -> None:
        self.server_file.load()
        document = self.server_file.document
        if document is not None:
            self.extras = [str(path) for path in document.includes]
            self.take_over(document.root)

    def Match(self, metadata: ClientMetadata) -> list[Any]:
        """Return the file's content for a client: copies of elements in document order, without conditions.

        It is empty without a file; `RepositoryError` if no version of the file was valid.
        """
        if self.xdata is None and not os.path.exists(self.name):
            return []
        return self.server_file.match(metadata)

    def XMLMatch(self, metadata: ClientMetadata) -> Any:
        """Return the same as a tree, with the contents of conditions at the end of their parents."""
        return self.server_file.xml_match(metadata)


class PriorityStructFile(StructFile):
    """One file of a `PrioDir`.

    Attributes:
        priority: the priority of its root; -1 if it is missing or invalid.
    """

    priority = -1

    def Index(self) -> None:
        super().Index()
        try:
            self.priority = int(self.xdata.get("priority"))
        except (TypeError, ValueError):
            self.priority = -1
            self.logger.error("%s: the root element has no integer priority; using -1", self.name)


class InfoFile(StructFile):
    """An ``info.xml``."""

    def attributes(self, entry: Any, metadata: ClientMetadata) -> dict[str, str] | None:
        """Return the attributes of the first ``Info`` whose conditions hold; None if there is none."""
        name = entry.get("realname", entry.get("name"))
        root = self.server_file.struct(metadata).root
        found = next(_infos(root, name, metadata), None)
        return None if found is None else dict(found.items())


def _infos(parent: Any, name: str, metadata: ClientMetadata) -> Any:
    for child in parent:
        if child.tag == "Info":
            yield child
        elif child.tag == "Path":
            if (child.get("name") == name) != (child.get("negate", "false").lower() == "true"):
                yield from _infos(child, name, metadata)
        elif is_conditional(child) and condition_holds(child, metadata):
            yield from _infos(child, name, metadata)


def server_structfile(file: Any) -> Any:
    """Return the server's object for a file."""
    return getattr(file, "server_file", file)


def bcfg2_structfile(file: TemplateFile) -> Any:
    """The view that a plugin for Bcfg2 has of a structured file of the server: `name`, `xdata`, `Match`, `XMLMatch`."""
    if isinstance(file, _ServerFile):
        return file.owner
    try:
        root = file.root
    except RepositoryError:
        root = None
    return SimpleNamespace(name=str(file.path), xdata=root, Match=file.match, XMLMatch=file.xml_match)
