"""Cases of the administrator's tools (``tests/cases/tools``): what a program of Bcfg2 prints for a repository.

A case runs in a copy of its repository. ``@REPO@``, ``@OUT@`` and ``@WORK@`` in its texts are directories of that copy.
"""

from __future__ import annotations

import collections
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree

CASES = Path(__file__).parents[1] / "cases" / "tools"
INFO = CASES / "info"
#: The files of the manual.
PROJECT_EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@dataclass(frozen=True)
class ToolCase:
    """One case: its entry in ``cases.json``, and the directory with the expected output."""

    entry: dict[str, Any]
    gold: Path

    @property
    def name(self) -> str:
        """The name of the case."""
        return str(self.entry["name"])


def cases_of(folder: str, *tools: str) -> list[ToolCase]:
    """Return the cases in ``<folder>/cases.json`` of these programs."""
    directory = CASES / folder
    entries = json.loads((directory / "cases.json").read_text())
    return [ToolCase(entry, directory / entry["name"]) for entry in entries if entry["tool"] in tools]


@dataclass(frozen=True)
class Run:
    """What a program did in a working directory."""

    work: Path
    status: int
    out: str
    err: str


def run_program(program: str, arguments: Sequence[str], work: Path, stdin: str = "", path: str = "") -> Run:
    """Run a program by its name of Bcfg2."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "COLUMNS": "200"}
    if path:
        environment["PATH"] = f"{path}:{environment['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "geventcore.cli.aliases.main", program, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=work,
        env=environment,
        timeout=300,
        check=False,
    )
    return Run(work, done.returncode, done.stdout, done.stderr)


def copy_site(work: Path, config: str = "bcfg2.conf") -> Path:
    """Copy the repository of the cases into a directory; return its configuration file."""
    shutil.copytree(INFO / "repo", work / "repo", symlinks=True)
    (work / "out").mkdir()
    file = work / "bcfg2.conf"
    file.write_text((INFO / config).read_text().replace("@REPO@", str(work / "repo")))
    return file


def check(case: ToolCase, run: Run) -> None:
    """Compare a run with the case; `AssertionError` at the first difference."""
    assert run.status == case.entry["exit"], f"exit status {run.status}: {run.out}{run.err}"
    how = case.entry["compare"]
    if how not in ("layout", "exit"):
        wanted = (case.gold / "stdout").read_text() if (case.gold / "stdout").exists() else ""
        if how == "test":
            wrong = _test_difference(case.entry["results"], run.out + "\n" + run.err)
        else:
            wrong = COMPARISONS[how](_clean(wanted, run.work), _clean(run.out, run.work))
        assert not wrong, f"{wrong}\n{run.err}"
    for name in case.entry.get("files", []):
        _check_files(case.gold, run.work, name)


def _clean(text: str, work: Path) -> str:
    for path, name in ((work / "repo", "@REPO@"), (work / "out", "@OUT@"), (work, "@WORK@")):
        text = text.replace(str(path), name)
    return re.sub(r"0x[0-9a-f]{6,}", "0x0", text)


def _text(wanted: str, got: str) -> str:
    return "\n".join(difflib.unified_diff(wanted.splitlines(), got.splitlines(), "expected", "got", lineterm=""))


def _bag(wanted: Sequence[str], got: Sequence[str]) -> str:
    missing = collections.Counter(wanted) - collections.Counter(got)
    extra = collections.Counter(got) - collections.Counter(wanted)
    return f"missing: {list(missing)}; too much: {list(extra)}" if missing or extra else ""


def _lines(wanted: str, got: str) -> str:
    return _bag(*([line.rstrip() for line in text.splitlines()] for text in (wanted, got)))


def _blocks(wanted: str, got: str) -> str:
    def blocks(text: str) -> list[str]:
        return [block.strip("\n") for block in re.split(r"\n[ \t]*(?=\n)", "\n" + text) if block.strip()]

    return _bag(blocks(wanted), blocks(got))


def _tree(element: etree._Element, any_order: bool) -> Any:
    def words(text: str | None) -> str:
        return text if text and text.strip() else ""

    attributes = sorted((key, "" if key == "failure" else value) for key, value in element.items())
    children = [_tree(child, any_order) for child in element]
    if any_order:
        children.sort(key=repr)
    return (
        str(element.tag),
        attributes,
        words(element.text) if children else element.text or "",
        children,
        words(element.tail),
    )


def _parsed(text: str) -> etree._Element | None:
    try:
        return etree.fromstring(text.encode())
    except etree.XMLSyntaxError:
        return None


def _xml(wanted: str, got: str, any_order: bool = False) -> str:
    expected, found = _parsed(wanted), _parsed(got)
    if expected is None:
        return _text(wanted, got)
    if found is None:
        return f"no XML: {got}"
    same = _tree(expected, any_order) == _tree(found, any_order)
    return "" if same else f"{wanted}\n--- got\n{got}"


def _table(wanted: str, got: str) -> str:
    def line(text: str) -> str:
        cells = []
        for cell in text.split("|"):
            words = cell.strip()
            cells.append(cell.replace(words, ",".join(sorted(words.split(",")))) if "," in words else cell)
        return "|".join(cells).rstrip()

    return _text("\n".join(map(line, wanted.splitlines())), "\n".join(map(line, got.splitlines())))


def _head(wanted: str, got: str) -> str:
    def heads(text: str) -> str:
        out, keep = [], True
        for line in text.splitlines():
            keep = line.startswith("Hostname:") or (keep and not line.startswith("Connector data"))
            if keep or line.startswith("Connector data"):
                out.append(line.rstrip())
        return "\n".join(out)

    return _text(heads(wanted), heads(got))


def _masked(text: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "YYYY-MM-DD HH:MM:SS", text)


def _rows(wanted: str, got: str) -> str:
    """The first line is the same; the others are, in any order and at any time."""
    heads, rest = zip(*(_masked(text).partition("\n")[::2] for text in (wanted, got)), strict=True)
    return _text(*heads) or _bag(*(text.splitlines() for text in rest))


def _dot(wanted: str, got: str) -> str:
    return _lines(*(re.sub(r"fillcolor=\w+", "fillcolor=", text) for text in (wanted, got)))


COMPARISONS: dict[str, Callable[[str, str], str]] = {
    "exact": _text,
    "xml": _xml,
    "xml-any-order": lambda wanted, got: _xml(wanted, got, any_order=True),
    "lines": _lines,
    "blocks-any-order": _blocks,
    "table": _table,
    "head": _head,
    "exact; times masked, order of rows free": _rows,
    "lines (colours aside)": _dot,
}


def _test_difference(wanted: dict[str, str], text: str) -> str:
    got = dict(re.findall(r"^Building configuration for (\S+) \.\.\. (\w+)$", text, re.MULTILINE))
    return "" if got == wanted else f"{got} instead of {wanted}"


def _check_files(gold: Path, work: Path, name: str) -> None:
    wanted, got = (
        {
            str(path.relative_to(top)): path.read_text()
            for path in ([top / name] if (top / name).is_file() else (top / name).rglob("*"))
            if path.is_file()
        }
        for top in (gold, work)
    )
    assert sorted(got) == sorted(wanted)
    for file, text in wanted.items():
        wrong = (_xml if file.endswith(".xml") else _text)(text, got[file])
        assert not wrong, f"{file}: {wrong}"
