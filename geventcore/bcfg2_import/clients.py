"""The reader of clients, probe results and reporting hosts in a Bcfg2 database.

These tables are small, with a few rows for each client. They are still read in chunks, by row numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

from sqlalchemy import Connection, Select, func, literal, select, union_all

from geventcore.bcfg2_import import schema, values
from geventcore.bcfg2_import.problems import Problems
from geventcore.bcfg2_import.source import Source, rows_by_id
from geventcore.bcfg2_import.values import UnreadableError, short_name
from geventcore.storage.clients import StoredClient

#: The number of rows in a chunk.
CHUNK = 500
#: The number of clients in a chunk of probe results.
PROBE_CHUNK = 50

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Bcfg2Host:
    """A host with reports. `expired` is the time when it went out of service, in milliseconds since the epoch."""

    hostname: str
    expired: int | None


@dataclass
class Bcfg2Probes:
    """The probe results of a client. `timestamp` is that of the newest result; the epoch if there are only groups."""

    hostname: str
    timestamp: datetime = _EPOCH
    groups: list[str] = field(default_factory=list)
    data: dict[str, str] = field(default_factory=dict)


def count_rows(source: Source, wanted: schema.Bcfg2Table) -> int:
    """Return the number of rows of a table."""
    with source.reading() as connection:
        return connection.execute(select(func.count()).select_from(source.table(wanted))).scalar_one()


def clients(source: Source, problems: Problems) -> Iterator[list[StoredClient]]:
    """Read the client list in chunks."""
    found = source.table(schema.CLIENT_LIST)
    for rows in _in_chunks(source, select(found.c.hostname, found.c.version).order_by(found.c.hostname)):
        chunk = []
        for hostname, version in rows:
            try:
                chunk.append(StoredClient(short_name(hostname).lower(), version=version and short_name(version)))
            except UnreadableError as err:
                problems.add(schema.CLIENT_LIST.name, hostname, err)
        yield chunk


def _in_chunks(source: Source, query: Select[Any]) -> Iterator[Sequence[Any]]:
    """Read the rows of a query in chunks, so that memory stays bounded."""
    with source.reading() as connection:
        yield from connection.execute(query, execution_options={"yield_per": CHUNK}).partitions(CHUNK)


def hosts(source: Source, zone: tzinfo | None, problems: Problems) -> Iterator[list[Bcfg2Host]]:
    """Read the hosts with reports in chunks."""
    found = source.table(schema.REPORT_CLIENT)
    query = select(found.c.id, found.c.name, source.moment(found.c.expiration)).order_by(found.c.id)
    for rows in _in_chunks(source, query):
        chunk = []
        for number, hostname, expiration in rows:
            try:
                expired = None if expiration is None else values.local_milliseconds(expiration, zone)
                chunk.append(Bcfg2Host(short_name(hostname).lower(), expired))
            except UnreadableError as err:
                problems.add(schema.REPORT_CLIENT.name, number, err)
        yield chunk


def count_probe_clients(source: Source) -> int:
    """Return the number of clients with probe results or groups."""
    names = [
        select(source.table(each).c.hostname) for each in (schema.PROBE_DATA, schema.PROBE_GROUPS) if source.has(each)
    ]
    if not names:
        return 0
    with source.reading() as connection:
        return connection.execute(
            select(func.count(func.distinct(union_all(*names).subquery().c.hostname)))
        ).scalar_one()


def probes(source: Source, zone: tzinfo | None, problems: Problems) -> Iterator[list[Bcfg2Probes]]:
    """Read probe results in chunks of complete clients."""
    keys = []
    for order, each in enumerate((schema.PROBE_GROUPS, schema.PROBE_DATA)):
        if source.has(each):
            found = source.table(each)
            keys.append(select(found.c.hostname, literal(order).label("kind"), found.c.id))
    if not keys:
        return
    query = union_all(*keys).order_by("hostname", "kind", "id")
    with source.reading() as connection:
        # Sort only the row numbers. The results may be long and are fetched by number.
        rows = connection.execute(query, execution_options={"yield_per": 1000})
        by_client = itertools.groupby(rows, key=lambda row: row[0])
        while chunk := [(name, [row[1:] for row in group]) for name, group in itertools.islice(by_client, PROBE_CHUNK)]:
            yield list(_probes_of(source, connection, chunk, zone, problems))


def _probes_of(
    source: Source,
    connection: Connection,
    chunk: Sequence[tuple[Any, Sequence[Any]]],
    zone: tzinfo | None,
    problems: Problems,
) -> Iterator[Bcfg2Probes]:
    numbers: tuple[list[int], list[int]] = [], []
    for _, keys in chunk:
        for kind, number in keys:
            numbers[kind].append(number)
    groups: dict[int, Any] = {}
    results: dict[int, Any] = {}
    if numbers[0]:
        found = source.table(schema.PROBE_GROUPS)
        names: Select[Any] = select(found.c.id, found.c.group)
        groups = {row[0]: row[1] for row in rows_by_id(connection, names, found.c.id, numbers[0])}
    if numbers[1]:
        found = source.table(schema.PROBE_DATA)
        outputs: Select[Any] = select(found.c.id, found.c.probe, source.moment(found.c.timestamp), found.c.data)
        results = {row[0]: row[1:] for row in rows_by_id(connection, outputs, found.c.id, numbers[1])}
    for name, keys in chunk:
        try:
            client = Bcfg2Probes(short_name(name).lower())
        except UnreadableError as err:
            problems.add(schema.PROBE_DATA.name, name, err)
            continue
        for kind, number in keys:
            try:
                if kind == 0:
                    _add_group(client, short_name(groups[number]))
                else:
                    _add_result(client, results[number], zone)
            except UnreadableError as err:
                problems.add((schema.PROBE_DATA if kind else schema.PROBE_GROUPS).name, number, err)
        yield client


def _add_group(client: Bcfg2Probes, name: str) -> None:
    if name not in client.groups:
        client.groups.append(name)


def _add_result(client: Bcfg2Probes, row: Sequence[Any], zone: tzinfo | None) -> None:
    probe, timestamp, data = row
    output, is_exact = values.long_text(data)
    if not is_exact:
        raise UnreadableError("is not UTF-8")
    moment = _EPOCH + timedelta(milliseconds=values.local_milliseconds(timestamp, zone))
    # A probe may have two rows; the later row is newer.
    client.data[short_name(probe)] = output
    client.timestamp = max(client.timestamp, moment)
