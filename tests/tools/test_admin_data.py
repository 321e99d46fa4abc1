"""``geventcore admin`` ``viz``, ``backup``, ``reportssqlall``, and commands that are replaced."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tarfile
from pathlib import Path

import pytest
from lxml import etree

from geventcore.cli.admin.replaced import REPLACED
from geventcore.cli.aliases import main as aliases
from geventcore.cli.main import main
from tests.support.tool_cases import COMPARISONS, ToolCase, cases_of, copy_site

VIZ = [case for case in cases_of("admin", "bcfg2-admin") if case.entry["argv"][0] == "viz"]

#: A program in place of Graphviz's: it writes its arguments and its input to the file after -o.
DOT = """#!/bin/sh
out=/dev/stdout
echo "$@" >&2
while [ $# -gt 0 ]; do
  case $1 in -o) out=$2; shift;; esac
  shift
done
cat > "$out"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return copy_site(tmp_path)


@pytest.fixture
def dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that stands in for Graphviz's ``dot``."""
    program = tmp_path / "bin" / "dot"
    program.parent.mkdir()
    program.write_text(DOT)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return program


@pytest.mark.usefixtures("dot")
@pytest.mark.parametrize("case", VIZ, ids=lambda case: case.name)
def test_dot_gets_what_it_gets_from_the_original(case: ToolCase, config: Path, tmp_path: Path) -> None:
    picture = tmp_path / "out" / "x.dot"
    words = [word.replace("@OUT@", str(picture.parent)) for word in case.entry["argv"]]
    assert aliases.main("bcfg2-admin", ["-C", str(config), *words]) == 0
    wanted = (case.gold / "input-of-dot").read_text()
    assert not COMPARISONS[case.entry["compare"]](wanted, picture.read_text())


@pytest.mark.usefixtures("dot")
def test_the_ending_is_the_format(config: Path, tmp_path: Path) -> None:
    assert main(["admin", "viz", "-C", str(config), "--outfile", str(tmp_path / "x.svg")]) == 0
    assert (tmp_path / "x.svg").read_text().startswith("digraph groups {")


def test_a_failure_of_dot_is_told(dot: Path, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dot.write_text("#!/bin/sh\necho no such format >&2\nexit 3\n")
    assert main(["admin", "viz", "-C", str(config), "--format", "bmp"]) == 1
    assert "no such format" in capsys.readouterr().err
    assert aliases.main("bcfg2-admin", ["-C", str(config), "viz"]) == 1
    assert capsys.readouterr().out.startswith("Error running [")


def test_text_needs_no_other_program(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["admin", "viz", "-C", str(config), "-b", "-k", "-H"]) == 0
    text = capsys.readouterr().out
    assert text.count("{") == text.count("}")
    assert main(["admin", "viz", "-C", str(config), "--outfile", str(tmp_path / "x.png")]) == 1
    assert "install Graphviz, or use --format dot or --format mermaid" in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()


def test_names_cannot_break_a_mermaid_graph(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    groups = tmp_path / "repo" / "Metadata" / "groups.xml"
    groups.write_text(groups.read_text().replace('<Group name="unused"/>', '<Group name="a&quot;] --&gt; x;"/>'))
    assert main(["admin", "viz", "-C", str(config), "--format", "mermaid", "-c", "quay1.harbor.test"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "flowchart LR"
    assert main(["admin", "viz", "-C", str(config), "--outfile", str(tmp_path / "groups.md")]) == 0
    text = (tmp_path / "groups.md").read_text()
    assert text.startswith("```mermaid\n")
    assert '("a#34;#93; --#62; x#59;")' in text


def test_a_backup_has_the_repository_for_its_owner(config: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repo"
    (repository / "old.tar.gz").write_bytes(b"x")
    os.mkfifo(repository / "pipe")
    (repository / "link").symlink_to("/etc/passwd")
    archive = tmp_path / "backup.tar.gz"
    assert main(["admin", "backup", "-C", str(config), str(archive)]) == 0
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    wanted = {f"repo/{path.relative_to(repository)}" for path in repository.rglob("*")}
    with tarfile.open(archive) as tar:
        assert wanted - set(tar.getnames()) == {"repo/old.tar.gz", "repo/pipe"}
        stored = tar.extractfile("repo/Metadata/groups.xml")
        assert stored is not None
        assert stored.read() == (repository / "Metadata/groups.xml").read_bytes()
        assert tar.getmember("repo/link").linkname == "/etc/passwd"


def test_a_backup_replaces_no_file(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = tmp_path / "backup.tar.gz"
    archive.write_bytes(b"older")
    assert main(["admin", "backup", "-C", str(config), str(archive)]) == 1
    assert "File exists" in capsys.readouterr().err
    assert archive.read_bytes() == b"older"
    assert not list(tmp_path.glob(".*"))


def test_the_original_puts_backups_into_the_repository(config: Path, tmp_path: Path) -> None:
    assert aliases.main("bcfg2-admin", ["-C", str(config), "backup"]) == 0
    assert len(list((tmp_path / "repo").glob("*.tar.gz"))) == 1


def test_the_statements_make_the_tables(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["admin", "reportssqlall", "-C", str(config)]) == 0
    database = sqlite3.connect(":memory:")
    database.executescript(capsys.readouterr().out)
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    database.close()
    assert "geventcore_report_interaction" in tables


@pytest.mark.parametrize("name", REPLACED)
def test_a_refusal_says_what_replaces_a_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert aliases.main("bcfg2-admin", ["-C", "/nonexistent", name, "-x", "word"]) == 1
    assert f"{name} is not a command here: " in capsys.readouterr().err


def test_a_new_site_needs_a_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert aliases.main("bcfg2-admin", ["init"]) == 1
    assert "geventcore init DIRECTORY" in capsys.readouterr().err
    assert main(["admin", "init", str(tmp_path / "new")]) == 0
    assert (tmp_path / "new" / "bcfg2.conf").exists()


def test_the_prompt_of_the_database_needs_one(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["admin", "dbshell", "-C", str(config)]) == 1
    message = capsys.readouterr().err
    assert "does not exist" in message or shutil.which("sqlite3") is None


def test_a_picture_of_graphviz(config: Path, tmp_path: Path) -> None:
    if shutil.which("dot") is None:
        pytest.skip("Graphviz is not installed")
    assert main(["admin", "viz", "-C", str(config), "-b", "-H", "-k", "--outfile", str(tmp_path / "x.svg")]) == 0
    texts = set(etree.parse(tmp_path / "x.svg").getroot().itertext())
    assert {"quay1.harbor.test", "debian", "Key"} <= texts
