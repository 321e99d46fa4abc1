"""The client list in the database.

A client exists if it has a row. Attributes that only an administrator sets (aliases, addresses, passwords) are in
``clients.xml``, if it exists. A profile or authentication type there applies unless the client's row has one.

The `ClientTable` queries the database, so it is always current, whichever process or machine has changed a row. Only
during a database outage, and only for calls that accept a stale identity (`geventcore.stale_reads`), it uses the last
known rows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from geventcore.errors import (
    DatabaseUnavailable,
    MetadataConsistencyError,
    MetadataRuntimeError,
    MetadataUnavailable,
    StorageError,
)
from geventcore.filemonitor import FileAction, FileEvent
from geventcore.plugin.context import PluginContext
from geventcore.plugins.ip_addresses import normal_address
from geventcore.plugins.metadata.clients import Client, ClientTable
from geventcore.plugins.metadata.clients_file import ClientsFile, check_client_name
from geventcore.plugins.metadata.remembered_clients import RememberedClients
from geventcore.specfiles.xmltext import illegal_position
from geventcore.stale_reads import current_stale_reads
from geventcore.storage import clients as rows

if TYPE_CHECKING:
    from sqlalchemy import Connection

log = logging.getLogger(__name__)

T = TypeVar("T")

#: The attributes of a client that a row has.
COLUMNS = frozenset({"profile", "auth", "version", "uuid", "address"})
_NO_CLIENTS = ClientTable({})


class OptionalClientsFile(ClientsFile):
    """The optional ``clients.xml`` of a site whose client list is in the database."""

    is_optional = True

    def handle_event(self, event: FileEvent) -> None:
        """Reload the file, or drop its content if it has been deleted."""
        if event.action is FileAction.DELETED and not self.path.exists():
            self.forget()
        else:
            super().handle_event(event)

    @property
    def table(self) -> ClientTable:
        """Return the file's table, empty without a file; `MetadataRuntimeError` if no version of it was valid."""
        if not self.is_loaded and not self.path.exists():
            return _NO_CLIENTS
        return super().table


class StoredClients:
    """A `ClientList` in the database; `ClientsFile` is the one in a file.

    Attributes:
        memory: the last known rows.
    """

    def __init__(self, context: PluginContext, file: OptionalClientsFile) -> None:
        self.memory = RememberedClients(context.database)
        self._rows = _Rows(context, self.memory)
        self._context = context
        self._file = file
        self._table = StoredClientTable.over(self._rows, file.table if file.is_loaded else _NO_CLIENTS)

    @property
    def table(self) -> ClientTable:
        """Return a table that queries the database on each access. A change of the file replaces the table."""
        listed = self._file.table
        if self._table.listed is not listed:
            self._table = StoredClientTable.over(self._rows, listed)
        return self._table

    def add(self, name: str, attributes: Mapping[str, str]) -> bool:
        """Add a client unless it exists; return true if it was added."""
        check_client_name(name, self._context)
        client = rows.StoredClient(name.lower(), **_checked(attributes))
        return self._rows.change([client.hostname], lambda connection: rows.add_client(connection, client))

    def update(self, name: str, attributes: Mapping[str, str | None]) -> None:
        """Change attributes of a client; remove those whose value is None."""
        values = _checked(attributes)
        known_as = self._file.table.names_of(name)
        if not self._rows.change(known_as, lambda connection: rows.update_client(connection, known_as[0], values)):
            raise MetadataConsistencyError(f"the database has no client {name}")

    def remove(self, name: str) -> None:
        """Remove a client from the list."""
        known_as = self._file.table.names_of(name)
        if not self._rows.change(known_as, lambda connection: rows.remove_client(connection, known_as[0])):
            raise MetadataConsistencyError(f"the database has no client {name}")
        self.memory.note(name.lower(), None)


