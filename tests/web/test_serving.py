"""The process of ``geventcore web``: its addresses, TLS, and its end."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from geventcore.cli.web.site_process import main as ask_site
from geventcore.simulation.test_bed import free_port
from geventcore.storage.config import DatabaseConfig
from geventcore.tls.authority import Authority, write_private
from geventcore.web.users import UsersFile
from tests.web.application import fill_database

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with certificates, a database, a user, and a repository with a broken file."""
    directory = tmp_path_factory.mktemp("serving")
    authority = Authority.create("Test CA")
    server = authority.issue("localhost", dns_names=["localhost"], ip_addresses=["127.0.0.1"], server=True)
    (directory / "ca.crt").write_bytes(authority.certificate_pem)
    (directory / "server.crt").write_bytes(server.certificate_pem)
    write_private(directory / "server.key", server.key_pem)
    fill_database(DatabaseConfig("sqlite3", str(directory / "reports.sqlite")), 10, 20)
    UsersFile(directory / "users").add("anna", "a long enough password")
    metadata = directory / "repository" / "Metadata"
    metadata.mkdir(parents=True)
    (metadata / "clients.xml").write_text('<Clients><Client name="web01.example.com" profile="all"/></Clients>')
    (metadata / "groups.xml").write_text('<Groups><Group name="all" profile="true"/></Groups>')
    (directory / "repository" / "Rules").mkdir()
    (directory / "repository" / "Rules" / "broken.xml").write_text("<Rules>\n<Path")
    return directory


def write_configuration(site: Path, name: str, *web: str) -> Path:
    path = site / name
    path.write_text(
        f"[server]\nrepository = {site}/repository\nplugins = Metadata, Rules\n"
        f"[database]\nengine = sqlite3\nname = {site}/reports.sqlite\n"
        f"[communication]\ncertificate = {site}/server.crt\nkey = {site}/server.key\nca = {site}/ca.crt\n"
        f"[web]\nusers_file = {site}/users\nsecret_file = {site}/secret\n" + "".join(f"{line}\n" for line in web)
    )
    return path


@contextmanager
def served(configuration: Path) -> Iterator[subprocess.Popen[str]]:
    """The pages, once they are served."""
    process = subprocess.Popen(
        [sys.executable, "-m", "geventcore", "web", "-C", str(configuration)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "The pages are at " in line, process.communicate()
        yield process
    finally:
        process.kill()
        process.communicate()


class UnixConnection(http.client.HTTPConnection):
    """HTTP on a UNIX socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("pages", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(str(self._path))


def test_a_unix_socket_needs_no_password_and_is_private(site: Path) -> None:
    path = site / "web.sock"
    with served(write_configuration(site, "unix.conf", f"listen = unix:{path}")) as process:
        assert path.stat().st_mode & 0o007 == 0
        connection = UnixConnection(path)
        connection.request("GET", "/hosts")
        answer = connection.getresponse()
        assert answer.status == 200
        assert b"web01.example.com" in answer.read()
        connection.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not path.exists()


def test_a_port_with_tls_and_login(site: Path) -> None:
    port = free_port()
    configuration = write_configuration(site, "tls.conf", f"listen = 127.0.0.1:{port}", "tls = yes", "login = always")
    with served(configuration):
        context = ssl.create_default_context(cafile=str(site / "ca.crt"))
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=30)
        connection.request("GET", "/hosts")
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.headers["Location"]) == (302, "/login?next=/hosts")
        connection.request("GET", "/login")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        assert "Secure" in answer.headers["Set-Cookie"]
        connection.request("GET", "/hosts", headers={"Host": "evil.example.com"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 421
        connection.close()
        del answer
    assert (site / "secret").stat().st_mode & 0o777 == 0o600


def test_silent_and_slow_callers_do_not_stop_the_pages(site: Path) -> None:
    port = free_port()
    with served(write_configuration(site, "slow.conf", f"listen = 127.0.0.1:{port}")):
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
        for each in silent[:25]:
            each.sendall(b"GET / HTTP/1.1\r\nHost:")
        streams = []
        for _ in range(5):
            stream = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            stream.request("GET", "/servers/events")
            answer = stream.getresponse()
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            assert answer.readline().startswith(b"data: ")
            streams.append((stream, answer))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/hosts")
        found = connection.getresponse()
        assert found.status == 200
        found.read()
        connection.close()
        for stream, answer in streams:
            answer.close()
            stream.close()
        for each in silent:
            each.close()


def test_an_address_in_use_is_told(site: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        configuration = write_configuration(site, "taken.conf", f"listen = 127.0.0.1:{port}")
        done = subprocess.run(
            [sys.executable, "-m", "geventcore", "web", "-C", str(configuration)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr


def test_the_repository_tells_its_clients_and_broken_files(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configuration = write_configuration(site, "site.conf")
    arguments = [str(configuration), str(site / "repository")]
    assert ask_site([*arguments, "clients", ""]) == 0
    assert capsys.readouterr().out == '["web01.example.com"]\n'
    assert ask_site([*arguments, "broken", ""]) == 0
    assert "broken.xml" in capsys.readouterr().out
    assert ask_site([*arguments, "configuration", "nobody.example.com"]) == 1
    assert "nobody.example.com" in capsys.readouterr().err
