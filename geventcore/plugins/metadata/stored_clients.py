"""The client list in the database.

A client exists if it has a row. What only an administrator decides about a client (aliases, addresses, passwords) is in
``clients.xml``, if there is one; a profile or authentication type there counts unless the client's row has one.

A `ClientTable` whose parts ask the database is always right, whichever process or machine has changed a row. Only while
the database is gone, and for calls that may wait for it (`geventcore.recollection`), it says what was known last.
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
from geventcore.recollection import recollection
from geventcore.specfiles.xmltext import illegal_position
from geventcore.storage import clients as rows

if TYPE_CHECKING:
    from sqlalchemy import Connection

log = logging.getLogger(__name__)

T = TypeVar("T")

#: The attributes of a client that a row can hold.
COLUMNS = frozenset({"profile", "auth", "version", "uuid", "address"})
_NO_CLIENTS = ClientTable({})


class OptionalClientsFile(ClientsFile):
    """``clients.xml`` of a site whose client list is in the database: it need not exist."""

    is_optional = True

    def handle_event(self, event: FileEvent) -> None:
        """Read the file anew, or forget it if it has been deleted."""
        if event.action is FileAction.DELETED and not self.path.exists():
            self.forget()
        else:
            super().handle_event(event)

    @property
    def table(self) -> ClientTable:
        """What the file says now; nothing if there is none. `MetadataRuntimeError` if it was never good."""
        if not self.is_loaded and not self.path.exists():
            return _NO_CLIENTS
        return super().table


class StoredClients:
    """A `ClientList`. `ClientsFile` is the other one.

    Attributes:
        memory: the rows as they were known last.
    """

    def __init__(self, context: PluginContext, file: OptionalClientsFile) -> None:
        self.memory = RememberedClients(context.database)
        self._rows = _Rows(context, self.memory)
        self._file = file
        self._table = StoredClientTable.over(self._rows, file.table if file.is_loaded else _NO_CLIENTS)

    @property
    def table(self) -> ClientTable:
        """A table that asks the database whenever it is asked. It is another one when the file has changed."""
        listed = self._file.table
        if self._table.listed is not listed:
            self._table = StoredClientTable.over(self._rows, listed)
        return self._table

    def add(self, name: str, attributes: Mapping[str, str]) -> bool:
        """Add a client, unless there is one; whether there was none."""
        check_client_name(name)
        client = rows.StoredClient(name.lower(), **_checked(attributes))
        return self._rows.change([client.hostname], lambda connection: rows.add_client(connection, client))

    def update(self, name: str, attributes: Mapping[str, str | None]) -> None:
        """Change attributes of a client, or take those away that are None."""
        values = _checked(attributes)
        known_as = self._file.table.names_of(name)
        if not self._rows.change(known_as, lambda connection: rows.update_client(connection, known_as[0], values)):
            raise MetadataConsistencyError(f"the database has no client {name}")

    def remove(self, name: str) -> None:
        """Take a client off the list."""
        known_as = self._file.table.names_of(name)
        if not self._rows.change(known_as, lambda connection: rows.remove_client(connection, known_as[0])):
            raise MetadataConsistencyError(f"the database has no client {name}")
        self.memory.note(name.lower(), None)


def _checked(attributes: Mapping[str, str | None]) -> dict[str, str | None]:
    """What a row can hold of attributes; `MetadataError` if that is not everything."""
    others = attributes.keys() - COLUMNS
    if others:
        raise MetadataRuntimeError(
            f"the client list is in the database ([metadata] use_database): {', '.join(sorted(others))} of a client is "
            "set in clients.xml"
        )
    for name, value in attributes.items():
        if value is not None and illegal_position(value) is not None:
            raise MetadataConsistencyError(f"{name} = {value!r} holds characters that cannot be stored")
    values = dict(attributes)
    if values.get("address"):
        values["address"] = normal_address(str(values["address"]))
    return values


class _Rows:
    """The database or, if that is allowed, the memory; with errors that say that nothing is known of clients."""

    def __init__(self, context: PluginContext, memory: RememberedClients) -> None:
        self._context = context
        self._database = context.database
        self._memory = memory
        self._is_remembering = False

    def read(self, function: Callable[[Connection], T], remembered: Callable[[RememberedClients], T]) -> T:
        """What `function` finds in the database, or `remembered` in the memory."""
        allowed = recollection()
        may_remember = allowed is not None and self._memory.is_known
        if allowed is not None and may_remember and not self._database.is_available:
            allowed.use()
            return self._remember(remembered)
        try:
            found = self._database.read(function)
        except StorageError as err:
            failure = MetadataUnavailable(f"the client list cannot be read: {err}")
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
            log.warning("Who sends a report is decided by the client list as it was known last, until it can be read")
        return remembered(self._memory)

    def all_rows(self) -> list[rows.StoredClient]:
        """All rows, by name."""
        return self.read(rows.all_clients, RememberedClients.all)

    def client(self, name: str) -> rows.StoredClient | None:
        """The row of a client."""
        row = self.read(lambda connection: rows.get_client(connection, name), lambda memory: memory.get(name))
        self._memory.note(name, row)
        return row

    def change(self, names: Sequence[str], function: Callable[[Connection], T]) -> T:
        """Change rows; `names` are those under which the client's metadata may be cached."""
        if recollection() is not None and not self._database.is_available:
            raise MetadataUnavailable("the client list cannot be changed") from DatabaseUnavailable(
                f"{self._database.config} is gone"
            )
        try:
            return self._context.change_clients(names, lambda connection, _: [function(connection)], None)
        except StorageError as err:
            raise MetadataUnavailable(f"the client list cannot be changed: {err}") from err


@dataclass(frozen=True, eq=False)
class StoredClientTable(ClientTable):
    """The rows, with what the file says of their clients.

    Attributes:
        listed: what the file says.
    """

    listed: ClientTable = _NO_CLIENTS

    @classmethod
    def over(cls, source: _Rows, listed: ClientTable) -> StoredClientTable:
        """A table that asks the database."""
        return cls(
            _ClientsByName(source, listed),
            aliases=listed.aliases,
            owners=_OwnersByAddress(source, listed),
            uuids=_NamesByUUID(source, listed),
            listed=listed,
        )

    def get(self, name: str) -> Client | None:
        """The client of that name (not alias); one that is only in the file is no client yet, but may have a password
        of its own already."""
        name = name.lower()
        return self.clients.get(name) or self.listed.get(name)


def _merged(row: rows.StoredClient, listed: Client | None) -> Client:
    """What a row and the file say of a client."""
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
    """Name -> client; one query for one, and one for all."""

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
    """Normal address -> names of the clients that have it, in the file or by registering from there."""

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
    """User name -> name of the client that it stands for."""

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
