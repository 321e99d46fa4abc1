"""Servers with Packages, each core in several processes or one: all learn of new data, and nobody waits for them."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from geventcore.admin.client import ask
from geventcore.options.listen_address import parse_address
from geventcore.testing.live_site import LiveServer, LiveSite, process_tree, wait_until
from geventcore.testing.site_files import PLUGINS
from tests.support.metric_values import values_in
from tests.support.package_server import PackageServer, package_server
from tests.support.package_sites import apt_repository, apt_source, stanza

pytestmark = pytest.mark.live

SERVERS = {
    "gevent": ("gevent", {"gevent": {"workers": "1"}}),
    "gevent-workers": ("gevent", {"gevent": {"workers": "2"}}),
    "builtin": ("builtin", {}),
    "multiprocessing": ("multiprocessing", {}),
}
HOST = "host000.example.net"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[PackageServer]:
    apt_repository(tmp_path / "data", stanza("a", Depends="b"), stanza("b"))
    with package_server(tmp_path / "data") as server:
        yield server


@pytest.fixture(params=SERVERS)
def site(request: pytest.FixtureRequest, tmp_path: Path, web: PackageServer) -> LiveSite:
    core, options = SERVERS[request.param]
    packages = {"packages": {"timeout": "50", "retries": "0"}}
    made = LiveSite(tmp_path / "site", core, {**options, **packages}, plugins=[*PLUGINS, "Packages"])
    groups = made.repository / "Metadata/groups.xml"
    groups.write_text(groups.read_text().replace('<Bundle name="base"/>', '<Bundle name="base"/><Group name="amd64"/>'))
    base = made.repository / "Bundler/base.xml"
    base.write_text(base.read_text().replace("<Bundle>", '<Bundle><Package name="a"/>'))
    (made.repository / "Packages").mkdir()
    write_sources(made, apt_source(web.url))
    return made


def write_sources(site: LiveSite, sources: str) -> None:
    (site.repository / "Packages/sources.xml").write_text(f"<Sources>{sources}</Sources>")


def added(server: LiveServer) -> frozenset[str]:
    """The packages that the client gets besides its own."""
    text = str(server.site.client(HOST).call("GetConfig"))
    entries = re.findall(r'<Package [^>]*origin="Packages"[^>]*>', text)
    return frozenset(name for entry in entries for name in re.findall(r' name="(\w+)"', entry))


def always(server: LiveServer, times: int = 12) -> set[frozenset[str]]:
    """What the client gets, whichever process answers."""
    return {added(server) for _ in range(times)}


def test_all_processes_learn_of_new_data(site: LiveSite, tmp_path: Path, web: PackageServer) -> None:
    with site.start() as server:
        assert always(server) == {frozenset("b")}
        assert web.fetched("Packages.gz") == 1
        apt_repository(tmp_path / "data", stanza("a", Depends="c"), stanza("c"))
        assert site.client(HOST).call("Packages.Refresh") is True
        assert always(server) == {frozenset("c")}
        assert web.fetched("Packages.gz") == 2
        # A command does it, too.
        apt_repository(tmp_path / "data", stanza("a", Depends="d"), stanza("d"))
        command = [sys.executable, "-m", "geventcore", "packages", "refresh", "-C", str(site.configuration)]
        subprocess.run(command, check=True, capture_output=True, env=site.environ())
        wait_until(lambda: always(server) == {frozenset("d")}, "all processes to use what a command has fetched")
        assert not server.grave()
        assert server.stop() == 0


def test_new_sources_stall_nobody_and_the_server_ends(site: LiveSite, web: PackageServer) -> None:
    with site.start() as server:
        assert added(server) == frozenset("b")
        web.faults["new/dists/one/InRelease"] = "stall"
        write_sources(site, apt_source(f"{web.url}new/"))
        wait_until(lambda: any("/new/" in path for path, _ in web.requests), "the new source to be asked")
        assert always(server) == {frozenset("b")}
        children = process_tree(server.pid)[1:]
        assert server.stop() == 0
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), "its processes to end")


def test_a_worker_that_starts_later_needs_no_network(site: LiveSite, web: PackageServer) -> None:
    with site.start() as server:
        assert added(server) == frozenset("b")
        server.stop()
    web.faults["dists/one/main/binary-amd64/Packages.gz"] = "stall"
    before = time.monotonic()
    with site.start() as server:
        assert always(server, 4) == {frozenset("b")}
    assert time.monotonic() - before < 40  # less than the source would take


def test_a_failing_source_shows_in_readiness_status_and_metrics(tmp_path: Path, web: PackageServer) -> None:
    path = tmp_path / "admin.sock"
    options = {"gevent": {"workers": "2"}, "admin": {"listen": f"unix:{path}"}, "packages": {"retries": "0"}}
    site = LiveSite(tmp_path / "site", "gevent", options, plugins=[*PLUGINS, "Packages"])
    (site.repository / "Packages").mkdir()
    write_sources(site, apt_source(web.url))
    address = parse_address(f"unix:{path}")
    with site.start() as server:
        assert "packages: ok\n" in ask(address, "/readyz").text
        web.faults["Packages.gz"] = "503"
        assert server.site.client(HOST).call("Packages.Refresh") is True
        for _ in range(6):
            ready = ask(address, "/readyz")
            assert ready.status == 200
            assert f"packages: ok, but {web.url} fails since 2" in ready.text
        value = values_in(ask(address, "/metrics").text)
        assert value("geventcore_package_sources", state="failing") == 1
        assert value("geventcore_package_sources", state="current") == 0
        assert value("geventcore_package_source_age_seconds") > 0
        command = [sys.executable, "-m", "geventcore", "status", "--address", f"unix:{path}", "--interval", "0.1"]
        shown = subprocess.run(command, check=True, capture_output=True, text=True, env=site.environ()).stdout
        assert "fails since" in shown
