"""The client list: the attributes of each client in ``clients.xml``.

A `ClientTable` is one version of the list and immutable; a changed list is a new table. Names and aliases are compared
in lower case. Addresses are compared as addresses, so ``::1`` and ``0:0:0:0:0:0:0:1`` are equal.

A client that is listed more than once has the profiles, aliases and addresses of all its elements. It is secure or
floating if one of its elements is. Of every other attribute the last value wins.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from lxml import etree

from geventcore.plugin.client_names import HOST_NAMES, ClientNames
from geventcore.plugins.ip_addresses import normal_address

log = logging.getLogger(__name__)

AUTHENTICATION_TYPES = ("cert", "bootstrap", "cert+password")


@dataclass(frozen=True, slots=True)
class Client:
    """One client of the list.

    Attributes:
        name: lower case.
        profiles: the profiles in its elements.
        aliases, addresses: spelled as in the file.
        uuid: a user name that identifies the client.
        password: its own password.
        auth: one of `AUTHENTICATION_TYPES`, or None for the server's default.
        version: the version that it declared last.
        secure: true if only its own password is accepted.
        floating: true if it may call from any address.
    """

    name: str
    profiles: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    uuid: str | None = None
    password: str | None = None
    auth: str | None = None
    version: str | None = None
    secure: bool = False
    floating: bool = False

    @classmethod
    def of_element(cls, element: etree._Element) -> Client:
        """Create a client from a ``Client`` element with a name."""
        get = element.attrib.get
        profile, address = get("profile"), get("address")
        addresses = [address] if address else []
        aliases = []
        for alias in element.iterchildren("Alias"):
            name, alias_address = alias.get("name"), alias.get("address")
            if name:
                aliases.append(name)
            if alias_address:
                addresses.append(alias_address)
        return cls(
            name=str(get("name", "")).lower(),
            profiles=(str(profile),) if profile else (),
            aliases=tuple(aliases),
            addresses=tuple(str(found) for found in addresses),
            uuid=_text(get("uuid")),
            password=_text(get("password")),
            auth=_text(get("auth")) if get("auth") in AUTHENTICATION_TYPES else None,
            version=_text(get("version")),
            secure=_is_true(get("secure")),
            floating=_is_true(get("floating")) or get("location") == "floating",
        )

    def merged_with(self, later: Client) -> Client:
        """Merge two elements of a client that is listed twice."""
        return replace(
            later,
            profiles=_joined(self.profiles, later.profiles),
            aliases=_joined(self.aliases, later.aliases),
            addresses=_joined(self.addresses, later.addresses),
            uuid=later.uuid or self.uuid,
            password=later.password or self.password,
            auth=later.auth or self.auth,
            version=later.version or self.version,
            secure=later.secure or self.secure,
            floating=later.floating or self.floating,
        )

    def is_found_like(self, other: Client) -> bool:
        """Return true if both have the same names, addresses and user names."""
        return (self.name, self.aliases, self.addresses, self.uuid) == (
            other.name,
            other.aliases,
            other.addresses,
            other.uuid,
        )


def _text(value: str | bytes | None) -> str | None:
    """Return an attribute's text; None if it is missing or empty."""
    return str(value) if value else None


def _is_true(value: str | bytes | None) -> bool:
    return value is not None and str(value).lower() == "true"


def _joined(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(first + second))


