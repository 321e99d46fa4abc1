"""What the real 1.3.4 client reports is in the database, and ``geventcore reports`` shows it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from geventcore.cli.main import main
from geventcore.testing.certificates import CertificateFiles
from geventcore.testing.site_files import PLUGINS, ClientSite, ServerSite
from tests.peers.client import available_clients
from tests.peers.server import GeventcoreServer
from tests.support.sample_repository import write_sample

HOST = "client.example.net"


@dataclass
class Reported:
    """A site whose client has made a dry run, an installation and a run that found all in order."""

    configuration: Path
    root: Path


@dataclass
class Commands:
    """``geventcore reports`` of that site."""

    site: Reported
    capture: pytest.CaptureFixture[str]

    @property
    def root(self) -> Path:
        """What stands for the client's ``/``."""
        return self.site.root

    def reports(self, *arguments: str, status: int = 0) -> str:
        """What it prints; on standard error if it shall fail."""
        found = main(["reports", *arguments, "-C", str(self.site.configuration)])
        out, err = self.capture.readouterr()
        assert found == status, err
        return out if status == 0 else err


@pytest.fixture
def site(reported: Reported, capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(reported, capsys)


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    directory = tmp_path_factory.mktemp("reports")
    certificates = CertificateFiles(directory / "certificates")
    write_sample(directory / "repository", directory / "client" / "root")
    server = ServerSite(
        directory / "server",
        directory / "repository",
        certificates.server(),
        certificates.ca,
        "secret",
        plugins=(*PLUGINS, "Reporting"),
    )
    with GeventcoreServer().serving(server):
        machine = ClientSite(directory / "client", server.url, "secret", ca=certificates.ca)
        client = available_clients()[0]
        for arguments in (["-n"], [], []):
            assert client.run(machine, "-q", *arguments).returncode == 0
    return Reported(server.directory / "bcfg2.conf", machine.root)


def test_the_history_of_a_host(site: Commands) -> None:
    history = json.loads(site.reports("history", HOST, "--format", "json"))
    assert [(run["state"], run["good"], run["bad"], run["modified"]) for run in history] == [
        ("clean", 11, 0, 0),
        ("clean", 11, 0, 9),
        ("dirty", 2, 9, 0),
    ]


def test_lists_of_hosts(site: Commands) -> None:
    fields = "name,state,total,good,bad,modified,extra,stale"
    (row,) = csv.DictReader(io.StringIO(site.reports("clients", "--fields", fields, "--format", "csv")))
    assert row == {
        "name": HOST,
        "state": "clean",
        "total": "11",
        "good": "11",
        "bad": "0",
        "modified": "0",
        "extra": "0",
        "stale": "no",
    }
    assert json.loads(site.reports("clients", "--dirty", "--format", "json")) == []
    assert site.reports("clients", "--clean", "*.net", "nobody").splitlines()[1].split()[0] == HOST
    assert "expected some of name, time" in site.reports("clients", "--fields", "name,colour", status=2)
    summary = {row["hosts"]: row["number"] for row in json.loads(site.reports("summary", "--format", "json"))}
    assert (summary["clean"], summary["dirty"], summary["stale"], summary["out of service"]) == (1, 0, 0, 0)


def test_one_host(site: Commands) -> None:
    text = site.reports("show", HOST)
    assert "11 of 11 are good; 0 bad, 0 modified, 0 extra" in text
    shown = json.loads(site.reports("show", HOST, "--format", "json"))
    assert (shown["name"], shown["state"], shown["profile"]) == (HOST, "clean", "basic")
    assert {"start", "finished"} <= shown["stamps"].keys()
    assert site.reports("total", HOST).split()[-5:] == ["11", "11", "0", "0", "0"]
    assert "no matching report of nobody" in site.reports("show", "nobody", status=1)


def test_out_of_service_and_back(site: Commands) -> None:
    assert "out of service" in site.reports("expire", HOST)
    assert json.loads(site.reports("clients", "--format", "json")) == []
    assert len(json.loads(site.reports("clients", "--expired", "--format", "json"))) == 1
    assert "back in service" in site.reports("expire", HOST)


def test_purging_the_last_run_shows_the_one_before(site: Commands) -> None:
    assert "refusing to remove all reports" in site.reports("purge", status=2)
    assert "refusing to remove all reports" in site.reports("purge", "--days", "0", status=2)
    assert site.reports("purge", "--days", "1").startswith("removed 0 reports")
    assert site.reports("purge", "--state", "clean", "--client", HOST).startswith("removed 2 reports")
    motd = f"Path:{site.root}/etc/motd"
    shown = site.reports("show", "--bad", "--diff", HOST)
    assert f"  {motd}\n      it was missing\n      | + Welcome to {HOST}" in shown
    (found,) = json.loads(site.reports("entry", motd, "--format", "json"))
    assert (found["name"], found["kind"], found["how"]) == (HOST, "bad", "it was missing")
    (found,) = json.loads(site.reports("entries", "--bad", motd, "Path:/other", "--format", "json"))
    assert (found["name"], found["entry"]) == (HOST, f"{site.root}/etc/motd")
    counts = json.loads(site.reports("entries", "--format", "json"))
    assert len(counts) == 9
    assert all((count["hosts"], count["kind"]) == (1, "bad") for count in counts)
    assert json.loads(site.reports("entries", "--extra", "--format", "json")) == []
    assert "expected Type:name" in site.reports("entry", "motd", status=2)
