"""`geventcore db import`: what Bcfg2 1.3.4 itself has stored (see `legacy.make_fixtures`) is taken over."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from geventcore.bcfg2_import import reports as bcfg2_reports
from geventcore.bcfg2_import.problems import Problems
from geventcore.bcfg2_import.reports import ReportReader
from geventcore.bcfg2_import.source import Source
from geventcore.cli.main import main
from geventcore.errors import StorageError
from geventcore.storage.clients import StoredClient, all_clients, remove_client
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database
from geventcore.storage.import_tables import IMPORT
from geventcore.storage.migration import SchemaState, schema_version
from geventcore.storage.probes import get_probes
from geventcore.storage.report_model import EntryKind, EntryState, FileContent, Interaction
from geventcore.storage.report_queries import host_names, last_reports, load_interaction, reports_of
from geventcore.storage.report_tables import HOST, INTERACTION
from geventcore.storage.schema import PROBE_UPLOAD
from geventcore.testing.live_site import wait_until
from geventcore.testing.site_files import write_configuration
from tests.bcfg2_import.legacy import TO_1_4, LegacyDatabase, add_reports, postgresql_database, sqlite_database
from tests.support.legacy_contents import BINARY, DIFFERENCE, LARGE, ZONE
from tests.support.mariadb import MariaDB
from tests.support.postgresql import database_section

ALPHA, BETA, GAMMA = "alpha.example.net", "beta.example.net", "gamma.example.net"
#: The first report of alpha: 2014-03-01 12:00:00 UTC.
NOON = 1393675200_000


@pytest.fixture(params=["sqlite3", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> LegacyDatabase:
    """A database of Bcfg2."""
    if request.param == "sqlite3":
        return sqlite_database(tmp_path / "old/bcfg2.sqlite")
    return postgresql_database(request.getfixturevalue("postgresql"))


@pytest.fixture
def old_file(tmp_path: Path) -> LegacyDatabase:
    """A database of Bcfg2 that is a file."""
    return sqlite_database(tmp_path / "old/bcfg2.sqlite")


@pytest.fixture
def target(tmp_path: Path) -> DatabaseConfig:
    """Where it is taken over to; there is nothing yet."""
    return DatabaseConfig("sqlite3", str(tmp_path / "new/geventcore.sqlite"), timeout=20.0)


@pytest.fixture
def configuration(tmp_path: Path, target: DatabaseConfig) -> Path:
    """A configuration file with that database."""
    return write_settings(tmp_path / "bcfg2.conf", target)


def write_settings(path: Path, config: DatabaseConfig, **reporting: str) -> Path:
    """A configuration file with a database; its time zone is that of Bcfg2's server unless `reporting` differs."""
    sections = {
        "server": {"repository": str(path.parent)},
        "database": database_section(config),
        "reporting": reporting or {"time_zone": ZONE},
    }
    write_configuration(path, sections)
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], configuration: Path) -> Callable[..., tuple[int, str, str]]:
    """Calls the command; returns its status and what it printed."""

    def call(*arguments: str, settings: Path = configuration) -> tuple[int, str, str]:
        status = main(["db", "import", "-C", str(settings), *arguments])
        output = capsys.readouterr()
        return status, output.out, output.err

    return call


@pytest.fixture
def opened() -> Iterator[Callable[[DatabaseConfig], Database]]:
    """Opens databases, which are closed at the end."""
    databases: list[Database] = []

    def open_one(config: DatabaseConfig) -> Database:
        databases.append(Database.open(config))
        return databases[-1]

    yield open_one
    for database in databases:
        database.close()


def interaction(database: Database, host: str, timestamp: int) -> Interaction:
    found = database.read(lambda connection: load_interaction(connection, host, timestamp))
    assert found is not None
    return found


def times(database: Database, host: str) -> list[int]:
    return [report.timestamp for report in database.read(lambda connection: reports_of(connection, host, 10_000))]


