"""Access control for sites that have none of their own: what clients need is open to all, the rest to the server's own
machine. Loaded if no other plugin decides on access.
"""

from __future__ import annotations

from geventcore.plugin.base import Plugin
from geventcore.plugin.interfaces import Address, ClientACLs
from geventcore.plugins.ip_addresses import is_loopback

#: Methods without a dot in their names that are not for clients.
_RESTRICTED = frozenset({"get_statistics", "expire_metadata_cache"})


class DefaultACL(Plugin, ClientACLs):
    """Only the loopback addresses may call plugins' methods, debug switches, statistics and cache control."""

    creates_directory = False

    def check_acl_ip(self, address: Address, method: str) -> bool:
        is_for_clients = "." not in method and not method.endswith("_debug") and method not in _RESTRICTED
        return is_for_clients or is_loopback(address)
