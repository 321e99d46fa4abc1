"""Backup of what a server has learnt while it serves, and its restoration."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
import stat
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from geventcore.simulation import Load, Pace, RetryPolicy, SimulatedClient, Target, make_runs
from geventcore.testing.contract_repository import HOSTS
from geventcore.testing.live_site import GLOBAL_PASSWORD, LiveSite
from geventcore.testing.site_files import PLUGINS

pytestmark = pytest.mark.live

CLIENTS = 8
#: What looks like files of servers, and is not.
WRITTEN_BY_PEOPLE = ("Cfg/etc/issue/issue.H_host000.example.net", "Probes/own")
#: A report that waits, beside the site's directory.
WAITING = "state/Reporting/Other/one"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> LiveSite:
    directory = tmp_path_factory.mktemp("learnt")
    made = LiveSite(
        directory / "site", "gevent", {"gevent": {"workers": "1"}}, plugins=[*PLUGINS, "Reporting", "SSHbase"]
    )
    made.options["admin"] = {"listen": f"unix:{directory / 'admin'}", "control": "none"}
    made.options["metadata"] = {"use_database": "true"}
    made.options["server"] = {**made.options.get("server", {}), "state_directory": str(directory / "state")}
    # A key of each host is made when its configuration is.
    for name in WRITTEN_BY_PEOPLE:
        (made.repository / name).parent.mkdir(parents=True, exist_ok=True)
        (made.repository / name).write_text("#!/bin/sh\necho one\n")
    (made.repository / "Bundler/ssh.xml").write_text('<Bundle><Path name="/etc/ssh/ssh_host_ed25519_key"/></Bundle>\n')
    groups = made.repository / "Metadata/groups.xml"
    groups.write_text(groups.read_text().replace('<Bundle name="base"/>', '<Bundle name="base"/><Bundle name="ssh"/>'))
    return made


def run(site: LiveSite, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "geventcore", *arguments, "-C", str(site.configuration)]
    return subprocess.run(command, env=site.environ(), capture_output=True, text=True, timeout=120, check=False)


def database(site: LiveSite) -> Path:
    return site.directory / "bcfg2.sqlite"


def hosts_with_reports(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        table = next(name for name in tables if name.endswith("interaction"))
        return int(connection.execute(f"SELECT count(DISTINCT host_id) FROM {table}").fetchone()[0])


@pytest.fixture(scope="module")
def archive(site: LiveSite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup that was made while the server served."""
    path = tmp_path_factory.mktemp("backup") / "learnt.tar.gz"
    waiting = site.directory.parent / WAITING
    waiting.parent.mkdir(parents=True)
    waiting.write_bytes(b"a report")
    with site.start() as server:
        clients = [SimulatedClient(name, name) for name in HOSTS[:CLIENTS]]
        target = Target("127.0.0.1", site.port)
        result = make_runs(Load(target, site.ca, GLOBAL_PASSWORD, clients, Pace(), 120.0, RetryPolicy()))
        assert result.counts.runs_ok == CLIENTS
        done = run(site, "backup", str(path))
        assert done.returncode == 0, done.stderr
        assert "databases main" in done.stdout
        refused = run(site, "restore", str(path))
        assert refused.returncode == 1
        assert "a server runs" in refused.stderr
        assert server.stop() == 0
    return path


def test_the_archive_has_everything_and_only_its_owner_reads_it(site: LiveSite, archive: Path) -> None:
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    with tarfile.open(archive) as tar:
        names = set(tar.getnames())
    assert {"manifest.json", "database/main", "repository/Metadata/clients.xml"} <= names
    assert any(name.startswith("repository/SSHbase/") for name in names), "the keys that were made"
    assert WAITING in names
    assert not {f"repository/{name}" for name in WRITTEN_BY_PEOPLE} & names
    assert not any(name.startswith(("repository/Bundler/", "repository/Rules/")) for name in names)


def test_restoring_brings_everything_back(site: LiveSite, archive: Path) -> None:
    assert hosts_with_reports(database(site)) == CLIENTS
    keys = {path.name: path.read_bytes() for path in (site.repository / "SSHbase").iterdir()}
    assert keys
    done = run(site, "restore", str(archive))
    assert done.returncode == 1
    assert "has data already; --overwrite replaces them" in done.stderr
    for path in site.directory.glob("bcfg2.sqlite*"):
        path.unlink()
    shutil.rmtree(site.repository / "SSHbase")
    shutil.rmtree(site.directory.parent / "state")
    done = run(site, "restore", str(archive))
    assert done.returncode == 0, done.stderr
    assert hosts_with_reports(database(site)) == CLIENTS
    assert {path.name: path.read_bytes() for path in (site.repository / "SSHbase").iterdir()} == keys
    assert (site.directory.parent / WAITING).read_bytes() == b"a report"
    with site.start() as server:
        client = site.client(HOSTS[0])
        assert "<Configuration" in str(client.call("GetConfig"))
        assert [line.message for line in server.grave() if "WARN" not in line.level] == []


def test_edited_files_are_not_replaced_unless_that_is_wanted(site: LiveSite, archive: Path) -> None:
    clients = site.repository / "Metadata/clients.xml"
    before = clients.read_bytes()
    for path in site.directory.glob("bcfg2.sqlite*"):
        path.unlink()
    clients.write_bytes(before + b"<!-- edited -->\n")
    done = run(site, "restore", str(archive))
    assert done.returncode == 1
    assert f"files exist with another content: {clients}; --overwrite replaces them" in done.stderr
    assert b"edited" in clients.read_bytes()
    assert not database(site).exists(), "nothing was restored"
    done = run(site, "restore", "--overwrite", str(archive))
    assert done.returncode == 0, done.stderr
    assert clients.read_bytes() == before


def test_a_damaged_archive_changes_nothing(site: LiveSite, archive: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.tar.gz"
    with tarfile.open(archive) as old, tarfile.open(damaged, "w:gz") as new:
        for member in old.getmembers():
            data = old.extractfile(member)
            assert data is not None
            content = data.read()
            if member.name == "repository/Metadata/clients.xml":
                content = content.replace(b"host", b"hxst", 1)
            new.addfile(member, io.BytesIO(content))
    before = database(site).read_bytes()
    done = run(site, "restore", "--overwrite", str(damaged))
    assert done.returncode == 1
    assert "repository/Metadata/clients.xml is damaged" in done.stderr
    assert database(site).read_bytes() == before


def test_names_that_lead_out_of_the_repository_are_refused(site: LiveSite, archive: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile.tar.gz"
    data = b"x"
    name = "repository/../../escaped"
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    manifest = json.dumps({"format": 1, "engines": {}, "sha256": {name: digest}}).encode()
    with tarfile.open(hostile, "w:gz") as tar:
        for member_name, content in ((name, data), ("manifest.json", manifest)):
            member = tarfile.TarInfo(member_name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    done = run(site, "restore", str(hostile))
    assert done.returncode == 1
    assert "unexpected member" in done.stderr
    assert not (site.directory.parent / "escaped").exists()
