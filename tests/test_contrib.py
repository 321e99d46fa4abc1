"""The files in contrib/: what checks them is the program that reads them."""

from __future__ import annotations

import ast
import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contrib.distribution.try_container import instructions

CONTRIB = Path(__file__).parents[1] / "contrib"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed on this machine")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for name in ("geventcore.service", "geventcore.socket", "geventcore-web.service"):
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


def test_benchmarks_and_tests_do_not_import_each_other() -> None:
    def imported(directory: Path) -> set[str]:
        names = set()
        for path in directory.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module:
                    names.add(node.module)
                elif isinstance(node, ast.Import):
                    names.update(alias.name for alias in node.names)
        return names

    assert not [name for name in imported(CONTRIB / "bench") if name.split(".")[0] == "tests"]
    assert not [name for name in imported(CONTRIB.parent / "tests") if name.startswith("contrib.bench")]


@pytest.mark.skipif(shutil.which("rpmspec") is None, reason="rpm is not installed on this machine")
def test_rpm_accepts_the_specification() -> None:
    spec = CONTRIB / "distribution/rpm/geventcore.spec"
    command = ["rpmspec", "--query", "--define", "geventcore_version 1.2.3", str(spec)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("geventcore-1.2.3-1.")


def test_the_image_has_a_user_and_a_health_check() -> None:
    image = dict(instructions((CONTRIB / "distribution/container/Containerfile").read_text()))
    assert image["USER"].isdigit()
    assert image["USER"] != "0"
    assert '["geventcore", "status"' in image["HEALTHCHECK"]


@pytest.mark.parametrize(
    "script", ["deb/build", "deb/postinst", "deb/prerm", "deb/postrm", "rpm/build", "first_site.sh"]
)
def test_the_scripts_of_packages_are_well_formed(script: str) -> None:
    path = CONTRIB / "distribution" / script
    shell = path.read_text().partition("\n")[0].rpartition("/")[2].split()[-1]
    assert path.stat().st_mode & 0o111
    assert subprocess.run([shell, "-n", str(path)], check=False).returncode == 0
