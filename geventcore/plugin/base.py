"""The base class of plugins.

A plugin is a class that derives from `Plugin` and from the interfaces of `geventcore.plugin.interfaces` that it
implements, and a row in the table of `geventcore.plugins` (or, for a site's own plugins, a dotted name in
``[server] plugins``).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from geventcore.errors import PluginInitError
from geventcore.options import Option
from geventcore.plugin.context import PluginContext


class Plugin:
    """One plugin, instantiated once per server.

    Class attributes:
        name: its name in ``[server] plugins``; by default the class name.
        options: the options that it reads; they appear in the reference and in ``--help``.
        conflicts: names of plugins that are unloaded if they were loaded before this one.
        sort_order: plugins are called in this order, lowest first; equal ones in the order of their names.
        creates_directory: true if its directory in the repository is created when it is missing.
        experimental, deprecated: true to log a warning when it is loaded.
        remote_methods: names of methods that can be called over XML-RPC as ``<name>.<method>``. They do not get the
            caller's address; arguments and results are values that XML-RPC supports.
        broadcast_methods: remote methods that run in all processes of the server when a client calls one process.
        needs_one_process: true if it stores data from clients in memory only, which other processes of the server
            would not see. The server then runs in one process, unless ``[gevent] workers`` has a number.
    """

    name: ClassVar[str]
    options: ClassVar[tuple[Option[Any], ...]] = ()
    conflicts: ClassVar[tuple[str, ...]] = ()
    sort_order: int = 500
    creates_directory: ClassVar[bool] = True
    experimental: ClassVar[bool] = False
    deprecated: ClassVar[bool] = False
    needs_one_process: ClassVar[bool] = False
    remote_methods: ClassVar[tuple[str, ...]] = ("toggle_debug", "set_debug")
    broadcast_methods: ClassVar[tuple[str, ...]] = ("toggle_debug", "set_debug")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = cls.__name__

    def __init__(self, context: PluginContext) -> None:
        """Load files and add file monitors. `PluginInitError` stops the server's start."""
        self.context = context
        self.debug = False
        self.running = True
        self.log: logging.Logger = logging.getLogger(f"geventcore.plugins.{self.name}")
        if self.creates_directory and not context.read_only and not self.directory.is_dir():
            try:
                self.directory.mkdir(parents=True, exist_ok=True)
            except OSError as err:
                raise PluginInitError(f"cannot create the directory {self.directory}: {err.strerror}") from err
            self.log.warning("%s: created the missing directory %s", self.name, self.directory)

    @property
    def directory(self) -> Path:
        """The plugin's directory in the repository."""
        return self.context.repository / self.name

    def shutdown(self) -> None:
        """Stop threads and store unsaved data; called once when the server stops, also after a failed start."""
        self.running = False

    def debug_log(self, message: str, *args: object) -> None:
        """Log a message; if this plugin's debug switch is on, it is visible at every log level."""
        self.log.log(logging.ERROR if self.debug else logging.DEBUG, message, *args)

    def set_debug(self, debug: bool) -> bool:
        """Switch this plugin's debug messages on or off; return `debug`."""
        self.debug = debug
        return debug

    def toggle_debug(self) -> bool:
        """Switch this plugin's debug messages on if they are off, else off; return the new state."""
        return self.set_debug(not self.debug)

    def remote_interface(self) -> Mapping[str, Any]:
        """Return method name -> bound method, for every name in `remote_methods`."""
        return {method: getattr(self, method) for method in self.remote_methods}
