"""The queries of the web pages, with every kind of database."""

from __future__ import annotations

from geventcore.simulation.report_history import fill
from geventcore.storage.database import Database
from geventcore.storage.fleet_queries import (
    HourRow,
    Mark,
    all_marks,
    circumstances_rows,
    duration_of,
    entries_of_findings,
    entry_labels,
    find_entries,
    findings_rows,
    first_and_last,
    host_expired,
    membership_rows,
    newest_runs,
    period,
    runs_of_host,
    set_expired,
    set_mark,
    states_of_entry,
)
from geventcore.storage.report_encoding import entry_number
from geventcore.storage.report_model import EntryKind, EntryState, Interaction
from geventcore.storage.report_writing import store_interactions

HOUR = 3_600_000
NOW = 1_790_000_000_000


def report(host: str, timestamp: int, *, bad: int = 0, modified: int = 0, seconds: int = 7) -> Interaction:
    entries = [(EntryKind.BAD, EntryState("Path", f"/etc/100%_{number}")) for number in range(bad)]
    entries += [(EntryKind.MODIFIED, EntryState("Package", f"p{number}")) for number in range(modified)]
    return Interaction(
        host,
        timestamp,
        "server",
        "dirty" if bad else "clean",
        "1",
        10,
        10 - bad,
        profile="web",
        version="1.3.4",
        groups=("a", "b"),
        bundles=("base",),
        entries=tuple(entries),
        # The names are not in the order of the times.
        stamps=(("start", timestamp - seconds * 1000), ("inventory", timestamp - 1000), ("finished", timestamp)),
    )


REPORTS = [
    report("a", NOW - 2 * HOUR, bad=2),
    report("a", NOW, modified=1),
    report("b", NOW - 2 * HOUR + 5, bad=1),
    report("b", NOW - 2 * HOUR + 60_000, bad=1, seconds=9),
    report("c", NOW - HOUR),
]


def test_the_pages_queries_give_the_same_with_every_database(database: Database) -> None:
    database.write(lambda connection: store_interactions(connection, REPORTS))
    runs = database.read(newest_runs, snapshot=True)
    assert [(run.host, run.timestamp, duration_of(run.stamps)) for run in runs] == [
        ("a", NOW, 7000),
        ("b", NOW - 2 * HOUR + 60_000, 9000),
        ("c", NOW - HOUR, 7000),
    ]
    earlier = database.read(lambda connection: newest_runs(connection, NOW - HOUR - 1), snapshot=True)
    assert [run.host for run in earlier] == ["a", "b"]
    findings = database.read(lambda connection: findings_rows(connection, {run.findings for run in runs}))
    first = findings[runs[0].findings]
    assert (bool(first.is_clean), first.total, first.good, first.modified) == (True, 10, 10, 1)
    (membership,) = database.read(lambda c: membership_rows(c, {run.membership for run in runs})).values()
    assert (membership.profile, membership.groups, membership.bundles) == ("web", ("a", "b"), ("base",))
    (circumstances,) = database.read(lambda c: circumstances_rows(c, {run.circumstances for run in runs})).values()
    assert (circumstances.server, bool(circumstances.dry_run)) == ("server", False)
    history = database.read(lambda connection: runs_of_host(connection, "a", 5))
    assert [run.timestamp for run in history] == [NOW, NOW - 2 * HOUR]
    assert database.read(lambda connection: runs_of_host(connection, "a", 5, NOW))[0].timestamp == NOW - 2 * HOUR
    assert database.read(lambda connection: runs_of_host(connection, "nobody", 5)) == []


def test_periods_count_runs_and_hosts(database: Database) -> None:
    nothing = HourRow(0, 0, 0, 0, 0, 0, None)
    assert database.read(lambda connection: period(connection, 0, NOW)) == nothing
    assert database.read(first_and_last) is None
    database.write(lambda connection: store_interactions(connection, REPORTS))
    start = NOW - 2 * HOUR
    assert database.read(lambda c: period(c, start, start + HOUR)) == HourRow(3, 3, 0, 4, 2, 2, 7000)
    assert database.read(lambda c: period(c, NOW - HOUR, NOW + 1)) == HourRow(2, 0, 1, 0, 2, 0, 7000)
    # The end is not part of a period.
    assert database.read(lambda c: period(c, NOW - HOUR, NOW)).runs == 1
    assert database.read(first_and_last) == (start, NOW)


def test_entries_are_found_by_a_part_of_the_name(database: Database) -> None:
    database.write(lambda connection: store_interactions(connection, REPORTS))
    assert database.read(lambda c: find_entries(c, "ETC/100%_")) == [("Path", "/etc/100%_0"), ("Path", "/etc/100%_1")]
    # Wildcards of SQL are plain characters.
    assert database.read(lambda c: find_entries(c, "etc_100")) == []
    (state,) = database.read(lambda c: states_of_entry(c, entry_number("Path", "/etc/100%_1")))
    assert database.read(lambda c: entry_labels(c, [state])) == {state: ("Path", "/etc/100%_1")}
    earlier = database.read(lambda c: newest_runs(c, NOW - HOUR - 1))[0]
    entries = database.read(lambda c: entries_of_findings(c, [earlier.findings]))
    assert (EntryKind.BAD, state) in entries[earlier.findings]


def test_hosts_are_marked_and_taken_out_of_service(database: Database) -> None:
    database.write(lambda connection: store_interactions(connection, REPORTS))
    assert database.write(lambda c: set_mark(c, "a", Mark("disk <broken>", "anna", 5)))
    assert database.write(lambda c: set_mark(c, "a", Mark("disk", "bert", 6)))
    assert database.read(all_marks) == {"a": Mark("disk", "bert", 6)}
    assert not database.write(lambda c: set_mark(c, "nobody", Mark("x", "y", 1)))
    assert database.write(lambda c: set_mark(c, "a", None))
    assert database.read(all_marks) == {}
    assert database.write(lambda c: set_expired(c, ["a", "b"], 99)) == 2
    assert database.read(lambda c: host_expired(c, "a")) == 99
    database.write(lambda c: set_expired(c, ["a"], None))
    assert database.read(lambda c: host_expired(c, "a")) is None


def test_a_generated_fleet_is_stored(database: Database) -> None:
    fill(database, 20, 60, NOW)
    assert len(database.read(newest_runs)) >= 18
