"""The access rules of a site without an ACL plugin; loaded if no other plugin decides on access.

Methods that clients need are open to all. The others are open only to callers on the server's own machine.
"""

from __future__ import annotations

from geventcore.plugin.base import Plugin
from geventcore.plugin.interfaces import Address, ClientACLs
from geventcore.plugins.ip_addresses import is_loopback

#: The methods without a dot in their names that are not for clients.
_RESTRICTED = frozenset({"get_statistics", "expire_metadata_cache"})


class DefaultACL(Plugin, ClientACLs):
    """A plugin that denies plugins' methods, debug switches, statistics and cache control to non-loopback addresses."""

    creates_directory = False

    def check_acl_ip(self, address: Address, method: str) -> bool:
        is_for_clients = "." not in method and not method.endswith("_debug") and method not in _RESTRICTED
        return is_for_clients or is_loopback(address)
