"""``Bcfg2.Server.Plugin.helpers``: plugins that can keep their data in a database.

They work with files, which is their default. This server has no database for plugins.
"""

from __future__ import annotations

from typing import Any, ClassVar

from geventcore.compat.options import BooleanOption
from geventcore.compat.plugin_base import Plugin
from geventcore.errors import PluginInitError

__all__ = ["DatabaseBacked", "PluginDatabaseModel"]


class PluginDatabaseModel:
    """A base class of database models, which are never used."""


class DatabaseBacked(Plugin):
    """A plugin with the option ``[<name in lower case>] use_database``, which must be off."""

    options: ClassVar[list[Any]] = []

    @property
    def section(self) -> str:
        """The section with the option."""
        return self.name.lower()

    def __init__(self, core: Any, datastore: str | None = None) -> None:
        Plugin.__init__(self, core, datastore)
        if self._use_db:
            raise PluginInitError(
                f"[{self.section}] use_database: the plugin cannot keep its data in a database here; set it to no"
            )

    @property
    def _use_db(self) -> bool:
        option = BooleanOption(cf=(self.section, "use_database"), default=False)
        return bool(option.value(self.core.context.settings))

    @property
    def _must_lock(self) -> bool:
        return False
