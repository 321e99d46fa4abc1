"""What all processes of a server do together: forget, notice changed files, count, and be debugged.

Each of these is done here, and told to the others over the bus. What is done because others have told it is not told
on, nor what every process notices by itself, as it does a changed file.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from geventcore.metrics.timings import merged
from geventcore.options.common import CACHE_MODE
from geventcore.plugin.base import Plugin
from geventcore.rpc.methods import Method

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from geventcore.core.base import Core

T = TypeVar("T")
Item = TypeVar("Item")

log = logging.getLogger(__name__)

EXPIRE = "core:expire"
FILES = "core:files"
STATISTICS = "core:statistics"
DEBUG = "core:debug"
DEBUG_STATE = "core:debug state"
CALL = "core:call"


class SharedState:
    """One process's part in what all do together."""

    def __init__(self, core: Core) -> None:
        self._core = core
        bus = core.bus
        bus.subscribe(EXPIRE, self._expire)
        bus.subscribe(FILES, lambda _: core.handle_file_events())
        bus.subscribe(STATISTICS, lambda _: core.timings.snapshot())
        bus.subscribe(DEBUG, lambda state: core.set_debug(**state))
        bus.subscribe(DEBUG_STATE, lambda _: self._debug_state())
        bus.subscribe(CALL, self._call)

    def _tell(self, topic: str, message: Any, *, machines: bool = True) -> list[Any]:
        return [] if self._core.bus.is_delivering else self._core.bus.tell(topic, message, machines=machines)

    # -- cached metadata

    def expire_metadata(self, hostname: str | None = None) -> None:
        """Forget the cached metadata of one client, or of all, everywhere."""
        self._expire(hostname)
        if self._caches and not self._core.lock.is_held_exclusively_here:
            self._tell(EXPIRE, hostname)

    def change_clients(
        self, hostnames: Sequence[str], function: Callable[[Connection, Sequence[Item]], Sequence[T]], item: Item
    ) -> T:
        """See `geventcore.plugin.context.PluginContext.change_clients`."""
        from geventcore.storage.announcements import Announcement

        announcements = [Announcement(EXPIRE, hostname) for hostname in hostnames] if self._caches else []
        try:
            return self._core.databases.main().write_item(function, item, announcements)
        finally:
            # After an error, too: it may have been stored all the same.
            for hostname in hostnames:
                self._expire(hostname)
                if self._caches:
                    self._tell(EXPIRE, hostname, machines=False)

    @property
    def _caches(self) -> bool:
        return self._core.settings[CACHE_MODE] != "off"

    def _expire(self, hostname: str | None) -> None:
        self._core.metadata.expire(hostname)

    # -- files that this process has written

    def handle_file_events(self) -> None:
        """Have all processes apply the pending file events. Under a render's lock nothing can be applied; the file
        watcher does it when the render is done."""
        if not self._core.lock.is_held_here:
            self._core.handle_file_events()
            self._tell(FILES, None)

    # -- statistics

    def statistics(self) -> dict[str, list[float | int]]:
        """The durations that all processes have measured: name to ``[minimum, maximum, mean, count]``, in seconds."""
        return merged([self._core.timings.snapshot(), *filter(None, self._tell(STATISTICS, None))])

    # -- debugging

    def set_debug(self, **switches: bool) -> None:
        """Turn debug switches everywhere; see `Core.set_debug`."""
        self._core.set_debug(**switches)
        self._tell(DEBUG, switches)

    def _debug_state(self) -> dict[str, Any]:
        core = self._core
        return {
            "switches": {"core": core.debug, "file_monitor": core.file_monitor.debug},
            "plugins": [plugin.name for plugin in core.plugins if plugin.debug],
        }

    def adopt_debug_state(self) -> None:
        """Debug what the other processes debug; for a process that has taken the place of another."""
        for state in self._tell(DEBUG_STATE, None):
            self._core.set_debug(**state["switches"])
            for name in state["plugins"]:
                plugin = self._core.plugins.by_name.get(name)
                if plugin is not None:
                    plugin.set_debug(True)
            return

    # -- methods of plugins that concern every process

    def in_all_processes(self, plugin: Plugin) -> list[Method]:
        """The plugin's methods that a call of one process calls in all others, too."""
        interface: Mapping[str, Any] = plugin.remote_interface()
        return [
            Method(f"{plugin.name}.{name}", self._everywhere(plugin, name, interface[name]), with_address=False)
            for name in plugin.child_remote_methods
            if name in interface
        ]

    def _everywhere(self, plugin: Plugin, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            result = function(*arguments)
            if name == "toggle_debug":
                # What is turned in each process by itself might turn different ways.
                self._tell(CALL, [plugin.name, "set_debug", [plugin.debug]])
            else:
                self._tell(CALL, [plugin.name, name, arguments])
            return result

        return call

    def _call(self, message: list[Any]) -> None:
        plugin_name, method, arguments = message
        plugin = self._core.plugins.by_name.get(plugin_name)
        if plugin is not None:
            plugin.remote_interface()[method](*arguments)
