"""Completion of entries, groups and bundles, as bash asks for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.lint_cases import LintCase, write_site

#: Calls the function for completion with the words as bash breaks them; an empty word is one that begins.
_SCRIPT = """
source <("$PYTHON" -m geventcore completion bash)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
_geventcore_completion "$PROGRAM"
printf '%s\\n' "${COMPREPLY[@]}"
"""
_FILES = {
    "Bundler/ward.xml": (
        '<Bundle><Group name="web"><Path name="/etc/ward.conf"/></Group><BoundPath name="/etc/x" type="directory"/>'
        '<Package name="a b"/><Package name="${p}"/><Service name="s"/><Bundle name="other"/></Bundle>'
    ),
    "Bundler/broken.xml": '<Bundle>\n<Path name="/srv/b"/><oops',
    "Metadata/groups.xml": '<Groups><Group name="base" profile="true"/><Group name="web"/></Groups>',
}


def complete(config: Path, *words: str) -> set[str]:
    program = config.parent / "geventcore"
    program.write_text(
        f"#!{sys.executable}\nfrom geventcore.cli.main import cli\ncli(prog_name='geventcore')\n", encoding="utf-8"
    )
    program.chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", _SCRIPT, "bash", "geventcore", "-C", str(config), *words],
        env={"PATH": "/usr/bin:/bin", "PYTHON": sys.executable, "PROGRAM": str(program)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return set(done.stdout.split("\n")) - {""}


ENTRIES = {"Path:/etc/ward.conf", "Path:/etc/x", "Path:/srv/b", "Service:s"}
BEHIND_THE_COLON = {"/etc/ward.conf", "/etc/x"}


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("explain", "h", ""), ENTRIES | {"group", "bundle"}),
        (("explain", "h", "S"), {"Service:s"}),
        (("explain", "h", "Path", ":"), BEHIND_THE_COLON | {"/srv/b"}),
        (("explain", "h", "Path", ":", "/etc"), BEHIND_THE_COLON),
        (("explain", "h", "/etc"), BEHIND_THE_COLON),
        (("explain", "h", "group", "w"), {"web"}),
        (("explain", "h", "bundle", ""), {"ward", "broken"}),
        (("explain", "h", "--bundle", "w"), {"ward"}),
        (("diff", "--entry", "Path", ":", "/etc"), BEHIND_THE_COLON),
        (("diff", "--entry", "=", "Path", ":", "/etc"), BEHIND_THE_COLON),
        (("diff", "--format", "=", "j"), {"json"}),
        (("diff", "--group", "b"), {"base"}),
        (("test", "--group", ""), {"base", "web"}),
        (("info", "buildbundle", "w"), {"ward"}),
    ],
)
def test_names_of_the_repository_are_completed(words: tuple[str, ...], expected: set[str], tmp_path: Path) -> None:
    config = write_site(tmp_path, LintCase(_FILES, []))
    assert complete(config, *words) == expected


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_a_missing_repository_disturbs_no_line(tmp_path: Path) -> None:
    config = tmp_path / "bcfg2.conf"
    config.write_text("[server]\nrepository = /nowhere\n", encoding="utf-8")
    assert complete(config, "explain", "h", "Path") == set()
