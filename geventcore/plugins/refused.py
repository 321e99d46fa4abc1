"""Plugins of Bcfg2 that this server refuses, and says why: a site that lists one gets to know what to use instead."""

from __future__ import annotations

from typing import ClassVar

from geventcore.errors import PluginInitError
from geventcore.plugin.base import Plugin
from geventcore.plugin.context import PluginContext


class RefusedPlugin(Plugin):
    """Stops the start.

    Class attributes:
        reason: why, and what to do.
    """

    creates_directory: ClassVar[bool] = False
    reason: ClassVar[str]

    def __init__(self, context: PluginContext) -> None:
        raise PluginInitError(f"{self.reason}; take {self.name} out of [server] plugins")


class Guppy(RefusedPlugin):
    """Looked into the server's memory from outside."""

    name = "Guppy"
    reason = (
        "its monitor opens a port where anybody on the machine can run code in the server, without a password; "
        "get_statistics and the debug switches tell what the server does"
    )


class DBStats(RefusedPlugin):
    """Kept reports in a database."""

    name = "DBStats"
    reason = "it had given way to Reporting already"
