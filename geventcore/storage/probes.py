"""What clients' probes said, in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Integer, bindparam, cast, delete, literal, null, select, union_all

from geventcore.storage.schema import PROBE_GROUP, PROBE_RESULT, PROBE_UPLOAD, long_text
from geventcore.storage.statements import insert_or_update

#: One statement, so that results and groups are of the same upload.
_OF_CLIENT = union_all(
    select(
        PROBE_RESULT.c.probe.label("name"),
        PROBE_RESULT.c.data.label("data"),
        cast(literal(-1), Integer).label("position"),
    ).where(PROBE_RESULT.c.hostname == bindparam("client")),
    select(PROBE_GROUP.c.group_name, cast(null(), long_text()), PROBE_GROUP.c.position).where(
        PROBE_GROUP.c.hostname == bindparam("client")
    ),
).order_by("position", "name")

_DELETE_RESULTS = delete(PROBE_RESULT).where(
    PROBE_RESULT.c.hostname == bindparam("client"), PROBE_RESULT.c.probe.in_(bindparam("names", expanding=True))
)
_DELETE_GROUPS = delete(PROBE_GROUP).where(PROBE_GROUP.c.hostname == bindparam("client"))


class StoredProbes(NamedTuple):
    """What a client's probes said.

    Attributes:
        groups: the groups that they put it in, in the order of the upload.
        data: probe name -> result.
    """

    groups: tuple[str, ...]
    data: Mapping[str, str]


def get_probes(connection: Connection, hostname: str) -> StoredProbes:
    """The last upload of a client; nothing if there is none."""
    groups: list[str] = []
    data: dict[str, str] = {}
    for name, result, position in connection.execute(_OF_CLIENT, {"client": hostname}):
        if position < 0:
            data[name] = result
        else:
            groups.append(name)
    return StoredProbes(tuple(groups), data)


def replace_probes(
    connection: Connection, hostname: str, groups: Sequence[str], data: Mapping[str, str], timestamp: datetime
) -> None:
    """Store an upload in the place of the last one. Only what differs is written."""
    # Two uploads of one client take turns here, and each of them is stored as a whole.
    insert_or_update(connection, PROBE_UPLOAD, [{"hostname": hostname, "timestamp": timestamp}])
    known = get_probes(connection, hostname)
    gone = known.data.keys() - data.keys()
    if gone:
        connection.execute(_DELETE_RESULTS, {"client": hostname, "names": list(gone)})
    new = [
        {"hostname": hostname, "probe": name, "data": result}
        for name, result in data.items()
        if known.data.get(name) != result
    ]
    if new:
        insert_or_update(connection, PROBE_RESULT, new)
    if known.groups != tuple(groups):
        connection.execute(_DELETE_GROUPS, {"client": hostname})
        rows = [{"hostname": hostname, "group_name": name, "position": place} for place, name in enumerate(groups)]
        if rows:
            insert_or_update(connection, PROBE_GROUP, rows)
