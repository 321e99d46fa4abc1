"""``Bcfg2.Server.Plugin.helpers``: XML files whose content depends on the client.

The work is done by `geventcore.specfiles.structfile`, so that such a file means the same as one of the server's own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from geventcore.compat.current import get_core
from geventcore.compat.plugin_files import XMLFileBacked
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.specfiles import structfile as server
from geventcore.specfiles.conditions import condition_holds, is_conditional

__all__ = ["PriorityStructFile", "StructFile"]


class _ServerFile(server.StructFile):
    """The server's object for a file; who owns it is told of changes."""

    def __init__(self, path: Path, context: PluginContext, owner: StructFile) -> None:
        self.owner = owner
        super().__init__(path, context, monitor_self=False)

    def _watch(self, paths: Iterable[Path]) -> None:
        self.owner.watch(paths)


class StructFile(XMLFileBacked):
    """An XML file with conditions, encrypted elements and, if it is one, as a template."""

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
        """What the file holds for a client: copies of elements in document order, conditions replaced.

        Nothing if there is no file; `RepositoryError` if there is one that cannot be used.
        """
        if self.xdata is None and not os.path.exists(self.name):
            return []
        return self.server_file.match(metadata)

    def XMLMatch(self, metadata: ClientMetadata) -> Any:
        """The same as a tree, in which the contents of conditions stand at the end of their parents."""
        return self.server_file.xml_match(metadata)


class PriorityStructFile(StructFile):
    """One file of a `PrioDir`.

    Attributes:
        priority: of its root; -1 if it has no usable one.
    """

    priority = -1

    def Index(self) -> None:
        super().Index()
        try:
            self.priority = int(self.xdata.get("priority"))
        except (TypeError, ValueError):
            self.priority = -1
            self.logger.error("%s: the root needs an integer priority; -1 is used", self.name)


class InfoFile(StructFile):
    """An ``info.xml``."""

    def attributes(self, entry: Any, metadata: ClientMetadata) -> dict[str, str] | None:
        """The attributes of the first ``Info`` whose conditions hold; None if there is none."""
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
    """The server's object for one of these."""
    return getattr(file, "server_file", file)


def bcfg2_structfile(file: server.StructFile) -> Any:
    """What a plugin for Bcfg2 sees of a structured file of the server's: `name`, `xdata` and the two views."""
    if isinstance(file, _ServerFile):
        return file.owner
    root = file.document.root if file.document is not None else None
    return SimpleNamespace(name=str(file.path), xdata=root, Match=file.match, XMLMatch=file.xml_match)
