"""What needs an administrator although clients are served: broken files, failing clients, certificates that expire."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xmlrpc.client import Fault

import pytest

from geventcore.admin.client import ask
from geventcore.options.listen_address import ListenAddress
from geventcore.testing.live_site import LiveServer, LiveSite, wait_until
from geventcore.testing.wire_client import Client

pytestmark = pytest.mark.live

BROKEN = "Bundler/broken.xml"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> LiveSite:
    directory = tmp_path_factory.mktemp("conditions")
    made = LiveSite(directory / "site", "gevent", {"gevent": {"workers": "2"}})
    made.options["admin"] = {"listen": f"unix:{directory / 'admin'}", "control": "none"}
    (made.repository / BROKEN).write_text("<Bundle>\n<Path\n</Bundle>\n")
    certificate = made.authority.issue("localhost", dns_names=["localhost"], ip_addresses=["127.0.0.1"], days=20)
    made.write_certificate("server", certificate)
    return made


@pytest.fixture(scope="module")
def server(site: LiveSite) -> Iterator[LiveServer]:
    with site.start() as running:
        yield running


def get(site: LiveSite, path: str) -> str:
    return ask(ListenAddress(path=Path(site.options["admin"]["listen"].removeprefix("unix:"))), path).text


def note(site: LiveSite, name: str) -> str:
    return next(line for line in get(site, "/readyz").splitlines() if line.startswith(f"{name}: "))


def has_metric(site: LiveSite, *samples: str) -> bool:
    lines = get(site, "/metrics").splitlines()
    return all(any(line.startswith(sample) for line in lines) for sample in samples)


def test_broken_files_are_named_until_they_are_mended(site: LiveSite, server: LiveServer) -> None:
    server.wait_for_log("A file cannot be used: Bundler/broken.xml: ")
    found = note(site, "files")
    assert "1 file cannot be used: Bundler/broken.xml: " in found
    assert "line 3" in found
    assert "plugin Bundler: nothing of it is used" in found
    assert has_metric(
        site, "geventcore_broken_files 1.0", f'geventcore_broken_file_since_timestamp_seconds{{file="{BROKEN}"}}'
    )
    (site.repository / BROKEN).write_text("<Bundle/>\n")
    wait_until(lambda: note(site, "files") == "files: ok" and has_metric(site, "geventcore_broken_files 0.0"), "mended")
    (site.repository / BROKEN).write_text("<Bundle")
    wait_until(lambda: "the version that was read before stays in use" in note(site, "files"), "broken again")
    (site.repository / BROKEN).unlink()
    wait_until(lambda: note(site, "files") == "files: ok", "gone")


def test_failing_clients_are_counted_once_by_all_processes(site: LiveSite, server: LiveServer) -> None:
    client = site.client("plain", "own of plain")
    client.call("GetConfig")
    assert has_metric(site, "geventcore_hosts_failing 0.0")
    bundle = site.repository / "Bundler/identity.xml"
    good = bundle.read_text()
    bundle.unlink()
    try:
        # Several calls, so that both processes see some.
        for _ in range(4):
            wait_until(lambda: _fails(client), "a failure")
        assert has_metric(site, "geventcore_hosts_failing 1.0")
    finally:
        bundle.write_text(good)
    wait_until(lambda: not _fails(client), "a configuration")
    assert has_metric(site, "geventcore_hosts_failing 0.0")


def _fails(client: Client) -> bool:
    try:
        return str(client.call("GetConfig")).startswith("<error")
    except Fault:
        return True


def test_status_shows_them(site: LiveSite, server: LiveServer) -> None:
    assert any("expires in 19 days" in line.message for line in server.grave())
    assert "the server certificate expires in 19 days" in note(site, "certificates")
    command = [sys.executable, "-m", "geventcore", "status", "-C", str(site.configuration), "--interval", "0.1"]
    shown = subprocess.run(command, env=site.environ(), capture_output=True, text=True, check=True, timeout=60).stdout
    assert "certificates: ok, but the server certificate expires in 19 days" in shown
    assert "server 19 days" in shown
    as_json = subprocess.run(
        [*command, "--json"], env=site.environ(), capture_output=True, text=True, check=True, timeout=60
    ).stdout
    found = json.loads(as_json)
    assert 19 < found["certificate_days"]["server"] < 20
    assert found["certificate_days"]["ca"] > 3000
    assert found["hosts"]["failing"] == 0
