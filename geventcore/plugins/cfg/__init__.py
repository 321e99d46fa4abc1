"""Cfg: the content and the attributes of files.

A directory ``Cfg/etc/motd/`` in the repository is the entry ``/etc/motd``. Each file in it has a *handler*: it
generates the content for some or all clients, says owner and mode (``info.xml``), or verifies the result (``:test``).

From the outside in: `plugin` (the plugin), `tree` (directories to entries), `entry` (binding one Path), `handlers` (the
contract and the table of handlers), and one module for each handler.
"""

from geventcore.plugins.cfg.plugin import Cfg

__all__ = ["Cfg"]