def _checked(attributes: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return the attributes as columns of a row; `MetadataError` if a row does not have one of them."""
    others = attributes.keys() - COLUMNS
    if others:
        raise MetadataRuntimeError(
            f"cannot set {', '.join(sorted(others))}: the client list is in the database ([metadata] use_database), so "
            "set it in clients.xml"
        )
    for name, value in attributes.items():
        if value is not None and illegal_position(value) is not None:
            raise MetadataConsistencyError(f"{name} = {value!r} has characters that cannot be stored")
    values = dict(attributes)
    if values.get("address"):
        values["address"] = normal_address(str(values["address"]))
    return values


class _Rows:
    """Access to the rows in the database or, for stale reads, in memory; errors become `MetadataUnavailable`."""

    def __init__(self, context: PluginContext, memory: RememberedClients) -> None:
        self._context = context
        self._database = context.database
        self._memory = memory
        self._is_remembering = False

    def read(self, function: Callable[[Connection], T], remembered: Callable[[RememberedClients], T]) -> T:
        """Read with `function` from the database or, during an outage, with `remembered` from memory."""
        allowed = current_stale_reads()
        may_remember = allowed is not None and self._memory.is_known
        if allowed is not None and may_remember and not self._database.is_available:
            allowed.use()
            return self._remember(remembered)
        try:
            found = self._database.read(function)
        except StorageError as err:
            failure = MetadataUnavailable(f"cannot read the client list: {err}")
            if allowed is None or not may_remember or not isinstance(err, DatabaseUnavailable):
                raise failure from err
            failure.__cause__ = err
            allowed.use(failure)
            return self._remember(remembered)
        self._is_remembering = False
        return found

    def _remember(self, remembered: Callable[[RememberedClients], T]) -> T:
        if not self._is_remembering:
            self._is_remembering = True
            log.warning("the client list cannot be read; identifying the senders of reports by its last known content")
        return remembered(self._memory)

    def all_rows(self) -> list[rows.StoredClient]:
        """Return all rows, sorted by name."""
        return self.read(rows.all_clients, RememberedClients.all)

    def client(self, name: str) -> rows.StoredClient | None:
        """Return the row of a client, or None."""
        row = self.read(lambda connection: rows.get_client(connection, name), lambda memory: memory.get(name))
        self._memory.note(name, row)
        return row

    def change(self, names: Sequence[str], function: Callable[[Connection], T]) -> T:
        """Change rows; `names` are the names under which the client's metadata may be cached."""
        if current_stale_reads() is not None and not self._database.is_available:
            raise MetadataUnavailable("the client list cannot be changed") from DatabaseUnavailable(
                f"{self._database.config} is gone"
            )
        try:
            return self._context.change_clients(names, lambda connection, _: [function(connection)], None)
        except StorageError as err:
            raise MetadataUnavailable(f"the client list cannot be changed: {err}") from err


@dataclass(frozen=True, eq=False)
class StoredClientTable(ClientTable):
    """The rows, with the attributes of their clients in the file.

    Attributes:
        listed: the table of the file.
    """

    listed: ClientTable = _NO_CLIENTS

    @classmethod
    def over(cls, source: _Rows, listed: ClientTable) -> StoredClientTable:
        """Create a table that queries the database."""
        return cls(
            _ClientsByName(source, listed),
            aliases=listed.aliases,
            owners=_OwnersByAddress(source, listed),
            uuids=_NamesByUUID(source, listed),
            listed=listed,
        )

    def get(self, name: str) -> Client | None:
        """Return the client with this name (not alias).

        A client that is only in the file does not exist yet, but may already have its own password.
        """
        name = name.lower()
        return self.clients.get(name) or self.listed.get(name)


def _merged(row: rows.StoredClient, listed: Client | None) -> Client:
    """Merge a client's row with its attributes in the file."""
    client = listed or Client(row.hostname)
    return replace(
        client,
        profiles=(row.profile,) if row.profile else client.profiles,
        addresses=(*client.addresses, row.address) if row.address else client.addresses,
        uuid=row.uuid or client.uuid,
        auth=row.auth or client.auth,
        version=row.version,
    )


class _ClientsByName(Mapping[str, Client]):
    """The clients: name -> client. Reading one, or all, takes one query."""

    def __init__(self, source: _Rows, listed: ClientTable) -> None:
        self._source = source
        self._listed = listed

    def __getitem__(self, name: str) -> Client:
        row = self._source.client(name)
        if row is None:
            raise KeyError(name)
        return _merged(row, self._listed.get(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._source.read(rows.client_names, RememberedClients.names))

    def __len__(self) -> int:
        return len(self._source.read(rows.client_names, RememberedClients.names))


class _OwnersByAddress(Mapping[str, tuple[str, ...]]):
    """The owners of addresses: normal address -> names of clients, from the file and from registration."""

    def __init__(self, source: _Rows, listed: ClientTable) -> None:
        self._source = source
        self._listed = listed

    def __getitem__(self, address: str) -> tuple[str, ...]:
        registered = self._source.read(
            lambda connection: rows.names_by_address(connection, address),
            lambda memory: memory.names_by_address(address),
        )
        owners = tuple(dict.fromkeys((*self._listed.owners.get(address, ()), *registered)))
        if not owners:
            raise KeyError(address)
        return owners

    def __iter__(self) -> Iterator[str]:
        registered = (row.address for row in self._source.all_rows() if row.address)
        return iter(dict.fromkeys((*self._listed.owners, *registered)))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _NamesByUUID(Mapping[str, str]):
    """The user names: user name -> name of the client that it identifies."""

    def __init__(self, source: _Rows, listed: ClientTable) -> None:
        self._source = source
        self._listed = listed

    def __getitem__(self, uuid: str) -> str:
        name = self._listed.uuids.get(uuid) or self._source.read(
            lambda connection: rows.name_by_uuid(connection, uuid), lambda memory: memory.name_by_uuid(uuid)
        )
        if name is None:
            raise KeyError(uuid)
        return name

    def __iter__(self) -> Iterator[str]:
        registered = (row.uuid for row in self._source.all_rows() if row.uuid)
        return iter(dict.fromkeys((*self._listed.uuids, *registered)))

    def __len__(self) -> int:
        return sum(1 for _ in self)
