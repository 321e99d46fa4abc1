"""A small server for unit tests of plugins: the real core without a network, over the pseudo file monitor.

Nothing notices a changed file here by itself: `SmallServer.changed` says that one has, as a file monitor would.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from geventcore.core.base import Core
from geventcore.filemonitor import EventHandler, FileAction, FileEvent
from geventcore.options import Option
from geventcore.options.server import FILEMONITOR, MISSING_BUNDLES, PLUGINS, REPOSITORY
from geventcore.options.settings import default_settings
from geventcore.plugin.base import Plugin
from geventcore.plugin.context import PluginContext

#: A repository's smallest metadata: one profile, which new clients get.
METADATA = {
    "Metadata/groups.xml": '<Groups><Group name="p" profile="true" public="true" default="true"/></Groups>',
    "Metadata/clients.xml": "<Clients/>",
}


def write_files(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files, given by their paths below `root`; text in UTF-8."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


class SmallServer:
    """A core with some plugins loaded.

    Attributes:
        core: the core.
        repository: its repository.
    """

    def __init__(self, core: Core) -> None:
        self.core = core
        self.repository = core.repository.path

    @property
    def context(self) -> PluginContext:
        """What the plugins were given."""
        return self.core.plugin_context

    def plugin(self, name: str) -> Plugin:
        """A loaded plugin."""
        return self.core.plugins.by_name[name]

    def changed(self, handler: EventHandler, path: Path, action: FileAction = FileAction.CHANGED) -> None:
        """Tell a handler about a file that it watches; what that queues is applied, too. Lets errors through."""
        with self.core.repository.lock.exclusive():
            handler.handle_event(FileEvent(str(path), str(path), action))
            self.core.repository.file_monitor.handle_events()


@contextmanager
def small_server(
    repository: Path,
    plugins: Sequence[str],
    options: Mapping[Option[Any], Any] | None = None,
) -> Iterator[SmallServer]:
    """A server for a repository, whose initial file events have been applied; shut down at the end.

    `options` gives values (not texts) of options. A missing bundle is left out: tests rarely need bundles.
    """
    values = {
        REPOSITORY: repository,
        PLUGINS: list(plugins),
        FILEMONITOR: "pseudo",
        MISSING_BUNDLES: "log",
        **(options or {}),
    }
    core = Core(default_settings(values))
    try:
        core.load()
        yield SmallServer(core)
    finally:
        core.shutdown()
