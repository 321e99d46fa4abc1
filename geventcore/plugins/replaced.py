"""Plugins of Bcfg2 that do nothing here. One line at the start says what replaces them."""

from __future__ import annotations

from typing import ClassVar

from geventcore.plugin.base import Plugin
from geventcore.plugin.context import PluginContext


class ReplacedPlugin(Plugin):
    """A plugin that does nothing.

    Class attributes:
        reason: why it does nothing, and what to use instead.
    """

    creates_directory: ClassVar[bool] = False
    reason: ClassVar[str]

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self.log.warning("%s", self.sentence())

    @classmethod
    def sentence(cls) -> str:
        """Return what to know about the plugin, in one sentence."""
        return f"plugin {cls.name} does nothing: {cls.reason}; remove {cls.name} from [server] plugins"


class Guppy(ReplacedPlugin):
    """A debugger for the memory of the running server."""

    reason = (
        "its monitor would open a port on which any local user can run code in the server, without a password; "
        "use get_statistics and the debug switches instead"
    )


class DBStats(ReplacedPlugin):
    """A store of reports in a database."""

    reason = "Reporting replaced it; add Reporting, or the reports of clients are not stored"


class Statistics(ReplacedPlugin):
    """A store of the latest report of each client in ``Statistics/statistics.xml``."""

    reason = "Reporting replaced it; add Reporting, or the reports of clients are not stored"


class Snapshots(ReplacedPlugin):
    """A store of the states of clients in a database."""

    reason = "Reporting replaced it; add Reporting, or the states of clients are not stored"


class Hostbase(ReplacedPlugin):
    """A database of hosts, with a web interface, from which files for DNS and DHCP are written."""

    reason = (
        "its database and web interface do not exist here; write the files as templates in Cfg, with the hosts in "
        "Properties"
    )


class BB(ReplacedPlugin):
    """Files for the monitoring system Big Brother, and for the reinstallation of hosts."""

    reason = "its files are those of a single site; write them as templates in Cfg, with the hosts in Properties"
