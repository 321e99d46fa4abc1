"""Storing reports: any number of them in one transaction, with a number of statements that does not grow with it.

Storing the same report again changes nothing: a report is known by its host and the time of its arrival, and a run of a
client by the host and the times of its phases. So a report can be stored again whenever it is not certain that it is,
and a client that did not get the answer can send it again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, Table, and_, bindparam, select, update

from geventcore.storage.memory import remembered
from geventcore.storage.report_encoding import entry_number, pack_entries, pack_state
from geventcore.storage.report_model import EntryKind, EntryState, Interaction
from geventcore.storage.report_preparing import PreparedReport, prepare
from geventcore.storage.report_tables import CIRCUMSTANCES, ENTRY_STATE, FINDINGS, HOST, INTERACTION, MEMBERSHIP
from geventcore.storage.statements import insert_missing, is_among

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
    """`store_reports` of what has not been prepared."""
    return store_reports(connection, [prepare(interaction) for interaction in interactions], day)


def store_reports(connection: Connection, reports: Sequence[PreparedReport], day: int | None = None) -> list[Stored]:
    """Store reports, in a transaction of the caller; what became of each."""
    day = today() if day is None else day
    hosts, outcomes = _outcomes(connection, reports)
    new = [each for each, outcome in zip(reports, outcomes, strict=True) if outcome is Stored.NEW]
    if not new:
        return outcomes
    memberships = _ids(connection, MEMBERSHIP, {each.membership: each for each in new}, _membership_row, day)
    circumstances = _ids(connection, CIRCUMSTANCES, {each.circumstances: each for each in new}, _circumstances_row, day)
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
    insert_missing(connection, INTERACTION, sorted(rows, key=itemgetter("host_id", "timestamp")))
    return outcomes


@cache
def _hosts_and_runs(dialect: str) -> Select[Any]:
    """Hosts, each with its reports of a time; what has none is there, too."""
    is_near = INTERACTION.c.timestamp.between(bindparam("earliest"), bindparam("latest"))
    return (
        select(HOST.c.hostname, HOST.c.id, INTERACTION.c.timestamp, INTERACTION.c.stamps)
        .outerjoin_from(HOST, INTERACTION, and_(INTERACTION.c.host_id == HOST.c.id, is_near))
        .where(is_among(dialect, HOST.c.hostname, "names"))
    )


@cache
def _hosts(dialect: str) -> Select[Any]:
    return select(HOST.c.hostname, HOST.c.id).where(is_among(dialect, HOST.c.hostname, "names"))


def _outcomes(connection: Connection, reports: Sequence[PreparedReport]) -> tuple[dict[str, int], list[Stored]]:
    """Name -> number of each host, which is made if it is missing, and what becomes of each report."""
    hosts: dict[str, int] = {}
    times: set[tuple[str, int]] = set()
    runs: dict[tuple[str, bytes], list[int]] = {}

    def note(name: str, timestamp: int, stamps: bytes) -> None:
        times.add((name, timestamp))
        if stamps:
            runs.setdefault((name, stamps), []).append(timestamp)

    names = sorted({each.interaction.client for each in reports})
    near = {
        "earliest": min(each.interaction.timestamp for each in reports) - REPEAT_MILLISECONDS,
        "latest": max(each.interaction.timestamp for each in reports) + REPEAT_MILLISECONDS,
    }
    dialect = connection.dialect.name
    query = _hosts_and_runs(dialect)
    for chunk in chunks(names):
        for name, number, timestamp, stamps in connection.execute(query, {"names": chunk, **near}).all():
            hosts[name] = number
            if timestamp is not None:
                note(name, timestamp, bytes(stamps))
    missing = [name for name in names if name not in hosts]
    if missing:
        insert_missing(connection, HOST, [{"hostname": name} for name in missing])
        for chunk in chunks(missing):
            hosts.update((name, number) for name, number in connection.execute(_hosts(dialect), {"names": chunk}))
    outcomes = []
    for each in reports:
        name, timestamp = each.interaction.client, each.interaction.timestamp
        if (name, timestamp) in times:
            outcomes.append(Stored.SAME_TIME)
        elif any(abs(timestamp - at) <= REPEAT_MILLISECONDS for at in runs.get((name, each.stamps), ())):
            outcomes.append(Stored.REPEATED)
        else:
            outcomes.append(Stored.NEW)
            note(name, timestamp, each.stamps)
    return hosts, outcomes


def _membership_row(each: PreparedReport) -> Row:
    interaction = each.interaction
    return {
        "profile": interaction.profile,
        "version": interaction.version,
        "groups": json.dumps(interaction.groups),
        "bundles": json.dumps(interaction.bundles),
    }


def _circumstances_row(each: PreparedReport) -> Row:
    interaction = each.interaction
    return {
        "server": interaction.server,
        "revision": interaction.revision,
        "dry_run": interaction.dry_run,
        "only_important": interaction.only_important,
        "stamps": json.dumps(each.stamp_names),
    }


def _state_row(state: EntryState) -> Row:
    return {
        "entry": entry_number(state.tag, state.name),
        "tag": state.tag,
        "name": state.name,
        "detail": pack_state(state),
    }


def _findings_ids(connection: Connection, reports: Sequence[PreparedReport], day: int) -> dict[bytes, int]:
    by_digest = {each.findings: each for each in reports}
    found = _known_ids(connection, FINDINGS, by_digest, day)
    missing = {key: each for key, each in by_digest.items() if key not in found}
    if not missing:
        return found
    states = {key: state for each in missing.values() for key, state in each.states.items()}
    numbers = _ids(connection, ENTRY_STATE, states, _state_row, day)

    def row(each: PreparedReport) -> Row:
        return {
            "is_clean": each.interaction.state == "clean",
            "total": each.interaction.total,
            "good": each.interaction.good,
            **{kind.label: len(each.kinds.get(kind, ())) for kind in EntryKind},
            "entries": pack_entries({kind: [numbers[key] for key in keys] for kind, keys in each.kinds.items()}),
        }

    return {**found, **_made_ids(connection, FINDINGS, missing, row, day)}


def _ids(
    connection: Connection, table: Table, things: Mapping[bytes, T], row: Callable[[T], Row], day: int
) -> dict[bytes, int]:
    """Digest -> number of a thing's row, which is made if it is missing."""
    found = _known_ids(connection, table, things, day)
    missing = {key: thing for key, thing in things.items() if key not in found}
    if missing:
        found.update(_made_ids(connection, table, missing, row, day))
    return found


