"""``geventcore demo``: a real server and simulated clients, and nothing left of either, however it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from geventcore.cli.demo import DemoFailedError, DemoServer, demo_identities, free_port
from geventcore.cli.init import SiteAddress, create_site


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
    assert "7 good, 0 failed, 0 calls repeated" in out
    assert re.search(r"^web0\d\.example\.com got (\d+) entries, \1 of them good:$", out, re.MULTILINE)
    assert "bad" not in out
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
    server = DemoServer(conf, tmp_path / "server.log", port)
    try:
        with pytest.raises(DemoFailedError, match="ended with exit status 1 at its start"):
            server.wait_until_serving(site / "tls" / "ca.crt")
        assert "NoSuchPlugin" in server.log_tail()
    finally:
        server.kill()


def test_a_server_that_dies_is_told_by_its_exit_status(tmp_path: Path) -> None:
    site, port = tmp_path / "site", free_port()
    create_site(site, SiteAddress("127.0.0.1", "127.0.0.1", port))
    server = DemoServer(site / "bcfg2.conf", tmp_path / "server.log", port)
    try:
        server.wait_until_serving(site / "tls" / "ca.crt")
        server.kill()
        with pytest.raises(DemoFailedError, match="ended with exit status -9"):
            server.stop()
    finally:
        server.kill()


@pytest.mark.parametrize("count", [1, 2, 7, 50])
def test_there_are_as_many_clients_as_asked_for(count: int) -> None:
    identities = demo_identities(count, "secret")
    assert len({identity.hostname for identity in identities}) == count
    assert identities[0].hostname == "db01.example.com"
