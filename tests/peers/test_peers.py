"""The real 1.3.4 client makes whole runs against the real 1.3.4 server, and against ours: what it sees is the same."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from geventcore.testing.certificates import Certificate, CertificateFiles
from geventcore.testing.site_files import ClientSite, Sections, ServerSite
from tests.peers.client import ClientPeer
from tests.peers.environment import Environment, python2_environment, python3_environment
from tests.peers.server import NEWEST_PYTHON_FOR_SERVER, GeventcoreServer, ServerPeer, ServerProcess
from tests.support import sample_repository as sample

PASSWORD = "sample-password"
EVERYTHING_CORRECT = "All entries correct."


def environment(python: str) -> Environment:
    built = python3_environment() if python == "python3" else python2_environment()
    if built is None:
        pytest.skip("there is no Python 2.7 here")
    return built


def server_peer(name: str) -> ServerPeer | GeventcoreServer:
    if name == "geventcore":
        return GeventcoreServer("gevent")
    found = environment(name.removeprefix("bcfg2-"))
    if found.version > NEWEST_PYTHON_FOR_SERVER:
        pytest.skip(f"the 1.3.4 server does not run on {found.name}")
    return ServerPeer(found)


class Machine:
    """A client's machine, and the server that manages it."""

    def __init__(self, directory: Path, server: ServerProcess, certificates: CertificateFiles) -> None:
        self.directory = directory
        self.certificates = certificates
        self._server_url = server.site.url
        self.root = self.site().root

    def site(
        self, password: str = PASSWORD, certificate: Certificate | None = None, overrides: Sections | None = None
    ) -> ClientSite:
        return ClientSite(
            self.directory,
            self._server_url,
            password,
            ca=self.certificates.ca,
            certificate=certificate,
            overrides=overrides or {},
        )

    def files(self) -> dict[str, bytes]:
        """Everything below the root that is neither a directory nor a link."""
        found = [path for path in self.root.rglob("*") if path.is_file() and not path.is_symlink()]
        return {str(path.relative_to(self.root)): path.read_bytes() for path in found}

    def mode(self, path: str) -> int:
        return stat.S_IMODE((self.root / path).stat().st_mode)


@pytest.fixture(scope="module", params=["bcfg2-python3", "bcfg2-python2", "geventcore"])
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    peer = server_peer(request.param)
    directory = tmp_path_factory.mktemp("peers")
    certificates = CertificateFiles(directory / "certificates")
    sample.write_sample(directory / "repository", directory / "client" / "root")
    site = ServerSite(directory / "server", directory / "repository", certificates.server(), certificates.ca, PASSWORD)
    with peer.serving(site) as server:
        yield Machine(directory / "client", server, certificates)


@pytest.fixture(params=["python3", "python2"])
def client(request: pytest.FixtureRequest, machine: Machine) -> ClientPeer:
    """The client, on a machine fresh from the installer but for one unwanted file."""
    peer = ClientPeer(environment(request.param))
    shutil.rmtree(machine.directory)
    machine.site()
    (machine.root / sample.REMOVED_FILE).parent.mkdir()
    (machine.root / sample.REMOVED_FILE).touch()
    return peer


def correct_entries(run: CompletedProcess[str]) -> list[str]:
    """How many entries were right, before the run and after it."""
    return [line.split()[-1] for line in run.stderr.splitlines() if line.startswith("Correct entries:")]


def test_a_dry_run_changes_nothing(machine: Machine, client: ClientPeer) -> None:
    run = client.run(machine.site(), "-q", "-v", "-n")
    assert run.returncode == 0, run.stderr
    # Right from the start is only the action, which nothing has triggered.
    assert correct_entries(run) == ["1", "1"]
    assert machine.files() == {sample.REMOVED_FILE: b""}


def test_an_install_makes_every_entry_right_and_the_next_run_finds_it_so(machine: Machine, client: ClientPeer) -> None:
    first = client.run(machine.site(), "-q", "-v")
    assert first.returncode == 0, first.stderr
    assert correct_entries(first) == ["1", str(sample.ENTRY_COUNT)]
    assert machine.files() == sample.INSTALLED_FILES
    assert {path: machine.mode(path) for path in sample.INSTALLED_DIRECTORIES} == sample.INSTALLED_DIRECTORIES
    assert {path: os.readlink(machine.root / path) for path in sample.INSTALLED_LINKS} == sample.INSTALLED_LINKS
    assert machine.mode("etc/hosts.allow") == 0o600

    second = client.run(machine.site(), "-q", "-v")
    assert second.returncode == 0, second.stderr
    assert EVERYTHING_CORRECT in second.stderr
    assert correct_entries(second)[0] == str(sample.ENTRY_COUNT)


def test_a_run_leaves_nothing_behind_but_what_it_installed(machine: Machine, client: ClientPeer) -> None:
    site = machine.site()
    assert client.run(site, "-q").returncode == 0
    assert {path.name for path in site.directory.iterdir()} == {"bcfg2.conf", "root", "tmp", "paranoid"}
    assert list(site.temporary.iterdir()) == []


def test_a_whitelist_allows_what_it_names_and_nothing_else(machine: Machine, client: ClientPeer) -> None:
    run = client.run(machine.site(), "-q", "-v", "-l", "whitelist")
    assert run.returncode == 0, run.stderr
    expected = {path: content for path, content in sample.INSTALLED_FILES.items() if path.startswith("etc/")}
    assert machine.files() == expected


def test_a_blacklist_forbids_what_it_names_and_nothing_else(machine: Machine, client: ClientPeer) -> None:
    run = client.run(machine.site(), "-q", "-v", "-l", "blacklist")
    assert run.returncode == 0, run.stderr
    assert machine.files() == {sample.REMOVED_FILE: b"", "srv/blob": sample.INSTALLED_FILES["srv/blob"]}


def test_a_client_with_a_certificate_is_known_by_it(machine: Machine, client: ClientPeer, tmp_path: Path) -> None:
    certificate = machine.certificates.client(sample.CLIENT)
    run = client.run(machine.site(certificate=certificate), "-q", "-v")
    certificate.key.unlink()
    assert run.returncode == 0, run.stderr
    assert machine.files() == sample.INSTALLED_FILES


def test_a_certificate_of_somebody_else_is_refused(machine: Machine, client: ClientPeer) -> None:
    certificate = machine.certificates.client("stranger.example.net")
    run = client.run(machine.site(certificate=certificate, overrides={"communication": {"retries": "1"}}), "-q", "-v")
    certificate.key.unlink()
    assert run.returncode == 1
    assert "401" in run.stderr
    assert machine.files() == {sample.REMOVED_FILE: b""}


def test_a_wrong_password_ends_the_run_before_anything_is_changed(machine: Machine, client: ClientPeer) -> None:
    run = client.run(machine.site(password="wrong", overrides={"communication": {"retries": "1"}}), "-q", "-v")
    assert run.returncode == 1
    assert "401" in run.stderr
    assert machine.files() == {sample.REMOVED_FILE: b""}
