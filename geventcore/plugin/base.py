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
        name: what it is called in ``[server] plugins``; the class name unless set.
        options: the options that it reads; they appear in the reference and in ``--help``.
        conflicts: names of plugins that are unloaded if they were loaded before this one.
        sort_order: lower ones are asked first; equal ones in the order of their names.
        creates_directory: whether its directory in the repository is made if it is missing.
        experimental, deprecated: said in the log when it is loaded.
        remote_methods: names of methods that can be called over XML-RPC as ``<name>.<method>``, without a caller's
            address; values that XML-RPC can carry go in and out.
        child_remote_methods: those that a parent process passes on to its children.
        needs_one_process: whether it keeps what it learns from clients in memory only, where other processes of the
            server would not see it. There is one process then, unless the site says how many it wants.
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
    child_remote_methods: ClassVar[tuple[str, ...]] = ("toggle_debug", "set_debug")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = cls.__name__

    def __init__(self, context: PluginContext) -> None:
        """Load what is needed and add file monitors. `PluginInitError` stops the server's start."""
        self.context = context
        self.debug = False
        self.running = True
        self.log: logging.Logger = logging.getLogger(f"geventcore.plugins.{self.name}")
        if self.creates_directory and not self.directory.is_dir():
            try:
                self.directory.mkdir(parents=True, exist_ok=True)
            except OSError as err:
                raise PluginInitError(f"{self.directory} does not exist and cannot be made: {err.strerror}") from err
            self.log.warning("%s: %s did not exist; created", self.name, self.directory)

    @property
    def directory(self) -> Path:
        """The plugin's directory in the repository."""
        return self.context.repository / self.name

    def shutdown(self) -> None:
        """Stop threads and store what is not stored; called once when the server ends, also after a failed start."""
        self.running = False

    def debug_log(self, message: str, *args: object) -> None:
        """Log a message that shows, whatever the log level, while this plugin's debug switch is on."""
        self.log.log(logging.ERROR if self.debug else logging.DEBUG, message, *args)

    def set_debug(self, debug: bool) -> bool:
        """Switch this plugin's debug messages on or off; returns what was given."""
        self.debug = debug
        return debug

    def toggle_debug(self) -> bool:
        """Turn this plugin's debug switch; returns the new position."""
        return self.set_debug(not self.debug)

    def remote_interface(self) -> Mapping[str, Any]:
        """Method name -> bound method, for every name in `remote_methods`."""
        return {method: getattr(self, method) for method in self.remote_methods}
