"""The programs with Bcfg2's names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from geventcore.cli.aliases import main as aliases
from geventcore.cli.aliases.programs import PROGRAMS
from geventcore.cli.main import main
from tests.support.tool_cases import copy_site


def test_installed_programs_run_and_are_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = copy_site(tmp_path)
    place = tmp_path / "bin"
    place.mkdir()
    assert main(["install-aliases", "--directory", str(place)]) == 0
    assert sorted(path.name for path in place.iterdir()) == sorted(PROGRAMS)
    run = subprocess.run(
        [place / "bcfg2-info", "-C", config, "query", "-g", "web"], capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines() == [f"quay{number}.harbor.test" for number in (1, 2, 3)]
    assert main(["install-aliases", "--directory", str(place), "--remove"]) == 0
    assert list(place.iterdir()) == []
    capsys.readouterr()


def test_programs_of_others_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "bcfg2-info"
    other.write_text("#!/bin/sh\n")
    assert main(["install-aliases", "--directory", str(tmp_path)]) == 1
    assert "pass --force" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["bcfg2-info"]
    assert main(["install-aliases", "--directory", str(tmp_path), "--force"]) == 0
    assert "geventcore" in other.read_text()


@pytest.mark.parametrize(
    ("program", "given", "translated"),
    [
        ("bcfg2-info", ["-C", "f", "-p", "build", "h"], ["info", "-C", "f", "profile", "build", "h"]),
        ("bcfg2-info", ["-x", "pw", "probes", "-p", "h"], ["info", "probes", "-p", "h"]),
        ("bcfg2-test", ["--nose-options", "-v", "--children", "2", "h"], ["test", "--processes", "2", "h"]),
        (
            "bcfg2-admin",
            ["-W", "web.conf", "-o", "log", "viz", "-o", "x.png", "-d"],
            ["admin", "-W", "web.conf", "-o", "log", "viz", "--outfile", "x.png", "-d"],
        ),
        ("bcfg2-reports", ["-d", "clients", "-d"], ["bcfg2-reports", "-d", "clients", "--dirty"]),
        ("bcfg2-admin", ["compare", "-d", "3", "a", "b"], ["admin", "compare", "--diff-lines", "3", "a", "b"]),
        (
            "bcfg2-server",
            ["-D", "p", "-x", "pw", "--children", "4"],
            ["server", "-D", "p", "-x", "pw", "--children", "4"],
        ),
    ],
)
def test_flags_are_translated(program: str, given: list[str], translated: list[str]) -> None:
    assert PROGRAMS[program].arguments(given) == translated


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_and_version_have_the_name_of_the_program(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert aliases.main(program, ["--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: {program} [OPTIONS]")
    assert aliases.main(program, ["-d", "--version"]) == 0
    assert capsys.readouterr().out.startswith(f"{program} ")
    assert aliases.main(program, ["--nosuch"]) == 2
    assert f"Try '{program} --help' for help." in capsys.readouterr().err


def test_names_of_programs_are_no_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bcfg2-reports", "clients"]) == 2
    assert "did you mean reports?" in capsys.readouterr().err


def test_the_server_takes_the_flags_of_the_original(tmp_path: Path) -> None:
    config = copy_site(tmp_path)
    words = ["-C", str(config), "-x", "pw", "--cfg-validation", "--children", "4", "--check"]
    # In a process of its own: the command makes the standard library cooperative.
    command = [sys.executable, "-m", "geventcore", *PROGRAMS["bcfg2-server"].arguments(words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    # Without a certificate the check ends with that, and not with a wrong command line.
    assert done.returncode != 2, done.stderr


@pytest.mark.parametrize(
    "words", [("info", "build"), ("admin", "minestruct"), ("admin", "client", "delete"), ("shadow", "https://old")]
)
def test_hosts_of_the_named_site_are_completed(words: tuple[str, ...], tmp_path: Path) -> None:
    config = copy_site(tmp_path)
    line = ["geventcore", "-C", str(config), *words, "quay"]
    done = subprocess.run(
        [sys.executable, "-c", "from geventcore.cli.main import cli; cli(prog_name='geventcore')"],
        env={
            **os.environ,
            "_GEVENTCORE_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(line),
            "COMP_CWORD": str(len(line) - 1),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == [f"plain,quay{number}.harbor.test" for number in (1, 2, 3)], done.stderr
