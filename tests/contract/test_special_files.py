"""Files of the repository that are no regular ones cost a line in the log, and never a client's time."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from geventcore.testing.live_site import LiveServer, LiveSite, wait_until


def fifo(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def unix_socket(path: Path) -> None:
    # The path may be too long for a socket's address.
    directory = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"/proc/self/fd/{directory}/{path.name}")
    os.close(directory)


def huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


def loop(path: Path) -> None:
    path.symlink_to(path.name)


KINDS: tuple[Callable[[Path], None], ...] = (fifo, device, unix_socket, huge, loop)

#: Where every kind is put: the directory, and the name with the kind in place of ``{}``.
PLACES = (
    "Bundler/{}.xml",
    "Rules/{}.xml",
    "Cfg/etc/{0}/{0}",
    "Cfg/etc/{0}2/{0}2.genshi",
    "Cfg/etc/{0}3/info.xml",
    "Decisions/{}.xml",
    "Probes/{}",
    "Properties/{}.xml",
    "Properties/{}.json",
    "Metadata/{}.xml",
)


def place(repository: Path) -> list[Path]:
    placed = []
    for make in KINDS:
        for where in PLACES:
            path = repository / where.format(make.__name__)
            path.parent.mkdir(parents=True, exist_ok=True)
            make(path)
            placed.append(path)
    return placed


@pytest.fixture(params=["before the start", "while it runs"])
def server(new_site: Callable[..., LiveSite], request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    site = new_site()
    if request.param == "before the start":
        place(site.repository)
    with site.start() as running:
        if request.param == "while it runs":
            place(site.repository)
            wait_until(lambda: all(f"{kind.__name__}" in running.log_text() for kind in KINDS[:3]), "lines in the log")
        yield running


def test_special_files(server: LiveServer) -> None:
    repository = server.site.repository
    client = server.site.client("plain")
    for _ in range(3):
        configuration = ElementTree.fromstring(client.call("GetConfig"))
        assert configuration.findtext(".//Path[@name='/etc/motd']")
        client.call("GetProbes")
    for name in ("Bundler/base.xml", "Cfg/etc/motd/motd"):
        path = repository / name
        good = path.read_bytes()
        path.unlink()
        fifo(path)
        wait_until(lambda path=path: f"{path}: " in server.log_text(), f"a line about {path}")  # type: ignore[misc]
        client.call("GetConfig")
        path.unlink()
        path.write_bytes(good)
        assert server.site.client("colons", "a:b::c").call("GetConfig")
    text = server.log_text()
    assert "Traceback" not in text
    # The start lists all broken files once more.
    news = [line for line in server.log() if "broken since" not in line.message]
    lines = [line for line in news if "fifo.xml" in line.message and "Bundler" in line.message]
    assert all(count == 1 for count in Counter(line.pid for line in lines).values()), lines
