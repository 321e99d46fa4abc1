"""Probe results in the database. Any number of uploads is stored with the same few statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Delete,
    Integer,
    Select,
    bindparam,
    cast,
    delete,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.sql.expression import CompoundSelect

from geventcore.storage.schema import PROBE_GROUP, PROBE_RESULT, PROBE_UPLOAD, long_text
from geventcore.storage.statements import insert_or_update, is_among

_RESULTS = select(
    PROBE_RESULT.c.hostname,
    PROBE_RESULT.c.probe.label("name"),
    PROBE_RESULT.c.data.label("data"),
    cast(literal(-1), Integer).label("position"),
)
_GROUPS = select(PROBE_GROUP.c.hostname, PROBE_GROUP.c.group_name, cast(null(), long_text()), PROBE_GROUP.c.position)


def _both(results: Select[Any], groups: Select[Any]) -> CompoundSelect[Any]:
    """Read results and groups with one statement, so that they belong to the same upload."""
    return union_all(results, groups).order_by("position", "name")


_OF_CLIENT = _both(
    _RESULTS.where(PROBE_RESULT.c.hostname == bindparam("client")),
    _GROUPS.where(PROBE_GROUP.c.hostname == bindparam("client")),
)
_DELETE_RESULT = delete(PROBE_RESULT).where(
    PROBE_RESULT.c.hostname == bindparam("client"), PROBE_RESULT.c.probe == bindparam("name")
)


class StoredProbes(NamedTuple):
    """The probe results of a client.

    Attributes:
        groups: groups from probes, in the order of the upload.
        data: probe name -> result.
    """

    groups: tuple[str, ...]
    data: Mapping[str, str]


class ProbeUpload(NamedTuple):
    """The probe results that a client has sent.

    Attributes:
        hostname: name of the client.
        groups, data: see `StoredProbes`.
        timestamp: time of the upload, with a time zone.
    """

    hostname: str
    groups: Sequence[str]
    data: Mapping[str, str]
    timestamp: datetime


def get_probes(connection: Connection, hostname: str) -> StoredProbes:
    """Return the last upload of a client; empty if there is none."""
    return _gather(connection.execute(_OF_CLIENT, {"client": hostname}).all(), [hostname])[hostname]


@cache
def _of_clients(dialect: str) -> CompoundSelect[Any]:
    return _both(
        _RESULTS.where(is_among(dialect, PROBE_RESULT.c.hostname, "clients")),
        _GROUPS.where(is_among(dialect, PROBE_GROUP.c.hostname, "clients")),
    )


@cache
def _delete_groups(dialect: str) -> Delete:
    return delete(PROBE_GROUP).where(is_among(dialect, PROBE_GROUP.c.hostname, "clients"))


def _gather(rows: Iterable[Sequence[Any]], hostnames: Iterable[str]) -> dict[str, StoredProbes]:
    """Return the stored results of each client."""
    found: dict[str, tuple[list[str], dict[str, str]]] = {hostname: ([], {}) for hostname in hostnames}
    for hostname, name, result, position in rows:
        groups, data = found[hostname]
        if position < 0:
            data[name] = result
        else:
            groups.append(name)
    return {hostname: StoredProbes(tuple(groups), data) for hostname, (groups, data) in found.items()}


def replace_probes(connection: Connection, uploads: Sequence[ProbeUpload]) -> list[None]:
    """Replace the clients' last uploads. Only differences are written.

    Of several uploads of a client, the last one is stored. Returns None for each upload.
    """
    # Use the same order in all processes, so that concurrent transactions do not deadlock.
    last = dict(sorted((upload.hostname, upload) for upload in uploads))
    # This lock serialises uploads of one client, so that each is stored as a whole.
    stamps = [{"hostname": upload.hostname, "timestamp": upload.timestamp} for upload in last.values()]
    insert_or_update(connection, PROBE_UPLOAD, stamps)
    dialect = connection.dialect.name
    known = _gather(connection.execute(_of_clients(dialect), {"clients": list(last)}).all(), last)
    gone, new, regrouped, groups = [], [], [], []
    for hostname, upload in last.items():
        stored = known[hostname]
        gone += [{"client": hostname, "name": name} for name in stored.data.keys() - upload.data.keys()]
        new += [
            {"hostname": hostname, "probe": name, "data": result}
            for name, result in upload.data.items()
            if stored.data.get(name) != result
        ]
        if stored.groups != tuple(upload.groups):
            regrouped.append(hostname)
            groups += [
                {"hostname": hostname, "group_name": name, "position": place}
                for place, name in enumerate(upload.groups)
            ]
    if gone:
        connection.execute(_DELETE_RESULT, gone)
    if new:
        insert_or_update(connection, PROBE_RESULT, new)
    if regrouped:
        connection.execute(_delete_groups(dialect), {"clients": regrouped})
    if groups:
        insert_or_update(connection, PROBE_GROUP, groups)
    return [None] * len(uploads)