def state(
    label: str, *, content: FileContent | None = None, children: tuple[str, ...] = (), **attributes: str
) -> EntryState:
    tag, name = label.split(":", 1)
    return EntryState(
        tag,
        name,
        tuple(sorted(attributes.items())),
        tuple(("Prune", (("name", child),)) for child in children),
        content,
    )


FILE = {"type": "file", "owner": "root", "group": "root"}
#: What Bcfg2 keeps of `tests.support.legacy_contents.BAD`.
BAD = [
    state("Action:restart", status="check"),
    state("POSIXGroup:users", gid="100", current_gid="101"),
    state(
        "POSIXUser:alice",
        uid="1000",
        group="users",
        gecos="Alice",
        home="/home/alice",
        shell="/bin/sh",
        current_uid="1001",
        current_shell="/bin/zsh",
    ),
    state("Package:nginx", version="1.24-1", current_version="1.22-9"),
    state("Package:vim", version="9.0", current_exists="false"),
    state("Path:/etc/blob", **FILE, mode="0644", content=FileContent("content", "AQEBAQEBAQEB", len(BINARY))),
    state("Path:/etc/gone", type="nonexistent", owner="root", group="root"),
    state("Path:/etc/key", **FILE, mode="0600", sensitive="true", current_mode="0644"),
    state(
        "Path:/etc/large",
        **FILE,
        mode="0644",
        content=FileContent("too large", f"MD5 {hashlib.md5(LARGE.encode(), usedforsecurity=False).hexdigest()}", 0),
    ),
    state("Path:/etc/link", type="symlink", owner="root", group="root", to="motd", current_to="issue"),
    state(
        "Path:/etc/motd",
        **FILE,
        mode="0644",
        current_owner="daemon",
        current_group="daemon",
        current_mode="0600",
        content=FileContent("diff", DIFFERENCE, len(DIFFERENCE.encode())),
    ),
    state("Path:/etc/unbound", failure="no generator for it"),
    state("Path:/srv", type="directory", owner="root", group="root", mode="0755", children=("/srv/x", "/srv/y")),
    state("SEBoolean:httpd_can_sendmail", value="on"),
    state("SEFcontext:/srv(/.*)?", selinuxtype="srv_t", current_selinuxtype="tmp_t", filetype="all"),
    state("SEInterface:eth0", selinuxtype="netif_t", current_selinuxtype="other_t"),
    state("SELogin:alice", selinuxuser="staff_u", current_selinuxuser="user_u"),
    state("SEModule:foo", disabled="false", current_disabled="true"),
    state("SENode:192.0.2.0/24", selinuxtype="node_t", proto="ipv4"),
    state("SEPermissive:httpd_t"),
    state("SEPort:tcp/8080", selinuxtype="http_port_t", current_selinuxtype="other_port_t"),
    state("SEUser:staff_u", roles="staff_r", prefix="user", current_roles="user_r", current_prefix="user"),
    # Bcfg2 does not keep how a service should be.
    state("Service:nginx", current_status="off"),
]
MODIFIED = [state("Service:cron", current_status="off")]
EXTRA = [state("Package:telnetd", current_version="0.17-5.amd64"), state("Service:rpcbind", current_status="on")]


