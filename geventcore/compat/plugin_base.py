"""``Bcfg2.Server.Plugin.base``: the base classes of plugins for Bcfg2."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any, ClassVar

__all__ = ["Debuggable", "Plugin"]


class Debuggable:
    """An object with debug messages that can be switched on and off over XML-RPC."""

    __rmi__: ClassVar[list[str]] = ["toggle_debug", "set_debug"]

    debug_flag = False

    def __init__(self, name: str | None = None) -> None:
        self.logger = logging.getLogger(f"geventcore.plugins.{name or type(self).__name__}")

    def set_debug(self, debug: bool) -> bool:
        """Switch the messages on or off; return `debug`."""
        self.debug_flag = debug
        return debug

    def toggle_debug(self) -> bool:
        """Switch the messages on if they are off, else off; return the new state."""
        return self.set_debug(not self.debug_flag)

    def debug_log(self, message: str, flag: bool | None = None) -> None:
        """Log a message; if the switch (or `flag`) is on, it is visible at every log level."""
        shown = self.debug_flag if flag is None else flag or self.debug_flag
        self.logger.log(logging.ERROR if shown else logging.DEBUG, "%s", message)


class Plugin(Debuggable):
    """The base class.

    Attributes:
        name: by default the name of the class.
        options: the options that it reads.
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
        """Create the plugin; Bcfg2 1.3 also passes `datastore`, the directory of the repository."""
        Debuggable.__init__(self, name=self.name)
        self.core = core
        self.datastore = os.fspath(datastore or core.datastore)
        self.data = os.path.join(self.datastore, self.name)
        self.Entries: dict[str, dict[str, Callable[[Any, Any], None]]] = {}
        self.running = True
        read_only = getattr(getattr(core, "context", None), "read_only", False)
        if self.create and not read_only and not os.path.isdir(self.data):
            os.makedirs(self.data, exist_ok=True)
            self.logger.warning("%s: created the missing directory %s", self.name, self.data)

    @classmethod
    def init_repo(cls, repo: str) -> None:
        """Create the plugin's directory in a repository."""
        os.makedirs(os.path.join(repo, cls.name), exist_ok=True)

    def shutdown(self) -> None:
        """Handle the shutdown of the server."""
        self.running = False

    def __str__(self) -> str:
        return f"{self.name} Plugin"


Plugin.name = "Plugin"
