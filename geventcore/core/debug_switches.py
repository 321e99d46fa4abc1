"""The debug switches of a server process: those of the core, the file monitor and the plugins."""

from __future__ import annotations

import logging
from typing import Any

from geventcore.core.plugin_loading import PluginTable
from geventcore.filemonitor import FileMonitor
from geventcore.log import set_debug as set_log_debug
from geventcore.render.guard import guarded

log = logging.getLogger(__name__)


class DebugSwitches:
    """The debug switches.

    Attributes:
        core: true if the core itself is debugged.
    """

    def __init__(self, plugins: PluginTable, file_monitor: FileMonitor) -> None:
        self.core = False
        self._plugins = plugins
        self._file_monitor = file_monitor

    def turn(self, *, plugins: bool | None = None, file_monitor: bool | None = None, core: bool | None = None) -> None:
        """Turn the switches of all plugins, of the file monitor and of the core, as far as given."""
        if plugins is not None:
            for plugin in self._plugins:
                with guarded(plugin, "set_debug", None):
                    plugin.set_debug(plugins)
        if file_monitor is not None:
            self._file_monitor.set_debug(file_monitor)
        if core is not None:
            self.core = core
            set_log_debug(core)
            log.info("Core: debug is now %s", core)

    def state(self) -> dict[str, Any]:
        """The positions of all switches, as JSON can carry them."""
        return {
            "switches": {"core": self.core, "file_monitor": self._file_monitor.debug},
            "plugins": [plugin.name for plugin in self._plugins if plugin.debug],
        }

    def adopt(self, state: dict[str, Any]) -> None:
        """Turn the switches to the positions that another process has told."""
        self.turn(**state["switches"])
        for name in state["plugins"]:
            plugin = self._plugins.by_name.get(name)
            if plugin is not None:
                plugin.set_debug(True)