def assert_everything_is_there(database: Database) -> None:
    """What was taken over is what Bcfg2 had."""
    assert database.read(all_clients) == [
        StoredClient(ALPHA, version="1.3.4"),
        StoredClient(BETA),
        StoredClient(GAMMA, version="1.3.3"),
    ]
    probes = {name: database.read(lambda connection, name=name: get_probes(connection, name)) for name in (ALPHA, BETA)}
    assert probes[ALPHA] == (("zone-b", "arch-x"), {"arch": "x86_64\n", "motd": "Grüße\n"})
    assert probes[BETA] == ((), {"arch": "aarch64\n"})
    assert database.read(lambda connection: get_probes(connection, "delta.example.net")) == (("lonely",), {})

    assert database.read(host_names) == [ALPHA, BETA, GAMMA]
    expired = database.read(lambda connection: connection.execute(select(HOST.c.hostname, HOST.c.expired)).all())
    assert sorted(map(tuple, expired)) == [(ALPHA, None), (BETA, None), (GAMMA, 1404208800_000)]
    assert times(database, ALPHA) == [NOON + 3_600_000, NOON + 1_800_000, NOON]
    assert times(database, BETA) == [1414286100_000]
    assert times(database, GAMMA) == [1404201600_000]

    first = interaction(database, ALPHA, NOON)
    of_kind = {kind: sorted(first.of_kind(kind), key=lambda entry: entry.label) for kind in EntryKind}
    assert of_kind == {EntryKind.BAD: BAD, EntryKind.MODIFIED: MODIFIED, EntryKind.EXTRA: EXTRA}
    assert replace(first, entries=()) == Interaction(
        client=ALPHA,
        timestamp=NOON,
        server="bcfg2.example.net",
        state="dirty",
        revision="r42",
        total=30,
        good=7,
        profile="web",
        groups=("blue", "debian"),
        bundles=("base", "nginx"),
        stamps=(("start", 1393675190_125), ("inventory", 1393675191_625), ("finished", 1393675194_375)),
    )
    assert interaction(database, ALPHA, NOON + 3_600_000).state == "clean"
    last = interaction(database, GAMMA, 1404201600_000)
    assert (last.groups, last.entries, last.stamps) == ((), (), ())


def test_all_that_bcfg2_had_is_taken_over_once(
    old: LegacyDatabase,
    run: Callable[..., tuple[int, str, str]],
    target: DatabaseConfig,
    opened: Callable[[DatabaseConfig], Database],
) -> None:
    before = old.contents()
    status, output, warnings = run(old.where)
    assert (warnings, status) == ("", 0)
    assert "  clients: 3 imported\n  clients with probe results: 3 imported\n" in output
    assert "  hosts: 3 imported\n  reports: 5 imported\n" in output
    database = opened(target)
    assert_everything_is_there(database)
    uploads = database.read(lambda connection: connection.execute(select(PROBE_UPLOAD)).all())
    since = {name: datetime.now(timezone.utc) - timestamp for name, timestamp in uploads}
    assert since[ALPHA].total_seconds() > 0

    status, output, _ = run(old.where)
    assert status == 0
    assert output.count("nothing new since the import of") == 4
    status, output, _ = run(old.where, "--again")
    assert "reports: 0 imported, 5 exist already" in output
    assert "clients: 0 imported, 3 exist already" in output
    assert_everything_is_there(database)
    assert old.contents() == before


def test_mariadb_can_take_it(
    old_file: LegacyDatabase,
    run: Callable[..., tuple[int, str, str]],
    mariadb: MariaDB,
    tmp_path: Path,
    opened: Callable[[DatabaseConfig], Database],
) -> None:
    config = mariadb.new_config(timeout=20.0)
    settings = write_settings(tmp_path / "mariadb.conf", config)
    status, _, warnings = run(old_file.where, settings=settings)
    assert (warnings, status) == ("", 0)
    assert_everything_is_there(opened(config))
    assert run(old_file.where, settings=settings)[1].count("nothing new since the import of") == 4
    output = run(old_file.where, "--again", settings=settings)[1]
    assert "reports: 0 imported, 5 exist already" in output
    assert "clients: 0 imported, 3 exist already" in output
    assert_everything_is_there(opened(config))


def test_the_tables_can_stand_beside_those_of_bcfg2(
    old: LegacyDatabase,
    run: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    opened: Callable[[DatabaseConfig], Database],
) -> None:
    before = old.contents()
    settings = write_settings(tmp_path / "same.conf", old.config)
    assert run("--dry-run", settings=settings)[0] == 0
    assert schema_version(old.config).state is SchemaState.BCFG2
    status, output, warnings = run(settings=settings)
    assert (status, warnings) == (0, "")
    assert "reports: 5 imported" in output
    assert_everything_is_there(opened(old.config))
    assert old.contents() == before


