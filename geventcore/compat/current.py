"""The server of this process, for code that finds it through globals: ``Bcfg2.Options.setup``, ``get_fam()``.

A process has one server. Where tests make several, the one that loaded its plugins last counts.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from geventcore.errors import CoreInitError
from geventcore.plugin.context import PluginContext

if TYPE_CHECKING:
    from geventcore.compat.core import Bcfg2Core

_context: PluginContext | None = None
_core: Bcfg2Core | None = None


def set_context(context: PluginContext) -> None:
    """Make a server that of this process; called before its plugins are made."""
    global _context, _core
    _context, _core = context, None


def get_core() -> Bcfg2Core:
    """The core of this process; `CoreInitError` while there is none, that is, while plugins are imported."""
    global _core
    if _context is None:
        raise CoreInitError("options, files and plugins can be asked for in a plugin's constructor, not when imported")
    if _core is None:
        # Only servers with code that was written for Bcfg2 need the rest of this package.
        core: Bcfg2Core = importlib.import_module("geventcore.compat.core").core_of(_context)
        _core = core
    return _core
