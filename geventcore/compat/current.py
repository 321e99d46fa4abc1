"""The server of this process, for code that finds it through globals: ``Bcfg2.Options.setup``, ``get_fam()``.

A process has one server. If tests create several, it is the one that loaded its plugins last.
"""

from __future__ import annotations

import importlib
from typing import Any, Protocol

from geventcore.errors import CoreInitError
from geventcore.plugin.context import PluginContext


class CoreView(Protocol):
    """The server under Bcfg2's names, as far as other modules use it; see `geventcore.compat.core.Bcfg2Core`."""

    context: PluginContext
    datastore: str
    #: The file monitor.
    fam: Any
    #: The values of options.
    setup: Any

    @property
    def encoding(self) -> str:
        """The encoding of the repository's texts."""

    def plugins_by_type(self, base_cls: type) -> list[Any]:
        """Return the loaded plugins of a class, in the order of ``(sort_order, name)``."""


_context: PluginContext | None = None
_core: CoreView | None = None


def set_context(context: PluginContext) -> None:
    """Make a server the one of this process; called before its plugins are made."""
    global _context, _core
    _context, _core = context, None


def get_core() -> CoreView:
    """Return the core of this process; `CoreInitError` if plugins are being imported and there is none yet."""
    global _core
    if _context is None:
        raise CoreInitError(
            "options, files and plugins are available in a plugin's constructor, but not during its import"
        )
    if _core is None:
        # Only servers with code that was written for Bcfg2 need the rest of this package.
        core: CoreView = importlib.import_module("geventcore.compat.core").core_of(_context)
        _core = core
    return _core