def test_a_file_is_left_as_it_was_to_the_byte(
    old_file: LegacyDatabase, run: Callable[..., tuple[int, str, str]]
) -> None:
    file = Path(old_file.where)
    before = hashlib.sha256(file.read_bytes()).digest()
    os.chmod(file, 0o444)
    assert run(str(file))[0] == 0
    assert hashlib.sha256(file.read_bytes()).digest() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_nothing_can_be_written_to_what_is_read(old: LegacyDatabase) -> None:
    source = Source(old.config)
    for statement in ('DELETE FROM "Reporting_interaction"', "CREATE TABLE mine (id INTEGER)"):
        with pytest.raises(StorageError, match=r"read-only|an interrupted write"), source.reading() as connection:
            connection.execute(text(statement))


def test_a_dry_run_says_what_would_be_taken_over(
    old: LegacyDatabase, run: Callable[..., tuple[int, str, str]], target: DatabaseConfig
) -> None:
    status, output, _ = run(old.where, "--dry-run")
    assert status == 0
    assert "(nothing is stored)" in output
    for line in ("clients: 3 to import", "clients with probe results: 3 to import", "reports: 5 to import"):
        assert line in output
    assert not Path(target.name).exists()
    run(old.where)
    assert run(old.where, "--dry-run")[1].count("nothing new since") == 4


def test_of_1_4_the_kind_of_run_is_taken_over_too(
    old: LegacyDatabase,
    run: Callable[..., tuple[int, str, str]],
    target: DatabaseConfig,
    opened: Callable[[DatabaseConfig], Database],
) -> None:
    for statement in (
        *TO_1_4,
        'UPDATE "Reporting_interaction" SET dry_run = true WHERE id = 1',
        'UPDATE "Reporting_interaction" SET only_important = true WHERE id = 2',
        'CREATE TABLE "Reporting_novelty" (id INTEGER)',
    ):
        old.execute(statement)
    status, _, warnings = run(old.where)
    assert status == 0
    assert warnings == ("warning: the table Reporting_novelty is ignored, since Bcfg2 1.3 and 1.4 do not have it\n")
    database = opened(target)
    flags = [(report.dry_run, report.only_important) for report in database.read(lambda c: reports_of(c, ALPHA, 9))]
    assert flags == [(False, False), (False, True), (True, False)]


def test_a_later_import_adds_what_is_new_and_brings_nothing_back(
    old: LegacyDatabase,
    run: Callable[..., tuple[int, str, str]],
    target: DatabaseConfig,
    opened: Callable[[DatabaseConfig], Database],
) -> None:
    run(old.where)
    database = opened(target)
    database.write(lambda connection: remove_client(connection, BETA))
    database.write(lambda connection: connection.execute(INTERACTION.delete().where(INTERACTION.c.timestamp == NOON)))
    add_reports(old, 2, entries=False)
    assert "reports: 2 imported\n" in run(old.where)[1]
    assert len(times(database, ALPHA)) == 4
    assert NOON not in times(database, ALPHA)
    assert [client.hostname for client in database.read(all_clients)] == [ALPHA, GAMMA]
    assert "clients: 1 imported, 2 exist already" in run(old.where, "--again")[1]
    assert NOON in times(database, ALPHA)


