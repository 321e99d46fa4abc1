"""The files in contrib/: what checks them is the program that reads them."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONTRIB = Path(__file__).parents[2] / "contrib"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed on this machine")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for name in ("geventcore.service", "geventcore.socket"):
        text = (CONTRIB / "systemd" / name).read_text()
        # The program may be installed anywhere, and the user does not exist yet.
        text = text.replace("/usr/bin/geventcore", sys.executable).replace("=geventcore\n", "=root\n")
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in done.stderr.splitlines() if str(tmp_path) in line or line.startswith("geventcore")]
    assert done.returncode == 0, done.stderr
    assert not complaints


def test_the_service_allows_what_the_server_needs() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(CONTRIB / "systemd" / "geventcore.service")
    assert unit["Service"]["Type"] == "notify"
    assert "AF_UNIX" in unit["Service"]["RestrictAddressFamilies"], "the notifications and the syslog"
    assert unit["Service"]["ExecReload"] == "/bin/kill -HUP $MAINPID"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_scripts_are_those_that_the_program_prints(shell: str) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "geventcore", "completion", shell], capture_output=True, text=True, check=True
    )
    assert printed.stdout == (CONTRIB / "completion" / f"geventcore.{shell}").read_text()


@pytest.mark.skipif(shutil.which("logrotate") is None, reason="logrotate is not installed on this machine")
def test_logrotate_accepts_its_file(tmp_path: Path) -> None:
    rules = (CONTRIB / "logrotate" / "geventcore").read_text().replace(" geventcore geventcore", " root root")
    (tmp_path / "rules").write_text(rules)
    (tmp_path / "rules").chmod(0o644)
    done = subprocess.run(
        ["logrotate", "--debug", "--state", str(tmp_path / "state"), str(tmp_path / "rules")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr
