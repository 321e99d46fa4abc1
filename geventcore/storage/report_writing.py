"""The writer of reports: stores any number of reports in one transaction with a constant number of statements.

Storing a report twice is safe. A report is identified by host and time of arrival, and a run by host, the times of its
phases and its findings. So the server may store a report again if the first result is unknown, and a client may send a
report again if it got no answer.
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

#: The most values in one statement. SQLite allows 32766 parameters, older builds 999.
CHUNK = 500
#: A repeated run of a client within this time is the same report, in milliseconds. A client gives up after a few
#: minutes. A journal may delay the first of two for longer, but then contains both.
REPEAT_MILLISECONDS = 3_600_000

_DAY_SECONDS = 86_400


class Stored(Enum):
    """The result of storing a report."""

    NEW = "new"
    #: A report of this host and time exists already.
    SAME_TIME = "same time"
    #: The host has sent the same run before.
    REPEATED = "repeated"


def today() -> int:
    """Return the day of a time, in days since the epoch."""
    return int(time.time()) // _DAY_SECONDS


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Split items into lists of a bounded length."""
    ordered = list(items)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def store_interactions(
    connection: Connection, interactions: Sequence[Interaction], day: int | None = None
) -> list[Stored]:
    """Prepare reports and store them with `store_reports`."""
    return store_reports(connection, [prepare(interaction) for interaction in interactions], day)


def store_reports(connection: Connection, reports: Sequence[PreparedReport], day: int | None = None) -> list[Stored]:
    """Store reports in the caller's transaction and return the result of each."""
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
    # Another process may have stored one of them since the query.
    insert_missing(connection, INTERACTION, sorted(rows, key=itemgetter("host_id", "timestamp")))
    return outcomes


@cache
def _hosts_and_runs(dialect: str) -> Select[Any]:
    """Find existing reports of hosts at times. Hosts without a report are included."""
    is_near = INTERACTION.c.timestamp.between(bindparam("earliest"), bindparam("latest"))
    return (
        select(HOST.c.hostname, HOST.c.id, INTERACTION.c.timestamp, INTERACTION.c.stamps, FINDINGS.c.digest)
        .outerjoin_from(HOST, INTERACTION, and_(INTERACTION.c.host_id == HOST.c.id, is_near))
        .outerjoin(FINDINGS, FINDINGS.c.id == INTERACTION.c.findings_id)
        .where(is_among(dialect, HOST.c.hostname, "names"))
    )


@cache
def _hosts(dialect: str) -> Select[Any]:
    return select(HOST.c.hostname, HOST.c.id).where(is_among(dialect, HOST.c.hostname, "names"))


def _outcomes(connection: Connection, reports: Sequence[PreparedReport]) -> tuple[dict[str, int], list[Stored]]:
    """Return host name -> row number, inserting missing hosts, and the result of each report."""
    hosts: dict[str, int] = {}
    times: set[tuple[str, int]] = set()
    runs: dict[tuple[str, bytes, bytes], list[int]] = {}

    def note(name: str, timestamp: int, stamps: bytes, findings: bytes) -> None:
        times.add((name, timestamp))
        if stamps:
            runs.setdefault((name, stamps, findings), []).append(timestamp)

    names = sorted({each.interaction.client for each in reports})
    near = {
        "earliest": min(each.interaction.timestamp for each in reports) - REPEAT_MILLISECONDS,
        "latest": max(each.interaction.timestamp for each in reports) + REPEAT_MILLISECONDS,
    }
    dialect = connection.dialect.name
    query = _hosts_and_runs(dialect)
    for chunk in chunks(names):
        for name, number, timestamp, stamps, findings in connection.execute(query, {"names": chunk, **near}).all():
            hosts[name] = number
            if timestamp is not None:
                note(name, timestamp, bytes(stamps), bytes(findings or b""))
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
        elif any(abs(timestamp - at) <= REPEAT_MILLISECONDS for at in runs.get((name, each.stamps, each.findings), ())):
            outcomes.append(Stored.REPEATED)
        else:
            outcomes.append(Stored.NEW)
            note(name, timestamp, each.stamps, each.findings)
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
    """Return digest -> row number, inserting missing rows."""
    found = _known_ids(connection, table, things, day)
    missing = {key: thing for key, thing in things.items() if key not in found}
    if missing:
        found.update(_made_ids(connection, table, missing, row, day))
    return found


def _made_ids(
    connection: Connection, table: Table, things: Mapping[bytes, T], row: Callable[[T], Row], day: int
) -> dict[bytes, int]:
    """Insert rows and return digest -> row number. Other transactions may insert the same rows meanwhile."""
    # Use the same order in all transactions: inserting a row waits for others that insert it.
    rows = [{**row(things[key]), "digest": key, "used": day} for key in sorted(things)]
    insert_missing(connection, table, rows)
    return _known_ids(connection, table, things, day)


@cache
def _by_digest(dialect: str, table: Table) -> Select[Any]:
    return select(table.c.digest, table.c.id, table.c.used).where(is_among(dialect, table.c.digest, "keys"))


def _known_ids(connection: Connection, table: Table, keys: Iterable[bytes], day: int) -> dict[bytes, int]:
    """Return digest -> row number of existing rows and mark them as used today.

    Used rows stay for some days, so they can be cached for the rest of the day.
    """
    memory = remembered(connection, table.name, day)
    found = {key: memory[key] for key in keys if key in memory}
    query = _by_digest(connection.dialect.name, table)
    for chunk in chunks(sorted(key for key in keys if key not in found)):
        rows = [(bytes(key), number, used) for key, number, used in connection.execute(query, {"keys": chunk}).all()]
        old = sorted(number for _, number, used in rows if used < day)
        if old:
            connection.execute(update(table).where(table.c.id.in_(old)).values(used=day))
            # Rows that were removed before the update could mark them are missing.
            kept = set(connection.scalars(select(table.c.id).where(table.c.id.in_(old), table.c.used >= day)))
            rows = [row for row in rows if row[2] >= day or row[1] in kept]
        asked = {key: number for key, number, _ in rows}
        memory.update(asked)
        found.update(asked)
    return found


def toggle_expired(connection: Connection, hostname: str, now: int) -> bool | None:
    """Take a host out of service, or put it back.

    `now` is in milliseconds since the epoch. Returns whether the host is out of service, or None for an unknown host.
    """
    row = connection.execute(select(HOST.c.id, HOST.c.expired).where(HOST.c.hostname == hostname)).first()
    if row is None:
        return None
    number, expired = row
    connection.execute(update(HOST).where(HOST.c.id == number).values(expired=now if expired is None else None))
    return expired is None