@pytest.mark.live
def test_a_report_that_was_being_stored_is_not_forgotten(
    request: pytest.FixtureRequest,
    run: Callable[..., tuple[int, str, str]],
    target: DatabaseConfig,
    opened: Callable[[DatabaseConfig], Database],
) -> None:
    """Of several servers of Bcfg2, the one that began first need not be the first to commit."""
    old = postgresql_database(request.getfixturevalue("postgresql"))
    columns = "id, client_id, timestamp, state, repo_rev_code, server, good_count, total_count"
    columns += ", bad_count, modified_count, extra_count, profile_id"
    (row,) = old.execute(f'SELECT {columns} FROM "Reporting_interaction" WHERE id = 4')
    for part in ("groups", "bundles"):
        old.execute(f'DELETE FROM "Reporting_interaction_{part}" WHERE interaction_id = 4')
    old.execute('UPDATE "Reporting_client" SET current_interaction_id = NULL WHERE id = 2')
    old.execute('DELETE FROM "Reporting_performance" WHERE interaction_id = 4')
    old.execute('DELETE FROM "Reporting_interaction" WHERE id = 4')
    assert "reports: 4 imported\n" in run(old.where)[1]
    assert "reports: nothing new" in run(old.where)[1]
    values = ", ".join("NULL" if value is None else f"'{value}'" for value in row)
    old.execute(f'INSERT INTO "Reporting_interaction" ({columns}) VALUES ({values})')
    assert "reports: 1 to import\n" in run(old.where, "--dry-run")[1]
    assert "reports: 1 imported\n" in run(old.where)[1]
    assert "reports: nothing new" in run(old.where)[1]
    assert len(times(opened(target), BETA)) == 1


def test_another_copy_that_went_its_own_way_is_read_from_the_beginning(
    old_file: LegacyDatabase, run: Callable[..., tuple[int, str, str]]
) -> None:
    run(old_file.where)
    old_file.execute("UPDATE Reporting_interaction SET timestamp = '2014-07-01 11:00:00' WHERE id = 5")
    assert "reports: 1 imported, 4 exist already" in run(old_file.where)[1]


def test_what_is_here_already_is_not_replaced_by_what_is_older(
    old_file: LegacyDatabase,
    run: Callable[..., tuple[int, str, str]],
    target: DatabaseConfig,
    opened: Callable[[DatabaseConfig], Database],
) -> None:
    from geventcore.storage.clients import add_client
    from geventcore.storage.migration import upgrade
    from geventcore.storage.probes import ProbeUpload, replace_probes
    from geventcore.storage.report_writing import toggle_expired

    upgrade(target)
    database = opened(target)
    now = datetime.now(timezone.utc)
    old_file.execute("UPDATE Server_probesdatamodel SET timestamp = '2014-03-01 13:00:00'")
    database.write(lambda connection: add_client(connection, StoredClient(ALPHA, version="1.4.0")))
    database.write(lambda connection: replace_probes(connection, [ProbeUpload(ALPHA, ["new"], {"arch": "new"}, now)]))
    run(old_file.where)
    assert database.read(all_clients)[0] == StoredClient(ALPHA, version="1.4.0")
    assert database.read(lambda connection: get_probes(connection, ALPHA)) == (("new",), {"arch": "new"})
    assert database.read(lambda connection: get_probes(connection, BETA)).data == {"arch": "aarch64\n"}

    database.write(lambda connection: toggle_expired(connection, GAMMA, 0))
    run(old_file.where, "--again")
    assert [report.client for report in database.read(last_reports)] == [ALPHA, BETA, GAMMA]


