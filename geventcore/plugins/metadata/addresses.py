"""Which client calls from an address (docs: reference/protocol, "Who is the client").

In this order: who authenticated from this very address and port a short time ago; who has the address in the client
list; what reverse DNS says.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from geventcore.errors import MetadataConsistencyError
from geventcore.plugin.interfaces import Address
from geventcore.plugins.ip_addresses import normal_address
from geventcore.plugins.metadata.clients import ClientTable
from geventcore.plugins.metadata.expiring import ExpiringMap

#: How long an authentication names the client of later calls from the same address and port. As in Bcfg2.
SESSION_SECONDS = 90.0
#: Each connection has a port of its own, so a busy site opens this many sessions in 90 s only at 2,000 requests/s.
SESSION_LIMIT = 200_000

#: How long an answer of reverse DNS is kept: one request asks up to three times, one client run ten times. Failures
#: are not kept, so that a resolver's hiccup ends when it ends.
DNS_SECONDS = 10.0
DNS_LIMIT = 20_000


class ClientResolver:
    """Finds the client of an address.

    Attributes:
        sessions: ``(ip, port)`` -> the client that authenticated from there, spelled as it was given.
    """

    def __init__(self, clients: Callable[[], ClientTable]) -> None:
        """`clients` gives the client list as of now."""
        self.sessions: ExpiringMap[Address, str] = ExpiringMap(SESSION_SECONDS, SESSION_LIMIT)
        self._clients = clients
        self._dns_names: ExpiringMap[str, str] = ExpiringMap(DNS_SECONDS, DNS_LIMIT)

    def remember(self, address: Address, client: str) -> None:
        """Let later calls from this address and port be the client's."""
        self.sessions.put(address[:2], client)

    def remembered(self, address: Address) -> str | None:
        """Who authenticated from this address and port a short time ago, spelled as it was given."""
        return self.sessions.get(address[:2])

    def resolve(self, address: Address) -> str:
        """The canonical name of the client; `MetadataConsistencyError` if nothing tells, or more than one has it."""
        client = self.remembered(address) or self._owner(address) or self._reverse_lookup(str(address[0]))
        return self._clients().canonical(client)

    def owners(self, address: Address) -> tuple[str, ...]:
        """The clients that have the address in the client list."""
        return self._clients().owners.get(normal_address(str(address[0])), ())

    def _owner(self, address: Address) -> str | None:
        owners = self.owners(address)
        if len(owners) > 1:
            names = ", ".join(owners)
            raise MetadataConsistencyError(f"{address[0]} is the address of several clients, which need uuids: {names}")
        return owners[0] if owners else None

    def _reverse_lookup(self, ip: str) -> str:
        name = self._dns_names.get(ip)
        if name is None:
            try:
                name = socket.getnameinfo((normal_address(ip), 0), socket.NI_NAMEREQD)[0].lower()
            except (OSError, UnicodeError) as err:
                raise MetadataConsistencyError(f"{ip} is no client's address and has no name in DNS: {err}") from err
            self._dns_names.put(ip, name)
        return name
