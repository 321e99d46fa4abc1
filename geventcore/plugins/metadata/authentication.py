"""Authentication of callers (docs: reference/protocol, "Identification of the client").

First, whatever the caller says becomes a canonical client (`Authenticator._identify`): the common name of its
certificate, else its address if the user is ``root``, else the user: a client's uuid, name or alias, in any case. Then
the rules of this client decide (`geventcore.plugins.metadata.access_rules`), however it was named.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable

from geventcore.errors import MetadataError, MetadataUnavailable
from geventcore.log import shortened
from geventcore.options import Option, Settings
from geventcore.options.server import CA, PASSWORD
from geventcore.options.types import choice
from geventcore.plugin.client_names import is_local_name
from geventcore.plugin.interfaces import Address
from geventcore.plugins.ip_addresses import is_loopback
from geventcore.plugins.metadata.access_rules import Attempt, NamedBy, Password, Refusal, checks_address, refusal
from geventcore.plugins.metadata.addresses import ClientResolver
from geventcore.plugins.metadata.clients import AUTHENTICATION_TYPES, Client, ClientTable
from geventcore.plugins.metadata.registration import Registration
from geventcore.tls.identity import PeerIdentity

log = logging.getLogger(__name__)

#: The longest reason in a message, in characters: it may quote the name of the caller.
LONGEST_REASON = 500

#: The user that is identified by its address.
ADDRESS_USER = "root"

AUTHENTICATION = Option(
    "communication",
    "authentication",
    choice(*AUTHENTICATION_TYPES),
    "cert+password",
    "Default authentication type of clients without an auth attribute in clients.xml.\n\n"
    "cert: a certificate. cert+password: a password; a certificate is optional, and must name the same client. "
    "bootstrap: either one until the client's first report, then a certificate. Certificates are used only if "
    "[communication] ca is set.",
)


class _RefusedError(Exception):
    """Access is denied; the text is the reason."""


class Authenticator:
    """Authenticates callers by the client list."""

    def __init__(
        self,
        clients: Callable[[], ClientTable],
        resolver: ClientResolver,
        registration: Registration,
        settings: Callable[[], Settings],
    ) -> None:
        """Set up; `clients` and `settings` return the current client list and settings."""
        self._clients = clients
        self._resolver = resolver
        self._registration = registration
        self._settings = settings

    def authenticate(self, identity: PeerIdentity | None, user: str, password: str, address: Address) -> bool:
        """Return whether the caller may call. Logs the reason of a refusal.

        Raises:
            MetadataUnavailable: the client list cannot be read at the moment.
        """
        try:
            self._check(identity, user, password, address)
        except MetadataUnavailable:
            raise
        except (_RefusedError, MetadataError) as err:
            caller = shortened(self._caller(identity, user) or "")
            log.warning("access denied for %r from %s: %s", caller, address[0], shortened(str(err), LONGEST_REASON))
            return False
        return True

    def _caller(self, identity: PeerIdentity | None, user: str) -> str | None:
        return user if identity is None else identity.common_name

    def type_of(self, client: Client | None) -> str:
        """Return a client's authentication type. Pass None for a client that is not in the client list."""
        return (client.auth if client is not None else None) or self._settings()[AUTHENTICATION]

    def _identify(
        self, identity: PeerIdentity | None, user: str, address: Address, table: ClientTable
    ) -> tuple[NamedBy, str]:
        """Return the canonical name of the client in whose name the caller calls."""
        if identity is not None:
            if not identity.common_name:
                raise _RefusedError("the certificate has no common name")
            return NamedBy.CERTIFICATE, table.canonical(identity.common_name)
        if user == ADDRESS_USER:
            return NamedBy.ADDRESS, self._resolver.client_at(address)
        return NamedBy.USER, table.canonical(table.uuids.get(user, user))

    def _check(self, identity: PeerIdentity | None, user: str, password: str, address: Address) -> None:
        """Authenticate the caller and remember it for its address and port; raise if it is refused."""
        if self._settings()[CA] is None:
            identity = None
        table = self._clients()
        named_by, name = self._identify(identity, user, address, table)
        problem = self._registration.names.problem(name)
        if problem:
            raise _RefusedError(problem)
        if is_local_name(name) and not is_loopback(address):
            raise _RefusedError(f"{name!r} is the server itself, and the call comes from elsewhere")
        client = table.get(name)
        auth = self.type_of(client)
        is_floating = client is not None and client.floating
        attempt = Attempt(
            named_by,
            auth,
            client is not None and client.secure,
            is_floating,
            not checks_address(named_by, auth, is_floating) or self._is_at_home(name, address),
            self._password_of(client, password),
        )
        reason = refusal(attempt)
        if reason is not None:
            raise _RefusedError(self._explain(reason, name, user, address))
        if client is None:
            self._registration.require_access(name, address)
        if named_by is NamedBy.ADDRESS:
            # Another client may have had this address and port a moment ago.
            self._resolver.forget(address)
        else:
            self._resolver.remember(address, name)

    def _is_at_home(self, name: str, address: Address) -> bool:
        """Return true if the address is the client's: by the client list, or by DNS if the list has no owner."""
        owners = self._resolver.owners(address)
        return name in owners if owners else self._resolver.client_at(address) == name

    def _explain(self, reason: Refusal, name: str, user: str, address: Address) -> str:
        if reason is Refusal.PASSWORD:
            return "wrong password" if name == user else f"wrong password for client {name!r}"
        if reason is Refusal.ADDRESS:
            owners = self._resolver.owners(address) or (self._resolver.client_at(address),)
            return f"the address belongs to client {' and '.join(owners)}, not to {name!r}"
        if self._settings()[CA] is None:
            return f"client {name!r} needs a certificate, and [communication] ca is not set"
        return f"client {name!r} needs a certificate and shows none"

    def _password_of(self, client: Client | None, password: str) -> Password:
        """Return which of the passwords was sent."""
        own = client.password if client is not None else None
        # Both comparisons are made, each in constant time, so that the duration reveals nothing.
        is_own, is_site = _same(password, own), _same(password, self._settings()[PASSWORD])
        return Password.OWN if is_own else Password.SITE if is_site else Password.WRONG


def _same(given: str, expected: str | None) -> bool:
    """Return true for the same password; an empty one is none."""
    equal = hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), (expected or "").encode("utf-8", "surrogatepass")
    )
    return equal and bool(expected)
