"""Reports in the database: stored once, found again, and removed, with each kind of database."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from geventcore.errors import StorageError
from geventcore.reporting.delivery import DatabaseSink
from geventcore.storage import migration
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database
from geventcore.storage.report_model import EntryKind, EntryState, Interaction
from geventcore.storage.report_purging import KEPT_DAYS, Progress, Purge, purge
from geventcore.storage.report_queries import (
    Which,
    entry_counts,
    host_names,
    last_interaction,
    last_reports,
    load_interaction,
    reports_of,
    who_has,
)
from geventcore.storage.report_tables import CIRCUMSTANCES, ENTRY_STATE, FINDINGS, INTERACTION, MEMBERSHIP
from geventcore.storage.report_writing import Stored, store_interactions, today, toggle_expired
from tests.storage.test_database import behind_a_gate
from tests.support.concurrent_calls import at_once
from tests.support.uploads import START, report

BAD = '<Path name="/etc/motd" type="file" owner="root" current_owner="0"/>'
OTHER = '<Service name="sshd" type="systemd" status="on" current_status="off"/>'
DRY = '<Flags><Flag name="dry_run" value="True"/></Flags>'
IMPORTANT = '<Flags><Flag name="only_important" value="True"/></Flags>'
DAY = 86_400_000


@pytest.fixture(params=["sqlite3", "postgresql", "mariadb"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite3":
        config = DatabaseConfig("sqlite3", str(tmp_path / "reports.sqlite"))
    elif request.param == "mariadb":
        config = request.getfixturevalue("mariadb").config_with_tables()
    else:
        config = request.getfixturevalue("postgresql").new_config()
        migration.upgrade(config)
    opened = Database.open(config)
    yield opened
    opened.close()


def store(database: Database, *interactions: Interaction, day: int | None = None) -> list[Stored]:
    return database.write(lambda connection: store_interactions(connection, interactions, day))


def rows(database: Database, table: object) -> int:
    return database.read(lambda connection: connection.scalar(select(func.count()).select_from(table)) or 0)  # type: ignore[arg-type]


def last(database: Database, which: Which | None = None) -> dict[str, tuple[int, str]]:
    found = database.read(lambda connection: last_reports(connection, which or Which()))
    return {each.client: (each.timestamp, each.state) for each in found}


def test_everything_is_found_again(database: Database) -> None:
    diff = base64.b64encode("- ä\n+ b\n".encode()).decode()
    bad = f'{BAD}<Path name="/f\\é" type="file" current_bdiff="{diff}"><Prune name="x"/></Path>'
    extra = '<Package name="p" type="deb" current_version="1"/>'
    stored = report("h", bad=bad, extra=extra, modified=OTHER, flags=DRY)
    assert store(database, stored) == [Stored.NEW]
    found = database.read(lambda connection: load_interaction(connection, "h", stored.timestamp), snapshot=True)
    assert found is not None
    assert sorted(map(str, found.entries)) == sorted(map(str, stored.entries))
    assert dataclasses.replace(found, entries=()) == dataclasses.replace(stored, entries=())
    assert database.read(lambda connection: load_interaction(connection, "h", 1)) is None


def test_the_same_time_is_the_same_report(database: Database) -> None:
    assert store(database, report("h")) == [Stored.NEW]
    again = dataclasses.replace(report("h", bad=BAD), stamps=())
    assert store(database, again, report("g")) == [Stored.SAME_TIME, Stored.NEW]
    assert last(database) == {"g": (START, "clean"), "h": (START, "clean")}


def test_the_same_run_is_the_same_report(database: Database) -> None:
    first = report("h")
    later = dataclasses.replace(first, timestamp=first.timestamp + 5000)
    much_later = dataclasses.replace(first, timestamp=first.timestamp + DAY)
    other = dataclasses.replace(report("g"), timestamp=later.timestamp)
    assert store(database, first, later) == [Stored.NEW, Stored.REPEATED]
    assert store(database, later, other, much_later) == [Stored.REPEATED, Stored.NEW, Stored.NEW]
    assert rows(database, INTERACTION) == 3


def test_other_findings_are_another_run(database: Database) -> None:
    """A machine whose clock stands still starts every run at the same time."""
    first, second = report("h"), dataclasses.replace(report("h", bad=BAD), timestamp=START + 5000)
    again = dataclasses.replace(second, timestamp=START + 9000)
    assert store(database, first, second, again) == [Stored.NEW, Stored.NEW, Stored.REPEATED]
    assert store(database, dataclasses.replace(first, timestamp=START + 12_000)) == [Stored.REPEATED]
    assert last(database) == {"h": (START + 5000, "dirty")}


def test_what_repeats_is_stored_once(database: Database) -> None:
    for number in range(5):
        store(database, *(report(f"h{host}", number, bad=BAD, modified=OTHER) for host in range(10)))
    assert rows(database, INTERACTION) == 50
    assert [rows(database, table) for table in (FINDINGS, MEMBERSHIP, CIRCUMSTANCES)] == [1, 1, 1]
    assert rows(database, ENTRY_STATE) == 2


def test_many_at_the_same_time(database: Database) -> None:
    def one(number: int) -> list[Stored]:
        return store(database, report(f"h{number % 7}", number // 7, bad=f'<Path name="/f{number % 5}"/>'))

    results = at_once([lambda number=number: one(number) for number in range(42)])
    assert results == [[Stored.NEW]] * 42
    assert rows(database, INTERACTION) == 42
    assert rows(database, ENTRY_STATE) == 5


def test_two_servers_that_store_the_same_at_the_same_time(database: Database) -> None:
    """Each in an order of its own, and everything is new to both."""
    other = Database.open(database.config)

    def entries(number: int) -> str:
        return "".join(f'<Path name="/{number}/{index}"/>' for index in range(10))

    def one(server: Database, hosts: str, numbers: Iterable[int]) -> list[Stored]:
        outcomes = []
        for number in numbers:
            outcomes += store(server, *(report(host, number, bad=entries(number)) for host in hosts))
        return outcomes

    results = at_once([lambda: one(database, "abc", range(12)), lambda: one(other, "fed", range(11, -1, -1))])
    assert results == [[Stored.NEW] * 36] * 2
    assert rows(database, INTERACTION) == 72
    assert rows(database, FINDINGS) == 12
    assert rows(database, ENTRY_STATE) == 120
    for host in "af":
        found = other.read(lambda connection, host=host: last_interaction(connection, host))  # type: ignore[misc]
        assert found is not None
        assert len(found.entries) == 10
    assert database.statistics().failures == other.statistics().failures == 0
    other.close()


def test_what_was_undone_is_not_taken_for_stored(database: Database) -> None:
    """The second report has nothing that the first one did not have, which was not stored in the end."""

    def fail(connection: Connection) -> None:
        store_interactions(connection, [report("a", bad=BAD)])
        raise LookupError("mine")

    with pytest.raises(LookupError):
        database.write(fail)
    store(database, report("b", bad=BAD))
    # The same of a part of a transaction.
    results = behind_a_gate(
        database,
        [
            lambda connection: store_interactions(connection, [report("c", bad=OTHER)]) and fail(connection),
            lambda connection: store_interactions(connection, [report("d", bad=OTHER)]),
        ],
    )
    assert isinstance(results[0], LookupError)
    assert results[1] == [Stored.NEW]
    for host, name in (("b", "/etc/motd"), ("d", "sshd")):
        found = database.read(lambda connection, host=host: last_interaction(connection, host))  # type: ignore[misc]
        assert found is not None
        assert [state.name for _, state in found.entries] == [name]
    assert set(last(database)) == {"b", "d"}


def test_a_report_that_cannot_be_stored_harms_nobody_in_its_batch(database: Database) -> None:
    reports = [report(f"h{number:02}", bad=BAD) for number in range(40)]
    # No column has room for the one, and the other is no text; both stand for whatever a driver may not like.
    reports[7] = dataclasses.replace(reports[7], timestamp=2**70)
    reports[30] = dataclasses.replace(reports[30], entries=((EntryKind.BAD, EntryState("Path", "/\ud800")),))
    errors = DatabaseSink(lambda: database).store(reports)
    assert [number for number, error in enumerate(errors) if error is not None] == [7, 30]
    assert all(isinstance(error, StorageError) for error in (errors[7], errors[30]))
    assert set(last(database)) == {f"h{number:02}" for number in range(40)} - {"h07", "h30"}
    assert database.statistics().commits <= 20


def test_more_than_fits_into_a_statement(database: Database) -> None:
    extra = "".join(f'<Package name="p{number}" type="deb"/>' for number in range(1200))
    many = [report(f"host{number}", bad=f'<Path name="/{number}"/>') for number in range(700)]
    store(database, report("host", extra=extra), *many)
    found = database.read(lambda connection: last_interaction(connection, "host"))
    assert found is not None
    assert len(found.of_kind(EntryKind.EXTRA)) == 1200
    assert rows(database, INTERACTION) == rows(database, FINDINGS) == 701


def test_the_last_report_of_each_host(database: Database) -> None:
    store(database, report("a", 0, bad=BAD), report("a", 1), report("b", 0), report("b", 1, bad=BAD))
    assert last(database) == {"a": (START + 1_800_000, "clean"), "b": (START + 1_800_000, "dirty")}
    assert last(database, Which(until=START)) == {"a": (START, "dirty"), "b": (START, "clean")}
    assert last(database, Which(hosts=["b", "c"])) == {"b": (START + 1_800_000, "dirty")}
    history = database.read(lambda connection: reports_of(connection, "a", 10))
    assert [each.timestamp for each in history] == [START + 1_800_000, START]
    assert database.read(lambda connection: host_names(connection, "b")) == ["b"]


def test_some_kinds_of_runs_are_left_out(database: Database) -> None:
    store(
        database, report("a", 0), report("a", 1, flags=DRY), report("a", 2, flags=IMPORTANT), report("b", 0, flags=DRY)
    )
    assert last(database)["a"][0] == START + 3_600_000
    assert last(database, Which(only_important=False))["a"][0] == START + 1_800_000
    assert last(database, Which(only_important=False, dry_runs=False)) == {"a": (START, "clean")}


def test_hosts_out_of_service(database: Database) -> None:
    store(database, report("a"), report("b"))
    toggled = [database.write(lambda connection, name=name: toggle_expired(connection, name, 5)) for name in "aac"]
    assert toggled == [True, False, None]
    database.write(lambda connection: toggle_expired(connection, "a", 5))
    assert set(last(database)) == {"b"}
    assert set(last(database, Which(expired=True))) == {"a", "b"}


def test_who_has_an_entry(database: Database) -> None:
    worse = '<Path name="/etc/motd" type="file" owner="root" current_owner="7"/>'
    store(database, report("a", bad=BAD), report("b", bad=worse), report("c", modified=BAD), report("d", bad=OTHER))
    reports = database.read(last_reports)
    counts = database.read(lambda connection: entry_counts(connection, reports, list(EntryKind)))
    assert [(count.kind.label, count.tag, count.name, count.hosts) for count in counts] == [
        ("bad", "Path", "/etc/motd", 2),
        ("modified", "Path", "/etc/motd", 1),
        ("bad", "Service", "sshd", 1),
    ]
    found = database.read(
        lambda connection: who_has(connection, reports, [("Path", "/etc/motd")], [EntryKind.BAD, EntryKind.MODIFIED])
    )
    assert [(each.report.client, each.kind.label, each.state.get("current_owner")) for each in found] == [
        ("a", "bad", "0"),
        ("b", "bad", "7"),
        ("c", "modified", "0"),
    ]
    assert database.read(lambda connection: who_has(connection, reports, [("Path", "sshd")], list(EntryKind))) == []


def everything(database: Database) -> list[int]:
    return [rows(database, table) for table in (INTERACTION, FINDINGS, ENTRY_STATE, CIRCUMSTANCES)]


def run(database: Database, what: Purge, days_later: int = 0) -> Progress:
    return [Progress(), *purge(database, what, today() + days_later)][-1]


def test_old_reports_are_removed_and_what_only_they_had(database: Database) -> None:
    store(database, report("a", 0, bad=BAD, flags=DRY), report("a", 96, bad=OTHER), report("b", 96, bad=OTHER))
    assert everything(database) == [3, 2, 2, 2]
    assert run(database, Purge(before=START + DAY)) == Progress(1, 0, 0)
    assert everything(database) == [2, 2, 2, 2], "somebody might be about to use them again"
    assert run(database, Purge(before=START + DAY), KEPT_DAYS + 1) == Progress(0, 0, 3)
    assert everything(database) == [2, 1, 1, 1]
    found = database.read(lambda connection: last_interaction(connection, "a"))
    assert found is not None
    assert [state.name for _, state in found.entries] == ["sshd"]


def test_what_is_used_again_stays(database: Database) -> None:
    store(database, report("a", 0, bad=BAD), day=today() - 10)
    run(database, Purge(hostname="a"), -10)
    store(database, report("a", 1, bad=BAD))
    run(database, Purge(hostname="b"))
    found = database.read(lambda connection: last_interaction(connection, "a"))
    assert found is not None
    assert [state.name for _, state in found.entries] == ["/etc/motd"]


def test_what_is_used_on_another_day_is_marked_anew(database: Database) -> None:
    for day in (20_000, 20_003):
        store(database, report("a", day, bad=BAD), day=day)
        for table in (MEMBERSHIP, CIRCUMSTANCES, FINDINGS):
            assert database.read(lambda connection, table=table: connection.scalar(select(table.c.used))) == day  # type: ignore[misc]


@pytest.mark.parametrize(
    ("what", "left"),
    [
        (Purge(hostname="a"), {"b", "c"}),
        (Purge(expired=True), {"a", "b"}),
        (Purge(state="dirty"), {"b", "c"}),
        (Purge(state="clean"), {"a"}),
        (Purge(state="modified"), {"a", "c"}),
        (Purge(hostname="a", state="clean"), {"a", "b", "c"}),
        (Purge(hostname="unknown"), {"a", "b", "c"}),
    ],
)
def test_which_reports_are_removed(database: Database, what: Purge, left: set[str]) -> None:
    store(database, report("a", bad=BAD), report("b", modified=BAD), report("c"))
    database.write(lambda connection: toggle_expired(connection, "c", 5))
    run(database, what)
    assert set(last(database, Which(expired=True))) == left
    names = set(database.read(host_names))
    assert names == (left if what.hostname or what.expired else {"a", "b", "c"})