def test_rows_that_cannot_be_read_are_told_and_cost_only_themselves(
    old_file: LegacyDatabase,
    run: Callable[..., tuple[int, str, str]],
    target: DatabaseConfig,
    opened: Callable[[DatabaseConfig], Database],
) -> None:
    for statement in (
        "INSERT INTO Server_metadataclientmodel VALUES (CAST(x'ff61' AS TEXT), '1.3.4')",
        "INSERT INTO Server_metadataclientmodel VALUES (replace(hex(zeroblob(150)), '00', 'ab'), NULL)",
        "UPDATE Server_probesdatamodel SET timestamp = 'yesterday' WHERE id = 1",
        "UPDATE Server_probesdatamodel SET data = CAST(x'fffe' AS TEXT) WHERE id = 2",
        "INSERT INTO Reporting_client VALUES (4, '2014-01-01', replace(hex(zeroblob(150)), '00', 'ab'), NULL, NULL)",
        "UPDATE Reporting_interaction SET client_id = 4 WHERE id = 4",
        "UPDATE Reporting_client SET expiration = '2014-13-01 00:00:00' WHERE id = 3",
        # Of the reports, the second has no client, the third no time, and the fifth a state of its own.
        "UPDATE Reporting_interaction SET client_id = 99 WHERE id = 2",
        "UPDATE Reporting_interaction SET timestamp = '' WHERE id = 3",
        "UPDATE Reporting_interaction SET state = 'whatever', total_count = -3 WHERE id = 5",
        # Of the first one: entries that are gone, broken or impossible, and one whose text is not UTF-8.
        "DELETE FROM Reporting_packageentry WHERE name = 'vim'",
        "DELETE FROM Reporting_fileperms WHERE owner = 'daemon'",
        "UPDATE Reporting_seuserentry SET name = CAST(x'c3' AS TEXT)",
        "UPDATE Reporting_posixuserentry SET uid = 'many'",
        "UPDATE Reporting_posixgroupentry SET state = 7",
        "UPDATE Reporting_pathentry SET details = 'a' WHERE name = '/etc/blob'",
        "UPDATE Reporting_pathentry SET details = CAST(x'2d20fc' AS TEXT) WHERE name = '/etc/motd'",
        "UPDATE Reporting_group SET name = CAST(x'ff' AS TEXT) WHERE name = 'blue'",
        "UPDATE Reporting_performance SET value = 'soon' WHERE interaction_id = 1 AND metric = 'finished'",
    ):
        old_file.execute(statement)
    status, output, warnings = run(old_file.where)
    assert status == 0
    assert "clients: 3 imported, 2 unreadable and skipped" in output
    assert "probe results: 3 imported, 2 unreadable and skipped" in output
    assert "hosts: 2 imported, 2 unreadable and skipped" in output
    assert "reports: 2 imported, 14 unreadable and skipped" in output
    assert "Server_probesdatamodel 2 is not UTF-8" in warnings
    assert "Reporting_client 3 is not a time" in warnings
    assert "Reporting_interaction 2 belongs to client 99, which cannot be read" in warnings
    assert "Reporting_client 4 is longer than 255 characters" in warnings
    assert "Reporting_interaction 3 is not a time" in warnings
    assert "Reporting_pathentry 1 has invalid permissions" in warnings
    assert "Reporting_packageentry 2 does not exist, but a report refers to it" in warnings
    database = opened(target)
    assert times(database, ALPHA) == [NOON]
    found = interaction(database, ALPHA, NOON)
    lost = {"Package:vim", "SEUser:staff_u", "POSIXUser:alice", "POSIXGroup:users", "Path:/etc/blob"}
    assert {entry.label for entry in found.of_kind(EntryKind.BAD)} == {entry.label for entry in BAD} - lost
    (motd,) = (entry for entry in found.of_kind(EntryKind.BAD) if entry.name == "/etc/motd")
    assert motd == state("Path:/etc/motd", **FILE, mode="0644", content=FileContent("inexact diff", "- \ufffd", 5))
    assert found.groups == ("debian",)
    assert [name for name, _ in found.stamps] == ["start", "inventory"]
    assert interaction(database, GAMMA, 1404201600_000).total == 0


def test_many_bad_rows_are_not_all_told(old_file: LegacyDatabase, run: Callable[..., tuple[int, str, str]]) -> None:
    add_reports(old_file, 50, entries=False)
    old_file.execute("UPDATE Reporting_interaction SET timestamp = 'never ' || id WHERE id > 10")
    status, output, warnings = run(old_file.where)
    assert status == 0
    assert len(warnings.splitlines()) == 21
    assert "further problems are counted, but not shown" in warnings
    assert "reports: 10 imported, 45 unreadable and skipped" in output


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        (["DROP TABLE Reporting_pathentry"], "does not match Bcfg2 1.3 or 1.4: missing tables Reporting_pathentry"),
        (
            ["ALTER TABLE Reporting_interaction RENAME COLUMN good_count TO good"],
            "does not match Bcfg2 1.3 or 1.4: Reporting_interaction has no good_count",
        ),
    ],
)
def test_another_schema_is_refused(
    old_file: LegacyDatabase, run: Callable[..., tuple[int, str, str]], statements: list[str], message: str
) -> None:
    for statement in statements:
        old_file.execute(statement)
    status, _, errors = run(old_file.where)
    assert status == 1
    assert message in errors


