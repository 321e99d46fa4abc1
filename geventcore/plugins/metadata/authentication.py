"""Who a caller is, and whether it may call (docs: reference/protocol, "Who is the client").

A caller is identified by its certificate, else by its address (user ``root``), else by the user name: a client's uuid,
or the name of a client. What it must prove depends on the client's authentication type:

* ``cert``: a certificate, and nothing else;
* ``cert+password``: a password; a certificate, if it shows one, must fit, too;
* ``bootstrap``: either one. After its first report the client becomes ``cert``.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable

from geventcore.errors import MetadataConsistencyError, MetadataError, MetadataUnavailable
from geventcore.options import Option, Settings
from geventcore.options.common import CA, PASSWORD
from geventcore.options.types import choice
from geventcore.plugin.interfaces import Address
from geventcore.plugins.ip_addresses import normal_address
from geventcore.plugins.metadata.addresses import ClientResolver
from geventcore.plugins.metadata.clients import AUTHENTICATION_TYPES, Client, ClientTable
from geventcore.tls.identity import PeerIdentity

log = logging.getLogger(__name__)

#: The user that is identified by its address.
ADDRESS_USER = "root"

AUTHENTICATION = Option(
    "communication",
    "authentication",
    choice(*AUTHENTICATION_TYPES),
    "cert+password",
    "What clients have to show, unless their auth attribute in clients.xml says otherwise.\n\n"
    "cert: a certificate. cert+password: a password; a certificate, if there is one, must fit, too. bootstrap: either "
    "one until the client's first report, then a certificate. Certificates count only if [communication] ca is set.",
)


class _RefusedError(Exception):
    """The caller is not let in; the text says why."""


class Authenticator:
    """Decides who is let in."""

    def __init__(
        self, clients: Callable[[], ClientTable], resolver: ClientResolver, settings: Callable[[], Settings]
    ) -> None:
        """`clients` and `settings` give what counts now."""
        self._clients = clients
        self._resolver = resolver
        self._settings = settings

    def authenticate(self, identity: PeerIdentity | None, user: str, password: str, address: Address) -> bool:
        """Whether the caller may call. A refusal is logged with its reason. `MetadataUnavailable` if nobody knows."""
        try:
            self._check(identity, user, password, address)
        except MetadataUnavailable:
            raise
        except (_RefusedError, MetadataError) as err:
            log.info("Authentication of %r from %s failed: %s", self._caller(identity, user), address[0], err)
            return False
        return True

    def _caller(self, identity: PeerIdentity | None, user: str) -> str | None:
        return user if identity is None else identity.common_name

    def type_of(self, client: Client | None) -> str:
        """A client's authentication type; None stands for one that is not listed."""
        return (client.auth if client is not None else None) or self._settings()[AUTHENTICATION]

    def _check(self, identity: PeerIdentity | None, user: str, password: str, address: Address) -> None:
        table = self._clients()
        if self._settings()[CA] is None:
            identity = None
        if identity is not None:
            if not identity.common_name:
                raise _RefusedError("the certificate has no common name")
            name = identity.common_name
        elif user == ADDRESS_USER:
            name = self._resolver.resolve(address)
        else:
            name = table.uuids.get(user, user)
        client = table.get(name)
        auth = self.type_of(client)
        if identity is None and auth == "cert":
            raise _RefusedError(f"client {name!r} has to show a certificate")
        if identity is not None or user == ADDRESS_USER:
            self._check_address(name, client, address)
        if identity is not None and auth != "cert+password":
            if client is not None and client.floating:
                self._resolver.remember(address, name)
            return
        if not self._password_fits(client, password):
            raise _RefusedError(f"client {name!r} gave a wrong password")
        if user != ADDRESS_USER:
            self._resolver.remember(address, name)

    def _check_address(self, name: str, client: Client | None, address: Address) -> None:
        """Refuse a client that calls from where it does not live."""
        if client is not None and client.floating:
            return
        owners = self._resolver.owners(address)
        if owners:
            if name.lower() not in owners:
                raise _RefusedError(f"{normal_address(str(address[0]))} is not an address of client {name!r}")
            return
        owner = self._resolver.resolve(address)
        if owner != name.lower():
            raise MetadataConsistencyError(f"the address is that of {owner}, not of client {name!r}")

    def _password_fits(self, client: Client | None, password: str) -> bool:
        accepted = [client.password if client is not None else None]
        if client is None or not client.secure:
            accepted.append(self._settings()[PASSWORD])
        # Every comparison is made, and each in constant time: how long it takes tells nothing.
        return sum(_same(password, expected) for expected in accepted if expected is not None) > 0


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass"))
