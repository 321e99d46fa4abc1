"""The client list in the database: one row for each client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from geventcore.storage.schema import CLIENT
from geventcore.storage.statements import insert_if_missing

_BY_NAME = select(CLIENT).where(CLIENT.c.hostname == bindparam("name"))
_NAMES = select(CLIENT.c.hostname).order_by(CLIENT.c.hostname)
_NAMES_BY_ADDRESS = _NAMES.where(CLIENT.c.address == bindparam("address"))
_NAMES_BY_UUID = _NAMES.where(CLIENT.c.uuid == bindparam("uuid"))
_ALL = select(CLIENT).order_by(CLIENT.c.hostname)
_PAGE = _ALL.where(CLIENT.c.hostname > bindparam("after")).limit(bindparam("limit"))


@dataclass(frozen=True, slots=True)
class StoredClient:
    """A row of the client list. None means that the database has no value. The table's columns have comments."""

    hostname: str
    profile: str | None = None
    auth: str | None = None
    version: str | None = None
    uuid: str | None = None
    address: str | None = None


def _client(row: Row[tuple[str, ...]]) -> StoredClient:
    return StoredClient(**row._mapping)


def get_client(connection: Connection, hostname: str) -> StoredClient | None:
    """Return the client with this lower-case name, or None."""
    row = connection.execute(_BY_NAME, {"name": hostname}).one_or_none()
    return None if row is None else _client(row)


def all_clients(connection: Connection) -> list[StoredClient]:
    """Return all clients, sorted by name."""
    return [_client(row) for row in connection.execute(_ALL)]


def page_of_clients(connection: Connection, after: str, limit: int) -> list[StoredClient]:
    """Return the next clients after a name, sorted by name."""
    return [_client(row) for row in connection.execute(_PAGE, {"after": after, "limit": limit})]


def client_names(connection: Connection) -> list[str]:
    """Return the names of all clients, sorted."""
    return list(connection.scalars(_NAMES))


def names_by_address(connection: Connection, address: str) -> list[str]:
    """Return the clients that registered from an address."""
    return list(connection.scalars(_NAMES_BY_ADDRESS, {"address": address}))


def name_by_uuid(connection: Connection, uuid: str) -> str | None:
    """Return the client with this uuid, or None."""
    return connection.scalars(_NAMES_BY_UUID, {"uuid": uuid}).first()


def add_client(connection: Connection, client: StoredClient) -> bool:
    """Add a client unless the name exists. Return whether it was added."""
    return insert_if_missing(connection, CLIENT, asdict(client))


def update_client(connection: Connection, hostname: str, values: Mapping[str, str | None]) -> bool:
    """Change columns of a client. Return whether the client exists."""
    # MySQL counts changed rows, not matched rows.
    found = connection.execute(_BY_NAME.with_for_update(), {"name": hostname}).one_or_none()
    if found is not None:
        connection.execute(update(CLIENT).where(CLIENT.c.hostname == hostname).values(dict(values)))
    return found is not None


def remove_client(connection: Connection, hostname: str) -> bool:
    """Remove a client. Return whether it existed."""
    return connection.execute(delete(CLIENT).where(CLIENT.c.hostname == hostname)).rowcount > 0
