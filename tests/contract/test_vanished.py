"""A repository that vanishes leaves clients the last good state, and whoever looks after the server knows it."""

from __future__ import annotations

import shutil
import xmlrpc.client
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from geventcore.admin.client import ask
from geventcore.options.listen_address import parse_address
from geventcore.testing.live_site import LiveServer, LiveSite, wait_until
from geventcore.testing.wire_client import Client


class Watched:
    """A server, its admin listener, and one client of it."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.repository = server.site.repository
        self.client: Client = server.site.client("plain")

    def readiness(self) -> str:
        """The line about the repository, of whichever process answers."""
        lines = ask(parse_address(f"unix:{self.server.site.directory}/admin.sock"), "/readyz").text.splitlines()
        return next(line for line in lines if line.startswith("repository: "))

    def wait_for_readiness(self, text: str) -> None:
        wait_until(lambda: all(text in self.readiness() for _ in range(4)), text)

    def names(self) -> list[str | None]:
        """The entries of the client's configuration."""
        return [entry.get("name") for entry in ElementTree.fromstring(self.client.call("GetConfig")).iter("Path")]


def make_watched(new_site: Callable[..., LiveSite], **options: str) -> LiveServer:
    site = new_site(options={"server": options})
    site.options["admin"] = {"listen": f"unix:{site.directory}/admin.sock"}
    return site.start()


@pytest.fixture(scope="module")
def module_server(new_site: Callable[..., LiveSite]) -> Iterator[LiveServer]:
    with make_watched(new_site) as server:
        yield server


@pytest.fixture
def watched(module_server: LiveServer) -> Watched:
    found = Watched(module_server)
    found.wait_for_readiness("repository: ok")
    return found


def move_all(repository: Path) -> Callable[[], object]:
    aside = repository.with_name("aside")
    repository.rename(aside)
    return lambda: aside.rename(repository)


def remove_all(repository: Path) -> Callable[[], object]:
    aside = repository.with_name("copy")
    shutil.copytree(repository, aside)
    shutil.rmtree(repository)
    return lambda: aside.rename(repository)


def empty_all(repository: Path) -> Callable[[], object]:
    """As the mount point of a file system that is unmounted."""
    put_back = move_all(repository)
    repository.mkdir()

    def back() -> None:
        repository.rmdir()
        put_back()

    return back


def move_bundles(repository: Path) -> Callable[[], object]:
    return move_all(repository / "Bundler")


def empty_bundles(repository: Path) -> Callable[[], object]:
    bundles = repository / "Bundler"
    shutil.copytree(bundles, repository.with_name("bundles"))
    for path in bundles.iterdir():
        path.unlink()

    def back() -> None:
        shutil.copytree(repository.with_name("bundles"), bundles, dirs_exist_ok=True)
        shutil.rmtree(repository.with_name("bundles"))

    return back


def remove_cfg(repository: Path) -> Callable[[], object]:
    return remove_all(repository / "Cfg")


@pytest.mark.parametrize("vanish", [move_all, remove_all, empty_all, move_bundles, empty_bundles, remove_cfg])
def test_the_last_good_state_is_served(watched: Watched, vanish: Callable[[Path], Callable[[], object]]) -> None:
    good = watched.client.call("GetConfig")
    assert "Welcome" in good
    put_back = vanish(watched.repository)
    watched.wait_for_readiness("clients get the state of")
    for _ in range(4):
        assert watched.client.call("GetConfig") == good
    assert "clients get the last good state until it is back" in watched.server.log_text()
    put_back()
    watched.wait_for_readiness("repository: ok")
    path = watched.repository / "Bundler/base.xml"
    text = path.read_text()
    path.write_text(text.replace("</Bundle>", f'<Path name="/after/{vanish.__name__}"/></Bundle>'))
    wait_until(lambda: f"/after/{vanish.__name__}" in watched.names(), "a change after the return")
    path.write_text(text)
    wait_until(lambda: all(watched.client.call("GetConfig") == good for _ in range(10)), "the first state again")


def test_a_bundle_that_an_administrator_deletes_is_gone(watched: Watched) -> None:
    path = watched.repository / "Bundler/identity.xml"
    text = path.read_text()
    path.unlink()

    def fault() -> str:
        try:
            watched.client.call("GetConfig")
        except xmlrpc.client.Fault as err:
            return str(err)
        return ""

    wait_until(lambda: all("no plugin provides these bundles: identity" in fault() for _ in range(4)), "a fault")
    assert watched.readiness() == "repository: ok"
    path.write_text(text)
    wait_until(lambda: not any(fault() for _ in range(4)), "the configuration again")


def test_a_state_that_is_too_old_is_a_fault(new_site: Callable[..., LiveSite]) -> None:
    with make_watched(new_site, max_stale="1") as server:
        watched = Watched(server)
        put_back = move_all(watched.repository)

        def is_refused() -> bool:
            try:
                watched.client.call("GetConfig")
            except xmlrpc.client.Fault as err:
                return "The repository is not available: clients get the state of" in str(err)
            return False

        wait_until(lambda: all(is_refused() for _ in range(4)), "a fault")
        put_back()
        wait_until(lambda: not any(is_refused() for _ in range(4)), "the configuration again")


@pytest.mark.parametrize("has_directories", [False, True])
def test_an_empty_mount_point_stops_the_start(new_site: Callable[..., LiveSite], has_directories: bool) -> None:
    site = new_site()
    shutil.rmtree(site.repository)
    site.repository.mkdir()
    if has_directories:
        (site.repository / "Metadata").mkdir()
    server = site.launch()
    assert server.wait() != 0
    lines = [line for line in server.log_text().splitlines() if "is its file system mounted?" in line]
    assert len(lines) == 1
    assert "Traceback" not in server.log_text()
    assert [path.name for path in site.repository.iterdir()] == ["Metadata"] * has_directories


@pytest.mark.parametrize("treatment", ["fail", "log"])
def test_a_missing_bundle(new_site: Callable[..., LiveSite], treatment: str) -> None:
    site = new_site(options={"server": {"missing_bundles": treatment}})
    (site.repository / "Bundler/identity.xml").write_text("<Bundle>")
    with site.start() as server:
        root = ElementTree.fromstring(server.site.client("plain").call("GetConfig"))
    failing = [path.get("failure") for path in root.iterfind("./Bundle[@name='identity']/Path")]
    assert failing == (["no plugin provides the bundle identity"] if treatment == "fail" else [])
    assert root.findtext(".//Path[@name='/etc/motd']")
    assert "no plugin provides these bundles: identity" in server.log_text()