def test_what_is_no_database_of_bcfg2_is_refused(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path, target: DatabaseConfig
) -> None:
    empty, ancient, garbage = tmp_path / "empty", tmp_path / "ancient", tmp_path / "garbage"
    for file, statement in ((empty, "CREATE TABLE t (x)"), (ancient, "CREATE TABLE reports_interaction (x)")):
        with closing(sqlite3.connect(file)) as connection:
            connection.execute(statement)
    garbage.write_text("x" * 5000)
    for where, message in {
        str(empty): "has no tables of Bcfg2 1.3 or 1.4",
        str(ancient): "has reports of Bcfg2 1.2; convert them with Bcfg2 1.3 first",
        str(garbage): "the file is not a database",
        str(tmp_path / "nowhere"): "the file does not exist",
        "mysql://user@host/name": "expected sqlite:////path/of/file or postgresql://user@host/name",
        "postgresql://host:x/name": "cannot parse the URL",
    }.items():
        status, _, errors = run(where)
        assert (status, errors.count("\n")) == (1, 1), errors
        assert message in errors
    status, _, errors = run()
    assert status == 1
    assert "has no tables of Bcfg2; name the database: geventcore db import" in errors
    status, _, errors = run(str(empty), "--time-zone", "Mars/Base")
    assert (status, "the name of a time zone" in errors) == (1, True)
    assert not Path(target.name).exists()


def test_an_early_1_3_lacks_some_entries(old_file: LegacyDatabase, run: Callable[..., tuple[int, str, str]]) -> None:
    for name in ("seport", "posixuser"):
        old_file.execute(f"DROP TABLE Reporting_{name}entry")
        old_file.execute(f"DROP TABLE Reporting_interaction_{name}s")
    assert run(old_file.where)[::2] == (0, "")


def test_times_are_not_taken_for_those_of_another_zone_the_next_time(
    old_file: LegacyDatabase, run: Callable[..., tuple[int, str, str]]
) -> None:
    assert run(old_file.where)[0] == 0
    status, _, errors = run(old_file.where, "--time-zone", "UTC")
    assert status == 1
    assert f"pass --time-zone {ZONE}, or remove the reports and pass --again" in errors


@pytest.mark.live
def test_postgresql_calculates_with_the_zone_of_the_old_server(
    request: pytest.FixtureRequest,
    run: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    target: DatabaseConfig,
    opened: Callable[[DatabaseConfig], Database],
) -> None:
    """Without [reporting] time_zone Django gave PostgreSQL what the clock shows, which this took for its own time."""
    cluster = request.getfixturevalue("postgresql")
    old = postgresql_database(cluster, zone="America/New_York")
    settings = write_settings(tmp_path / "no-zone.conf", target, file_limit="1m")
    # 12:00 UTC is what the clock of Bcfg2's server showed as 07:00, in whatever place that was.
    assert run(old.where, "--time-zone", "Asia/Tokyo", settings=settings)[0] == 0
    assert times(opened(target), ALPHA)[-1] == NOON - (5 + 9) * 3_600_000


