"""Changes of the repository count while the server runs, and no client gets half of one."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import pytest

from geventcore.testing.contract_repository import HOSTS
from geventcore.testing.live_site import LiveServer, LiveSite, wait_until
from geventcore.testing.wire_client import Client

#: Processes that serve, where a core has several by this option.
CHILDREN = 2
#: Calls after which every process has answered at least one.
CALLS = 16
READERS = 4
GENERATIONS = 40
ENTRIES = 30


@pytest.fixture(scope="module")
def server(new_site: Callable[..., LiveSite]) -> Iterator[LiveServer]:
    with new_site(options={"server": {"children": str(CHILDREN)}}).start() as running:
        yield running


@pytest.fixture
def repository(server: LiveServer) -> Path:
    return server.site.repository


@pytest.fixture
def client(server: LiveServer) -> Client:
    return server.site.client("plain")


def in_place(path: Path, text: str) -> None:
    path.write_text(text)


def by_renaming(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.swp")
    beside.write_text(text)
    beside.rename(path)


def entry(name: str) -> str:
    return f'<BoundPath type="directory" name="{name}" owner="root" group="root" mode="0755"/>'


def bundle(*names: str) -> str:
    return "<Bundle>\n" + "".join(f"  {entry(name)}\n" for name in names) + "</Bundle>\n"


def names_in(configuration: str) -> list[str]:
    return [str(found.get("name")) for found in ElementTree.fromstring(configuration).iter("Path")]


def has(client: Client, name: str) -> bool:
    """Whether the entry is in the configuration, whichever of the server's processes builds it."""
    return all(name in names_in(client.call("GetConfig")) for _ in range(CALLS))


def lacks(client: Client, name: str) -> bool:
    """Whether the entry is in no configuration, whichever of the server's processes builds it."""
    return not any(name in names_in(client.call("GetConfig")) for _ in range(CALLS))


@pytest.mark.parametrize("write", [in_place, by_renaming])
def test_a_bundle_that_is_changed(repository: Path, client: Client, write: Callable[[Path, str], None]) -> None:
    path = repository / "Bundler/base.xml"
    good = path.read_text()
    for name in (f"/{write.__name__}/1", f"/{write.__name__}/2"):
        write(path, bundle(name))
        wait_until(lambda name=name: has(client, name), name)  # type: ignore[misc]
        assert lacks(client, "/etc/motd")
    write(path, good)
    wait_until(lambda: has(client, "/etc/motd"), "the first version again")


@pytest.mark.parametrize("write", [in_place, by_renaming])
def test_a_broken_bundle_leaves_the_last_good_version(
    server: LiveServer, repository: Path, client: Client, write: Callable[[Path, str], None]
) -> None:
    path = repository / "Bundler/base.xml"
    good = path.read_text()
    before = len(server.log_text())
    write(path, good.replace("</Bundle>", ""))
    wait_until(lambda: "Bundler/base.xml" in server.log_text()[before:], "a line about the broken file")
    assert has(client, "/etc/motd")
    write(path, bundle("/repaired"))
    wait_until(lambda: has(client, "/repaired"), "the repaired bundle")
    write(path, good)
    wait_until(lambda: has(client, "/etc/motd"), "the first version again")


def test_a_file_that_is_deleted_and_comes_back(repository: Path, client: Client) -> None:
    path = repository / "Cfg/etc/motd/motd"
    text = path.read_text()

    def is_bound() -> set[bool]:
        entries = [
            ElementTree.fromstring(client.call("GetConfig")).find(".//Path[@name='/etc/motd']") for _ in range(CALLS)
        ]
        return {entry is not None and entry.get("failure") is None for entry in entries}

    assert is_bound() == {True}
    path.unlink()
    wait_until(lambda: is_bound() == {False}, "the file is gone")
    path.write_text(text)
    wait_until(lambda: is_bound() == {True}, "the file is back")


def test_a_new_directory(repository: Path, client: Client) -> None:
    (repository / "Bundler/base.xml").write_text(
        '<Bundle>\n  <Path name="/etc/motd"/>\n  <Path name="/new/deep/file"/>\n</Bundle>'
    )
    directory = repository / "Cfg/new/deep/file"
    directory.mkdir(parents=True)
    (directory / "file").write_text("deep")

    def content() -> set[str | None]:
        texts = [ElementTree.fromstring(client.call("GetConfig")) for _ in range(CALLS)]
        return {text.findtext(".//Path[@name='/new/deep/file']") for text in texts}

    wait_until(lambda: content() == {"deep"}, "the new file")
    shutil.rmtree(repository / "Cfg/new")
    wait_until(lambda: content() == {""}, "the new file is gone")
    directory.mkdir(parents=True)
    (directory / "file").write_text("again")
    wait_until(lambda: content() == {"again"}, "the new file is back")


def test_a_directory_that_is_renamed_over(repository: Path, client: Client, tmp_path: Path) -> None:
    """As a checkout does it that makes a new tree and swaps it in."""
    new = repository / "new-bundles"
    shutil.copytree(repository / "Bundler", new)
    (new / "base.xml").write_text(bundle("/swapped"))
    os.rename(repository / "Bundler", repository / "old-bundles")
    os.rename(new, repository / "Bundler")
    wait_until(lambda: has(client, "/swapped"), "the bundles of the new directory")
    (repository / "Bundler/base.xml").write_text(bundle("/after-the-swap"))
    wait_until(lambda: has(client, "/after-the-swap"), "a change in the new directory")


def test_new_groups_of_a_client(repository: Path, client: Client) -> None:
    path = repository / "Metadata/clients.xml"
    text = path.read_text()
    by_renaming(path, text.replace('name="plain" profile="basic"', 'name="plain" profile="large"'))
    wait_until(lambda: has(client, "/srv/large"), "the other profile")
    by_renaming(path, text)
    wait_until(lambda: lacks(client, "/srv/large"), "the first profile")


@pytest.mark.parametrize("write", [in_place, by_renaming])
def test_no_client_gets_half_of_a_change(
    server: LiveServer, repository: Path, write: Callable[[Path, str], None]
) -> None:
    """Every entry names the generation of its bundle; a configuration has all entries of one and none of another."""
    path = repository / "Bundler/base.xml"
    write(path, bundle(*(f"/generation/0/{number}" for number in range(ENTRIES))))
    clients = [server.site.client(host) for host in HOSTS[:READERS]]
    for reader in clients:
        wait_until(lambda reader=reader: has(reader, "/generation/0/0"), "the first generation")  # type: ignore[misc]
    ended = threading.Event()

    def read(reader: Client) -> list[tuple[int, ...]]:
        seen = []
        while not ended.is_set():
            names = names_in(reader.call("GetConfig"))
            seen.append(tuple(int(found[1]) for name in names if (found := re.match(r"/generation/(\d+)/", name))))
        return seen

    with ThreadPoolExecutor(READERS) as executor:
        readers = [executor.submit(read, reader) for reader in clients]
        for generation in range(1, GENERATIONS + 1):
            write(path, bundle(*(f"/generation/{generation}/{number}" for number in range(ENTRIES))))
            ended.wait(0.02)
        wait_until(lambda: has(clients[0], f"/generation/{GENERATIONS}/0"), "the last generation")
        ended.set()
    for seen in (reader.result() for reader in readers):
        assert {len(generations) for generations in seen} == {ENTRIES}
        assert all(len(set(generations)) == 1 for generations in seen)


def test_nothing_went_wrong_meanwhile(server: LiveServer) -> None:
    text = server.log_text()
    assert "Traceback" not in text
    assert "Exception ignored" not in text