def _made_ids(
    connection: Connection, table: Table, things: Mapping[bytes, T], row: Callable[[T], Row], day: int
) -> dict[bytes, int]:
    """The same of rows that were missing. Others may have made them by now."""
    # In the same order everywhere: who makes a row waits for others who are making it.
    rows = [{**row(things[key]), "digest": key, "used": day} for key in sorted(things)]
    insert_missing(connection, table, rows)
    return _known_ids(connection, table, things, day)


@cache
def _by_digest(dialect: str, table: Table) -> Select[Any]:
    return select(table.c.digest, table.c.id, table.c.used).where(is_among(dialect, table.c.digest, "keys"))


def _known_ids(connection: Connection, table: Table, keys: Iterable[bytes], day: int) -> dict[bytes, int]:
    """Digest -> number, of rows that exist; from now on they are in use.

    They stay for some days, so on the same day nobody has to ask for them again.
    """
    memory = remembered(connection, table.name, day)
    found = {key: memory[key] for key in keys if key in memory}
    query = _by_digest(connection.dialect.name, table)
    for chunk in chunks(sorted(key for key in keys if key not in found)):
        rows = [(bytes(key), number, used) for key, number, used in connection.execute(query, {"keys": chunk}).all()]
        old = sorted(number for _, number, used in rows if used < day)
        if old:
            connection.execute(update(table).where(table.c.id.in_(old)).values(used=day))
            # What was removed before the update could hold on to it is missing.
            kept = set(connection.scalars(select(table.c.id).where(table.c.id.in_(old), table.c.used >= day)))
            rows = [row for row in rows if row[2] >= day or row[1] in kept]
        asked = {key: number for key, number, _ in rows}
        memory.update(asked)
        found.update(asked)
    return found


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