def start_import(configuration: Path, where: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "geventcore", "db", "import", "-C", str(configuration), where]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_import_goes_on_where_it_was(
    old_file: LegacyDatabase,
    configuration: Path,
    target: DatabaseConfig,
    run: Callable[..., tuple[int, str, str]],
    opened: Callable[[DatabaseConfig], Database],
    signal_number: int,
) -> None:
    added = 6000
    add_reports(old_file, added)
    process = start_import(configuration, old_file.where)

    def position() -> int:
        with closing(sqlite3.connect(f"file:{target.name}?mode=ro", uri=True, timeout=20)) as connection:
            try:
                query = "SELECT position FROM geventcore_import WHERE part = 'reports'"
                return int((connection.execute(query).fetchone() or [0])[0])
            except sqlite3.OperationalError:
                return 0

    wait_until(lambda: Path(target.name).exists() and position(), "the first reports")
    process.send_signal(signal_number)
    output, _ = process.communicate(timeout=60)
    if signal_number == signal.SIGINT:
        assert process.returncode == 130, output
        assert "geventcore: interrupted" in output
    reached = position()
    assert 0 < reached < added
    status, output, warnings = run(old_file.where)
    assert (status, warnings) == (0, "")
    assert f"reports: {added + 5 - reached} imported\n" in output
    database = opened(target)
    assert database.read(lambda c: c.scalar(select(func.count()).select_from(INTERACTION))) == added + 5
    row = database.read(lambda c: c.execute(select(IMPORT).where(IMPORT.c.part == "reports")).one())
    assert (row.position, row.imported, row.known, row.unreadable) == (added + 5, added + 5, 0, 0)
    last = database.read(lambda connection: reports_of(connection, ALPHA, 1))[0]
    assert [entry.label for entry in interaction(database, ALPHA, last.timestamp).of_kind(EntryKind.MODIFIED)] == [
        "Service:cron"
    ]


@pytest.mark.parametrize("limits", [{"MAX_REPORTS": 1}, {"MAX_ENTRIES": 1}, {"MAX_DETAILS": 1}, {"MAX_KEPT": 2}])
def test_where_a_batch_ends_makes_no_difference(
    old_file: LegacyDatabase,
    run: Callable[..., tuple[int, str, str]],
    target: DatabaseConfig,
    opened: Callable[[DatabaseConfig], Database],
    monkeypatch: pytest.MonkeyPatch,
    limits: dict[str, int],
) -> None:
    for name, limit in limits.items():
        monkeypatch.setattr(bcfg2_reports, name, limit)
    source = Source(old_file.config)
    sizes = [batch.rows for batch in ReportReader(source, None, Problems(pytest.fail)).batches(0, 5)]
    assert sum(sizes) == 5
    assert len(sizes) > 1 or "MAX_KEPT" in limits
    assert run(old_file.where)[::2] == (0, "")
    assert_everything_is_there(opened(target))


def test_a_file_that_a_crash_has_left_in_the_middle_is_not_guessed_at(
    old_file: LegacyDatabase, run: Callable[..., tuple[int, str, str]]
) -> None:
    crash = f"""if True:
        import os, sqlite3
        server = sqlite3.connect({old_file.where!r}, isolation_level=None)
        server.execute("PRAGMA cache_size = 5")
        server.execute("BEGIN IMMEDIATE")
        server.execute("UPDATE Reporting_client SET name = 'half'")
        server.execute("UPDATE Reporting_pathentry SET details = hex(zeroblob(99999))")
        os._exit(1)
    """
    subprocess.run([sys.executable, "-c", crash], check=False)
    journal = Path(f"{old_file.where}-journal")
    assert journal.stat().st_size
    status, _, errors = run(old_file.where)
    assert (status, journal.exists()) == (1, True)
    assert f"run as a user who may write: sqlite3 {old_file.where} .tables" in errors
    old_file.execute("SELECT 1 FROM Reporting_client")
    assert "hosts: 3 imported" in run(old_file.where)[1]


def test_the_old_server_may_go_on_writing(old_file: LegacyDatabase, run: Callable[..., tuple[int, str, str]]) -> None:
    with closing(sqlite3.connect(old_file.where, isolation_level=None)) as server:
        server.execute("PRAGMA journal_mode = WAL")
        server.execute("BEGIN IMMEDIATE")
        server.execute("DELETE FROM Reporting_interaction WHERE id = 5")
        assert "reports: 5 imported" in run(old_file.where)[1]
        server.execute("ROLLBACK")
