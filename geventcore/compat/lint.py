"""``Bcfg2.Server.Lint``: bases of lint plugins, which the modules of plugins may define beside the plugin.

They are never run here.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = ["ServerPlugin", "ServerlessPlugin"]


class ServerlessPlugin:
    """A lint plugin that needs only the files."""

    options: ClassVar[list[Any]] = []


class ServerPlugin(ServerlessPlugin):
    """A lint plugin that needs a server."""
