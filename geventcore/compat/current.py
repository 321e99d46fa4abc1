"""The server of this process, for code that finds it through globals: ``Bcfg2.Options.setup``, ``get_fam()``.

A process has one server. Where tests make several, the one whose plugins were loaded last counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from geventcore.errors import CoreInitError

if TYPE_CHECKING:
    from geventcore.compat.core import Bcfg2Core

_core: Bcfg2Core | None = None


def set_core(core: Bcfg2Core) -> None:
    """Make a core that of this process."""
    global _core
    _core = core


def get_core() -> Bcfg2Core:
    """The core of this process; `CoreInitError` while there is none, that is, while plugins are imported."""
    if _core is None:
        raise CoreInitError("options, files and plugins can be asked for in a plugin's constructor, not when imported")
    return _core
