"""The client of an address (docs: reference/protocol, "Identification of the client").

It is found in this order: the client that recently authenticated from this address and port; the client with this
address in the client list; the name in reverse DNS.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from geventcore.errors import MetadataConsistencyError
from geventcore.plugin.interfaces import Address
from geventcore.plugins.ip_addresses import normal_address
from geventcore.plugins.metadata.clients import ClientTable
from geventcore.plugins.metadata.expiring import ExpiringMap

#: The time for which an authentication identifies later calls from the same address and port; as in Bcfg2.
SESSION_SECONDS = 90.0
#: Each connection has its own port, so a site opens this many sessions in 90 s only at 2,000 requests/s.
SESSION_LIMIT = 200_000

#: The time for which a result of reverse DNS is cached: one request needs it up to three times, one client run ten
#: times. Failures are not cached, so that they end as soon as the resolver works again.
DNS_SECONDS = 10.0
DNS_LIMIT = 20_000


class ClientResolver:
    """A lookup of the client of an address.

    Attributes:
        sessions: ``(ip, port)`` -> the canonical name of the client that authenticated from there.
    """

    def __init__(self, clients: Callable[[], ClientTable]) -> None:
        """Use `clients` to read the current client list."""
        self.sessions: ExpiringMap[Address, str] = ExpiringMap(SESSION_SECONDS, SESSION_LIMIT)
        self._clients = clients
        self._dns_names: ExpiringMap[str, str] = ExpiringMap(DNS_SECONDS, DNS_LIMIT)

    def remember(self, address: Address, client: str) -> None:
        """Store a session: later calls from this address and port are the client's."""
        self.sessions.put(address[:2], client)

    def remembered(self, address: Address) -> str | None:
        """Return the client that recently authenticated from this address and port."""
        return self.sessions.get(address[:2])

    def forget(self, address: Address) -> None:
        """Drop the session of an address and port."""
        self.sessions.drop(address[:2])

    def resolve(self, address: Address) -> str:
        """Return the canonical name of the client; `MetadataConsistencyError` if it is unknown or ambiguous."""
        return self._clients().canonical(self.remembered(address) or self.client_at(address))

    def client_at(self, address: Address) -> str:
        """Return the canonical name of the client with an address, whoever authenticated from it before.

        `MetadataConsistencyError` if it is unknown or ambiguous.
        """
        return self._clients().canonical(self._owner(address) or self._reverse_lookup(str(address[0])))

    def owners(self, address: Address) -> tuple[str, ...]:
        """Return the clients with this address in the client list."""
        return self._clients().owners.get(normal_address(str(address[0])), ())

    def _owner(self, address: Address) -> str | None:
        owners = self.owners(address)
        if len(owners) > 1:
            names = ", ".join(owners)
            raise MetadataConsistencyError(
                f"the address {address[0]} belongs to several clients, which need uuids: {names}"
            )
        return owners[0] if owners else None

    def _reverse_lookup(self, ip: str) -> str:
        name = self._dns_names.get(ip)
        if name is None:
            try:
                # Not `getnameinfo`: in some Pythons, such as 3.11.2, it keeps the whole process from running.
                name = socket.gethostbyaddr(normal_address(ip))[0].lower()
            except (OSError, UnicodeError) as err:
                raise MetadataConsistencyError(
                    f"the address {ip} is not in the client list and has no name in DNS: {err}"
                ) from err
            self._dns_names.put(ip, name)
        return name
