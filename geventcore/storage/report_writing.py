"""Storing reports: any number of them in one transaction, with a number of statements that does not grow with it.

Storing the same report again changes nothing: a report is known by its host and the time of its arrival, and a run of a
client by the host and the times of its phases. So a report can be stored again whenever it is not certain that it is,
and a client that did not get the answer can send it again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, select, update
from sqlalchemy.dialects import mysql, postgresql, sqlite

from geventcore.storage.report_encoding import (
    digest,
    entry_number,
    pack_entries,
    pack_stamps,
    pack_state,
    state_digest,
)
from geventcore.storage.report_model import EntryKind, EntryState, Interaction
from geventcore.storage.report_tables import CIRCUMSTANCES, ENTRY_STATE, FINDINGS, HOST, INTERACTION, MEMBERSHIP

T = TypeVar("T")
Row = dict[str, Any]

#: Values in one statement at most. SQLite allows 32766 parameters, older builds 999.
CHUNK = 500
#: The same run of a client that comes again within this time is the same report, in milliseconds. A client gives up
#: after a few minutes; a journal may hold the first of two for longer, but then holds both.
REPEAT_MILLISECONDS = 3_600_000

_DAY_SECONDS = 86_400


class Stored(Enum):
    """What became of a report."""

    NEW = "new"
    #: There is one of this host and time.
    SAME_TIME = "same time"
    #: The host had sent the same run before.
    REPEATED = "repeated"


@dataclass
class _Prepared:
    """A report and what it is found by."""

    interaction: Interaction
    stamps: bytes
    stamp_names: tuple[str, ...]
    states: dict[bytes, EntryState]
    kinds: dict[EntryKind, list[bytes]]
    findings: bytes
    membership: bytes
    circumstances: bytes


def today() -> int:
    """The day, in days since the epoch."""
    return int(time.time()) // _DAY_SECONDS


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """The items in lists of a bounded length."""
    ordered = list(items)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def store_interactions(
    connection: Connection, interactions: Sequence[Interaction], day: int | None = None
) -> list[Stored]:
    """Store reports, in a transaction of the caller; what became of each."""
    day = today() if day is None else day
    prepared = [_prepare(interaction) for interaction in interactions]
    hosts = _host_ids(connection, {each.client for each in interactions})
    outcomes = _outcomes(connection, prepared, hosts)
    new = [each for each, outcome in zip(prepared, outcomes, strict=True) if outcome is Stored.NEW]
    if not new:
        return outcomes
    memberships = _ids(connection, MEMBERSHIP, {each.membership: _membership_row(each) for each in new}, day)
    circumstances = _ids(connection, CIRCUMSTANCES, {each.circumstances: _circumstances_row(each) for each in new}, day)
    findings = _findings_ids(connection, new, day)
    rows = [
        {
            "host_id": hosts[each.interaction.client],
            "timestamp": each.interaction.timestamp,
            "findings_id": findings[each.findings],
            "membership_id": memberships[each.membership],
            "circumstances_id": circumstances[each.circumstances],
            "stamps": each.stamps,
        }
        for each in new
    ]
    # Another process may have stored one of them since they were looked for.
    _insert_missing(connection, INTERACTION, rows)
    return outcomes


def _prepare(interaction: Interaction) -> _Prepared:
    states: dict[bytes, EntryState] = {}
    kinds: dict[EntryKind, list[bytes]] = {}
    for kind, state in interaction.entries:
        key = state_digest(state)
        states[key] = state
        kinds.setdefault(kind, []).append(key)
    listed = [[kind.value, sorted(key.hex() for key in keys)] for kind, keys in sorted(kinds.items())]
    stamps = sorted(interaction.stamps)
    names = tuple(name for name, _ in stamps)
    return _Prepared(
        interaction,
        pack_stamps([at for _, at in stamps]),
        names,
        states,
        kinds,
        digest(interaction.state, interaction.total, interaction.good, listed),
        digest(interaction.profile, interaction.version, interaction.groups, interaction.bundles),
        digest(interaction.server, interaction.revision, interaction.dry_run, interaction.only_important, names),
    )


def _host_ids(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    wanted = sorted(names)

    def known() -> dict[str, int]:
        found: dict[str, int] = {}
        for chunk in chunks(wanted):
            query = select(HOST.c.hostname, HOST.c.id).where(HOST.c.hostname.in_(chunk))
            found.update((name, number) for name, number in connection.execute(query))
        return found

    found = known()
    missing = [name for name in wanted if name not in found]
    if missing:
        _insert_missing(connection, HOST, [{"hostname": name} for name in missing])
        found = known()
    return found


def _outcomes(connection: Connection, prepared: Sequence[_Prepared], hosts: Mapping[str, int]) -> list[Stored]:
    times: set[tuple[int, int]] = set()
    runs: dict[tuple[int, bytes], list[int]] = {}

    def note(host: int, timestamp: int, stamps: bytes) -> None:
        times.add((host, timestamp))
        if stamps:
            runs.setdefault((host, stamps), []).append(timestamp)

    earliest = min(each.interaction.timestamp for each in prepared) - REPEAT_MILLISECONDS
    latest = max(each.interaction.timestamp for each in prepared) + REPEAT_MILLISECONDS
    for chunk in chunks(sorted(set(hosts.values()))):
        query = select(INTERACTION.c.host_id, INTERACTION.c.timestamp, INTERACTION.c.stamps).where(
            INTERACTION.c.host_id.in_(chunk), INTERACTION.c.timestamp.between(earliest, latest)
        )
        for host, timestamp, stamps in connection.execute(query):
            note(host, timestamp, stamps)
    outcomes = []
    for each in prepared:
        host, timestamp = hosts[each.interaction.client], each.interaction.timestamp
        if (host, timestamp) in times:
            outcomes.append(Stored.SAME_TIME)
        elif any(abs(timestamp - at) <= REPEAT_MILLISECONDS for at in runs.get((host, each.stamps), ())):
            outcomes.append(Stored.REPEATED)
        else:
            outcomes.append(Stored.NEW)
            note(host, timestamp, each.stamps)
    return outcomes


def _membership_row(each: _Prepared) -> Row:
    interaction = each.interaction
    return {
        "profile": interaction.profile,
        "version": interaction.version,
        "groups": json.dumps(interaction.groups),
        "bundles": json.dumps(interaction.bundles),
    }


def _circumstances_row(each: _Prepared) -> Row:
    interaction = each.interaction
    return {
        "server": interaction.server,
        "revision": interaction.revision,
        "dry_run": interaction.dry_run,
        "only_important": interaction.only_important,
        "stamps": json.dumps(each.stamp_names),
    }


def _findings_ids(connection: Connection, prepared: Sequence[_Prepared], day: int) -> dict[bytes, int]:
    by_digest = {each.findings: each for each in prepared}
    found = _known_ids(connection, FINDINGS, by_digest, day)
    missing = [each for key, each in by_digest.items() if key not in found]
    if not missing:
        return found
    states = {key: state for each in missing for key, state in each.states.items()}
    numbers = _ids(
        connection,
        ENTRY_STATE,
        {
            key: {
                "entry": entry_number(state.tag, state.name),
                "tag": state.tag,
                "name": state.name,
                "detail": pack_state(state),
            }
            for key, state in states.items()
        },
        day,
    )
    rows = {
        each.findings: {
            "is_clean": each.interaction.state == "clean",
            "total": each.interaction.total,
            "good": each.interaction.good,
            **{kind.label: len(each.kinds.get(kind, ())) for kind in EntryKind},
            "entries": pack_entries({kind: [numbers[key] for key in keys] for kind, keys in each.kinds.items()}),
        }
        for each in missing
    }
    return {**found, **_ids(connection, FINDINGS, rows, day)}


def _ids(connection: Connection, table: Table, rows: Mapping[bytes, Row], day: int) -> dict[bytes, int]:
    """Digest -> number of the row, which is made if it is missing."""
    found = _known_ids(connection, table, rows, day)
    missing = sorted(key for key in rows if key not in found)
    if missing:
        _insert_missing(connection, table, [{**rows[key], "digest": key, "used": day} for key in missing])
        found.update(_known_ids(connection, table, missing, day))
    return found


def _known_ids(connection: Connection, table: Table, keys: Iterable[bytes], day: int) -> dict[bytes, int]:
    """Digest -> number, of rows that exist; from now on they are in use."""
    found: dict[bytes, int] = {}
    for chunk in chunks(sorted(keys)):
        query = select(table.c.digest, table.c.id, table.c.used).where(table.c.digest.in_(chunk))
        rows = [(bytes(key), number, used) for key, number, used in connection.execute(query)]
        old = sorted(number for _, number, used in rows if used < day)
        if old:
            connection.execute(update(table).where(table.c.id.in_(old)).values(used=day))
            # What was removed before the update could hold on to it is missing.
            kept = set(connection.scalars(select(table.c.id).where(table.c.id.in_(old), table.c.used >= day)))
            rows = [row for row in rows if row[2] >= day or row[1] in kept]
        found.update((key, number) for key, number, _ in rows)
    return found


def _insert_missing(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, except those that exist by now."""
    dialect = connection.dialect.name
    statement: Any
    if dialect == "mysql":
        statement = mysql.insert(table).prefix_with("IGNORE")
    elif dialect == "postgresql":
        statement = postgresql.insert(table).on_conflict_do_nothing()
    else:
        statement = sqlite.insert(table).on_conflict_do_nothing()
    connection.execute(statement, list(rows))


def toggle_expired(connection: Connection, hostname: str, now: int) -> bool | None:
    """Take a host out of service, or back; whether it is out, or None if it never reported.

    `now` is in milliseconds since the epoch.
    """
    row = connection.execute(select(HOST.c.id, HOST.c.expired).where(HOST.c.hostname == hostname)).first()
    if row is None:
        return None
    number, expired = row
    connection.execute(update(HOST).where(HOST.c.id == number).values(expired=now if expired is None else None))
    return expired is None
