"""``geventcore shadow`` beside the real 1.3.4 server: a host by host comparison, and real clients through its port."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from geventcore.testing.certificates import CertificateFiles
from geventcore.testing.site_files import PLUGINS, ClientSite, ServerSite, free_port
from tests.peers.client import available_clients
from tests.peers.environment import REPOSITORY_ROOT, clean_environ
from tests.peers.server import ServerProcess, available_servers
from tests.support import sample_repository as sample

PASSWORD = "sample-password"
PATIENCE_SECONDS = 60.0


class Move:
    """A site that is about to move: the old server runs, and this program has a copy of the repository."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.certificates = CertificateFiles(directory / "certificates")
        self.machine = directory / "client"
        self.old_repository = directory / "old-repository"
        sample.write_sample(self.old_repository, self.machine / "root")
        clients = self.old_repository / "Metadata" / "clients.xml"
        more = "".join(f'<Client name="more{number}.example.com" profile="basic"/>' for number in range(9))
        clients.write_text(clients.read_text().replace("</Clients>", f"{more}</Clients>"))
        self.site = ServerSite(
            directory / "server",
            self.old_repository,
            self.certificates.server(),
            self.certificates.ca,
            PASSWORD,
        )
        self.repository = directory / "repository"
        self.configuration = directory / "bcfg2.conf"
        pair = self.site.certificate
        self.configuration.write_text(
            f"[server]\nrepository = {self.repository}\nplugins = {','.join(PLUGINS)}\n"
            f"[communication]\npassword = {PASSWORD}\nca = {self.certificates.ca}\n"
            f"certificate = {pair.certificate}\nkey = {pair.key}\n[logging]\nsyslog = false\n"
        )

    def copy_repository(self) -> None:
        """Take over the repository as it is now."""
        shutil.rmtree(self.repository, ignore_errors=True)
        shutil.copytree(self.old_repository, self.repository)

    def command(self, *arguments: str) -> list[str]:
        """The command line of ``shadow``."""
        return [
            *(sys.executable, "-m", "geventcore", "shadow", "-C", str(self.configuration), "--format", "json"),
            *(self.site.url, *arguments),
        ]


def tree(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def move(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Move]:
    moving = Move(tmp_path_factory.mktemp("move"))
    with available_servers()[-1].serving(moving.site) as server:
        assert isinstance(server, ServerProcess)
        yield moving


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {**clean_environ(), "PYTHONPATH": str(REPOSITORY_ROOT)})


def compare(move: Move, *arguments: str) -> tuple[int, dict[str, object], str]:
    done = subprocess.run(move.command(*arguments), capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, json.loads(done.stdout), done.stderr


def test_both_servers_give_the_same_and_nothing_changes(move: Move) -> None:
    move.copy_repository()
    before = tree(move.old_repository), tree(move.repository)
    status, found, errors = compare(move)
    assert found["differences"] == []
    assert (status, found["same"], found["not_compared"]) == (0, 10, 0), errors
    assert (tree(move.old_repository), tree(move.repository)) == before


def test_a_difference_is_found(move: Move) -> None:
    move.copy_repository()
    bundle = next((move.repository / "Bundler").glob("*.xml"))
    bundle.write_text(bundle.read_text().replace("</Bundle>", '<BoundPackage name="new" type="deb"/></Bundle>'))
    status, found, _ = compare(move)
    assert status == 1
    (difference,) = found["differences"]  # type: ignore[misc]
    assert (difference["kind"], difference["subject"]) == ("extra", "Package:new")


def test_a_real_client_runs_through_the_port(move: Move) -> None:
    move.copy_repository()
    port = free_port()
    machine = ClientSite(move.machine, f"https://127.0.0.1:{port}", PASSWORD, ca=move.certificates.ca)
    shadow = subprocess.Popen(
        move.command("--listen", str(port)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert shadow.stderr is not None
        assert any("listening on" in line for line in iter(shadow.stderr.readline, ""))
        client = available_clients()[0]
        for arguments in (["-n"], []):
            run = client.run(machine, "-q", "-v", *arguments)
            assert run.returncode == 0, run.stderr
        seen = [shadow.stderr.readline() for _ in range(2)]
        assert all(line.endswith(": the same\n") for line in seen), seen
    finally:
        shadow.terminate()
        out, err = shadow.communicate(timeout=PATIENCE_SECONDS)
    assert shadow.returncode == 0, err
    found = json.loads(out)
    assert (found["same"], found["different"]) == (1, 0)
    # The run went to the old server: it has the results of probes, and we have none.
    assert (move.old_repository / "Probes" / "probed.xml").exists()
    assert not (move.repository / "Probes" / "probed.xml").exists()
