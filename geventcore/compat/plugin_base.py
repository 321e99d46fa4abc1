"""``Bcfg2.Server.Plugin.base``: what plugins for Bcfg2 derive from."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any, ClassVar

__all__ = ["Debuggable", "Plugin"]


class Debuggable:
    """Has debug messages that can be switched on and off over XML-RPC."""

    __rmi__: ClassVar[list[str]] = ["toggle_debug", "set_debug"]

    debug_flag = False

    def __init__(self, name: str | None = None) -> None:
        self.logger = logging.getLogger(f"geventcore.plugins.{name or type(self).__name__}")

    def set_debug(self, debug: bool) -> bool:
        """Switch the messages on or off; returns what was given."""
        self.debug_flag = debug
        return debug

    def toggle_debug(self) -> bool:
        """Turn the switch; returns the new position."""
        return self.set_debug(not self.debug_flag)

    def debug_log(self, message: str, flag: bool | None = None) -> None:
        """Log a message that shows, whatever the log level, while the switch (or `flag`) is on."""
        shown = self.debug_flag if flag is None else flag or self.debug_flag
        self.logger.log(logging.ERROR if shown else logging.DEBUG, "%s", message)


class Plugin(Debuggable):
    """The base class.

    Attributes:
        name: the name of the class, unless a class says otherwise.
        options: what it reads from the configuration.
        conflicts, sort_order, create, experimental, deprecated, __rmi__, __child_rmi__: see `geventcore.plugin.base`,
            which has the same under longer names.
        core: the server; see `geventcore.compat.core.Bcfg2Core`.
        data: the plugin's directory in the repository.
        Entries: tag -> name -> function of an entry and metadata.
        running: until `shutdown`.
    """

    name: str
    options: ClassVar[list[Any]] = []
    conflicts: ClassVar[list[str]] = []
    sort_order = 500
    create = True
    experimental = False
    deprecated = False
    __child_rmi__: ClassVar[list[Any]] = list(Debuggable.__rmi__)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = cls.__name__

    def __init__(self, core: Any, datastore: str | None = None) -> None:
        """`datastore` is what plugins for Bcfg2 1.3 were given, too: the directory of the repository."""
        Debuggable.__init__(self, name=self.name)
        self.core = core
        self.datastore = os.fspath(datastore or core.datastore)
        self.data = os.path.join(self.datastore, self.name)
        self.Entries: dict[str, dict[str, Callable[[Any, Any], None]]] = {}
        self.running = True
        if self.create and not os.path.isdir(self.data):
            os.makedirs(self.data, exist_ok=True)
            self.logger.warning("%s: %s did not exist; created", self.name, self.data)

    @classmethod
    def init_repo(cls, repo: str) -> None:
        """Make the plugin's directory in a repository."""
        os.makedirs(os.path.join(repo, cls.name), exist_ok=True)

    def shutdown(self) -> None:
        """The server ends."""
        self.running = False

    def __str__(self) -> str:
        return f"{self.name} Plugin"


Plugin.name = "Plugin"
