"""What clients' probes said, in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Integer, bindparam, cast, delete, insert, literal, null, select, union_all

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

_INSERT_RESULT = insert(PROBE_RESULT)
_INSERT_GROUP = insert(PROBE_GROUP)
_DELETE_RESULT = delete(PROBE_RESULT).where(
    PROBE_RESULT.c.hostname == bindparam("client"), PROBE_RESULT.c.probe == bindparam("name")
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
    insert_or_update(connection, PROBE_UPLOAD, {"hostname": hostname}, {"timestamp": timestamp})
    known = get_probes(connection, hostname)
    gone = [name for name, result in known.data.items() if data.get(name) != result]
    if gone:
        connection.execute(_DELETE_RESULT, [{"client": hostname, "name": name} for name in gone])
    new = [
        {"hostname": hostname, "probe": name, "data": result}
        for name, result in data.items()
        if known.data.get(name) != result
    ]
    if new:
        connection.execute(_INSERT_RESULT, new)
    if known.groups != tuple(groups):
        connection.execute(_DELETE_GROUPS, {"client": hostname})
        if groups:
            connection.execute(
                _INSERT_GROUP,
                [
                    {"hostname": hostname, "group_name": name, "position": position}
                    for position, name in enumerate(groups)
                ],
            )
