"""A server with Cfg alone, and ways to bind entries with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lxml import etree

from geventcore.options import Option
from geventcore.options.server import FILEMONITOR
from geventcore.plugin.client_metadata import ClientMetadata
from tests.support.plugin_context import METADATA, SmallServer, small_server, write_files

#: How long a test waits for what has to happen, in seconds.
PATIENCE = 60.0


@contextmanager
def cfg_site(
    root: Path,
    files: Mapping[str, str | bytes],
    options: Mapping[Option[Any], Any] | None = None,
    *,
    watched: bool = False,
) -> Iterator[SmallServer]:
    """A server whose ``Cfg/`` holds `files`; `watched`: with a file monitor that notices changes."""
    write_files(root, {**METADATA, "Cfg/etc/.keep~": "", **{f"Cfg/{name}": text for name, text in files.items()}})
    values = {**(options or {}), **({FILEMONITOR: "inotify"} if watched else {})}
    with small_server(root, ["Metadata", "Cfg"], values) as server:
        yield server


def client(hostname: str = "h", *groups: str) -> ClientMetadata:
    """A client in some groups."""
    return ClientMetadata(hostname, groups=set(groups))


def bind(server: SmallServer, name: str, metadata: ClientMetadata | None = None, **attributes: str) -> etree._Element:
    """An entry, bound as for a configuration."""
    entry = etree.Element("Path", {"name": name, **attributes})
    server.context.bind_entry(entry, metadata or client())
    return entry


def paths(server: SmallServer) -> set[str]:
    """The names that Cfg binds."""
    plugin: Any = server.plugin("Cfg")
    return set(plugin.entries["Path"])


def until(server: SmallServer, condition: Callable[[], bool]) -> None:
    """Apply file events until something is true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        server.core.repository.file_monitor.wait(0.05)
        server.core.handle_file_events()