@dataclass(frozen=True, eq=False)
class ClientTable:
    """One version of the client list.

    Attributes:
        clients: name -> client, in the order of the file.
        duplicates: names that are listed more than once.
        aliases: alias in lower case -> name.
        owners: normal address -> names of the clients with it.
        uuids: user name -> name.
    """

    clients: Mapping[str, Client]
    duplicates: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    uuids: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_clients(
        cls, clients: Mapping[str, Client], duplicates: frozenset[str], conflict_level: int = logging.DEBUG
    ) -> ClientTable:
        """Build a table with its indexes. If two clients have the same alias or uuid, log it at `conflict_level`."""
        aliases: dict[str, str] = {}
        owners: dict[str, tuple[str, ...]] = {}
        uuids: dict[str, str] = {}
        for name, client in clients.items():
            for alias in client.aliases:
                _claim(aliases, alias.lower(), name, "alias", conflict_level)
            for address in dict.fromkeys(normal_address(text) for text in client.addresses):
                owners[address] = (*owners.get(address, ()), name)
            if client.uuid is not None:
                _claim(uuids, client.uuid, name, "uuid", conflict_level)
        return cls(clients, duplicates, aliases, owners, uuids)

    @classmethod
    def of_root(
        cls, root: etree._Element, file: str, breathe: Callable[[], None], names: ClientNames = HOST_NAMES
    ) -> ClientTable:
        """Build a table from the root of ``clients.xml``, includes resolved.

        Log and skip elements without a name, and with a name that `names` does not accept.
        """
        clients: dict[str, Client] = {}
        duplicates = set()
        for number, element in enumerate(root.iter("Client")):
            if number % 100 == 0:
                breathe()
            if not element.get("name"):
                log.error("%s: line %s: ignoring a Client without a name", file, element.sourceline)
                continue
            client = Client.of_element(element)
            problem = names.problem(client.name)
            if problem:
                log.error("%s: line %s: ignoring this Client: %s", file, element.sourceline, problem)
                continue
            if element.get("auth") and client.auth is None:
                log.error(
                    "%s: line %s: client %s: invalid auth=%r, expected %s; using the server's default",
                    file, element.sourceline, client.name, element.get("auth"), " or ".join(AUTHENTICATION_TYPES),
                )  # fmt: skip
            earlier = clients.get(client.name)
            if earlier is not None:
                log.warning("%s: line %s: client %s is listed twice", file, element.sourceline, client.name)
                duplicates.add(client.name)
                client = earlier.merged_with(client)
            clients[client.name] = client
        for alias in clients.keys() & (alias.lower() for client in clients.values() for alias in client.aliases):
            log.warning("%s: %s is both a client and an alias; using it as the alias", file, alias)
        return cls.of_clients(clients, frozenset(duplicates), conflict_level=logging.WARNING)

    def canonical(self, name: str) -> str:
        """Resolve a name or alias to the name of the client; return an unknown name in lower case."""
        name = name.lower()
        return self.aliases.get(name, name)

    def get(self, name: str) -> Client | None:
        """Return the client with this name (not alias), or None."""
        return self.clients.get(name.lower())

    def names_of(self, name: str) -> tuple[str, ...]:
        """Return every name under which metadata of a client may be cached."""
        client = self.get(name)
        return (name.lower(), *(alias.lower() for alias in (client.aliases if client is not None else ())))

    def with_changes(self, changes: Iterable[tuple[str, Client | None]]) -> ClientTable:
        """Return a changed table; ``(name, None)`` removes a client."""
        changes = list(changes)
        clients = dict(self.clients)
        same_indexes = True
        for name, client in changes:
            old = clients.get(name)
            if client is None:
                clients.pop(name, None)
            else:
                clients[name] = client
            same_indexes = same_indexes and old is not None and client is not None and client.is_found_like(old)
        if same_indexes:
            return replace(self, clients=clients)
        if all(client is not None and name not in self.clients for name, client in changes):
            return self._with_new(clients, [client for _, client in changes if client is not None])
        return self.of_clients(clients, self.duplicates)

    def _with_new(self, clients: Mapping[str, Client], new: Iterable[Client]) -> ClientTable:
        """Return a table with further clients. It extends the indexes: thousands of clients may register in a row."""
        added = self.of_clients({client.name: client for client in new}, frozenset())
        owners = {**self.owners}
        for address, names in added.owners.items():
            owners[address] = (*owners.get(address, ()), *names)
        return replace(
            self,
            clients=clients,
            aliases={**self.aliases, **added.aliases},
            owners=owners,
            uuids={**self.uuids, **added.uuids},
        )


class ClientList(Protocol):
    """A store of clients. Changes are durable and expire the client's cached metadata in all processes."""

    @property
    def table(self) -> ClientTable:
        """Return the current list; `MetadataRuntimeError` if no version of it could be read."""

    def add(self, name: str, attributes: Mapping[str, str]) -> bool:
        """Add a client unless it is listed; return true if it was added."""

    def update(self, name: str, attributes: Mapping[str, str | None]) -> None:
        """Change attributes of a client; remove those whose value is None."""

    def remove(self, name: str) -> None:
        """Remove a client from the list."""


def _claim(index: dict[str, str], key: str, name: str, kind: str, conflict_level: int) -> None:
    """Enter a client into an index with one owner for each key; the last client wins."""
    owner = index.get(key)
    if owner is not None and owner != name:
        log.log(conflict_level, "clients %s and %s have the same %s %r; using it for %s", owner, name, kind, key, name)
    index[key] = name
