"""``geventcore demo``: a real server and simulated clients, and nothing left of either, however it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from geventcore.cli.demo import demo_clients
from geventcore.cli.init import SiteAddress, create_site
from geventcore.simulation import LoadError
from geventcore.simulation.test_bed import ServerProcess, free_port, geventcore_server

pytestmark = pytest.mark.live


def start_demo(directory: Path, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "geventcore", "demo", *args],
        env={**os.environ, "TMPDIR": str(directory), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def processes_with(text: str) -> list[str]:
    """Command lines of all processes that mention `text`."""
    lines = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if text in line:
                lines.append(line)
    return lines


def test_a_demonstration_goes_well_and_leaves_nothing(tmp_path: Path) -> None:
    demo = start_demo(tmp_path, "--clients", "7")
    out, err = demo.communicate(timeout=120)
    assert demo.returncode == 0, out + err
    assert "7 clients made 7 runs" in out
    assert "7 good, 0 failed, 0 unfinished; 0 calls repeated, 0 bad entries" in out
    assert re.search(r"^web0\d\.example\.com got (\d+) entries, \1 of them good:$", out, re.MULTILINE)
    assert "bad:" not in out
    assert re.search(r"^See what the fleet did: http://127.0.0.1:\d+/\nThey end now; --wait ", out, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []
    assert processes_with(str(tmp_path)) == []


def test_a_demonstration_shows_its_pages_until_it_is_interrupted(tmp_path: Path) -> None:
    demo = start_demo(tmp_path, "--clients", "12", "--wait")
    assert demo.stdout is not None
    found = next((match for line in demo.stdout if (match := re.search(r"did: (http://127.0.0.1:\d+/)$", line))), None)
    assert found is not None
    with urllib.request.urlopen(found[1], timeout=60) as answer:
        page = answer.read().decode()
    assert "of 12 hosts are as they should be" in page
    assert "This is a demonstration with simulated clients." in page
    demo.send_signal(signal.SIGINT)
    out, err = demo.communicate(timeout=60)
    assert demo.returncode == 0, out + err
    assert "The server has stopped, and the site is removed." in out
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
    assert processes_with(str(tmp_path)) == []


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demonstration_leaves_nothing(tmp_path: Path, signal_number: int) -> None:
    # More clients than can be done in the time that the signal takes.
    demo = start_demo(tmp_path, "--clients", "500")
    assert demo.stdout is not None
    for line in demo.stdout:
        if "clients call" in line:
            break
    assert processes_with(str(tmp_path)) != []
    # The second one comes while the first one's cleaning up goes on.
    demo.send_signal(signal_number)
    demo.send_signal(signal_number)
    out, err = demo.communicate(timeout=60)
    assert demo.returncode == 130, out + err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
    assert processes_with(str(tmp_path)) == []


def test_a_server_that_does_not_start_is_told_with_its_log(tmp_path: Path) -> None:
    site, port = tmp_path / "site", free_port()
    create_site(site, SiteAddress("127.0.0.1", "127.0.0.1", port))
    conf = site / "bcfg2.conf"
    conf.write_text(conf.read_text().replace("plugins = Metadata", "plugins = NoSuchPlugin, Metadata"))
    server = ServerProcess(geventcore_server(conf), tmp_path / "server.log", port)
    try:
        with pytest.raises(LoadError, match="ended with exit status 1 at its start"):
            server.wait_until_serving(site / "tls" / "ca.crt")
        assert "NoSuchPlugin" in server.log_tail()
    finally:
        server.kill()


def test_a_server_that_dies_is_told_by_its_exit_status(tmp_path: Path) -> None:
    site, port = tmp_path / "site", free_port()
    create_site(site, SiteAddress("127.0.0.1", "127.0.0.1", port))
    server = ServerProcess(geventcore_server(site / "bcfg2.conf"), tmp_path / "server.log", port)
    try:
        server.wait_until_serving(site / "tls" / "ca.crt")
        server.kill()
        assert server.stop(60) == -9
    finally:
        server.kill()


@pytest.mark.parametrize("count", [1, 2, 7, 50])
def test_there_are_as_many_clients_as_asked_for(count: int) -> None:
    clients = demo_clients(count)
    assert len({client.name for client in clients}) == count
    assert clients[0].name == "db01.example.com"
