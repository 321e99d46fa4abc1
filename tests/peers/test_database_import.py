"""What the real 1.3.4 server has in its database after runs of the real client is taken over."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from geventcore.cli.main import main
from geventcore.storage.clients import all_clients
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database
from geventcore.storage.probes import get_probes
from geventcore.storage.report_model import EntryKind
from geventcore.storage.report_queries import last_interaction, reports_of
from geventcore.testing.certificates import CertificateFiles
from geventcore.testing.live_site import wait_until
from geventcore.testing.site_files import PLUGINS, ClientSite, ServerSite
from tests.peers.client import ClientPeer
from tests.peers.environment import python2_environment
from tests.peers.server import ServerPeer
from tests.support import sample_repository as sample

PASSWORD = "sample-password"


def count(file: Path, table: str) -> int:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=20)) as connection:
        try:
            return int(connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def test_what_the_real_server_stored_is_taken_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment = python2_environment(database=True)
    if environment is None:
        pytest.skip("there is no Python 2.7 here")
    certificates = CertificateFiles(tmp_path / "certificates")
    repository, file = tmp_path / "repository", tmp_path / "old.sqlite"
    sample.write_sample(repository, tmp_path / "client/root")
    site = ServerSite(
        tmp_path / "server",
        repository,
        certificates.server(),
        certificates.ca,
        PASSWORD,
        plugins=(*PLUGINS, "Reporting"),
        overrides={
            "database": {"engine": "sqlite3", "name": str(file)},
            "metadata": {"use_database": "true"},
            "probes": {"use_database": "true"},
        },
    )
    started = time.time()
    with ServerPeer(environment).serving(site) as server:
        machine = ClientSite(tmp_path / "client", server.site.url, PASSWORD, ca=certificates.ca)
        client = ClientPeer(environment)
        for number, arguments in enumerate((["-n"], []), 1):
            run = client.run(machine, "-q", "-v", *arguments)
            assert run.returncode == 0, run.stderr
            wait_until(lambda number=number: count(file, "Reporting_interaction") == number, "a report")
            # Bcfg2 knows a report by its second.
            wait_for_next_second()
        wait_until(lambda: count(file, "Reporting_performance") > 10, "all of the last report")

    (tmp_path / "new").mkdir()
    configuration = tmp_path / "new/bcfg2.conf"
    configuration.write_text(f"[server]\nrepository = {tmp_path / 'new'}\n")
    assert main(["db", "import", "-C", str(configuration), str(file)]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    assert "reports: 2 imported\n" in output.out

    database = Database.open(DatabaseConfig("sqlite3", str(tmp_path / "new/etc/bcfg2.sqlite")))
    try:
        assert [(known.hostname, known.version) for known in database.read(all_clients)] == [(sample.CLIENT, "1.3.4")]
        assert database.read(lambda connection: get_probes(connection, sample.CLIENT)).groups
        reports = database.read(lambda connection: reports_of(connection, sample.CLIENT, 10))
        assert [report.state for report in reports] == ["clean", "dirty"]
        assert all(started - 2 <= report.timestamp / 1000 <= time.time() for report in reports)
        assert reports[1].bad == sample.ENTRY_COUNT - 2
        last = database.read(lambda connection: last_interaction(connection, sample.CLIENT))
        assert last is not None
        assert (last.good, last.total) == (sample.ENTRY_COUNT, sample.ENTRY_COUNT)
        changed = {state.label for state in last.of_kind(EntryKind.MODIFIED)}
        assert f"Path:{machine.root}/etc/motd" in changed
        assert {"start", "finished"} <= {name for name, _ in last.stamps}
    finally:
        database.close()


def wait_for_next_second() -> None:
    second = int(time.time())
    wait_until(lambda: int(time.time()) > second, "the next second")
