"""``geventcore admin compare`` and ``bcfg2-admin compare``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from geventcore.cli.main import main
from geventcore.tools.compare import host_ranges
from tests.support.tool_cases import ToolCase, cases_of, check, run_program

COMPARISONS = [case for case in cases_of("admin", "bcfg2-admin") if case.entry["argv"][0] == "compare"]


@pytest.mark.parametrize("case", COMPARISONS, ids=lambda case: case.name)
def test_the_output_is_that_of_the_original(case: ToolCase, tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(case.gold / name, tmp_path / name)
    shutil.copy(case.gold / "empty.conf", tmp_path)
    check(case, run_program("bcfg2-admin", ["-C", "empty.conf", *case.entry["argv"]], tmp_path))


def _compare(
    old: str, new: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], *flags: str
) -> tuple[int, str, str]:
    for name, content in (("old.xml", old), ("new.xml", new)):
        (tmp_path / name).write_text(f"<Configuration><Bundle name='b'>{content}</Bundle></Configuration>")
    (tmp_path / "empty.conf").write_text("")
    words = ["-C", str(tmp_path / "empty.conf"), *flags, str(tmp_path / "old.xml"), str(tmp_path / "new.xml")]
    status = main(["admin", "compare", *words])
    output = capsys.readouterr()
    return status, output.out, output.err


def test_elements_inside_entries_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    acl = "<Path name='/d'>{}<ACL user='{}' perms='rw'/></Path>"
    same = "<Path name='/d'><ACL perms='rw' user='a'/></Path>"
    assert _compare(acl.format("\n  ", "a"), same, tmp_path, capsys)[1] == ""
    _, out, _ = _compare(acl.format("", "a"), acl.format("", "b"), tmp_path, capsys)
    assert out.splitlines()[:3] == [
        "Changed: Element Path:/d has different elements inside",
        '  -<ACL perms="rw" user="a"></ACL>',
        '  +<ACL perms="rw" user="b"></ACL>',
    ]


def test_long_contents_are_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = "<Path name='/f'>" + "".join(f"{number}\n" for number in range(9)) + "</Path>"
    _, whole, _ = _compare(old, "<Path name='/f'>x\n</Path>", tmp_path, capsys)
    assert whole.count("\n  -") == 9
    _, cut, _ = _compare(old, "<Path name='/f'>x\n</Path>", tmp_path, capsys, "-n", "2")
    assert cut.splitlines()[1:5] == ["  -0", "  -1", "  -2", "  ..."]


def test_the_flag_of_the_original(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = "<Path name='/f'>" + "".join(f"{number}\n" for number in range(9)) + "</Path>"
    _compare(old, "<Path name='/f'>x\n</Path>", tmp_path, capsys)
    run = run_program("bcfg2-admin", ["-C", "empty.conf", "compare", "-d", "2", "old.xml", "new.xml"], tmp_path)
    assert run.out.splitlines()[1:5] == ["  -0", "  -1", "  -2", "  ..."]


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = _compare("<Package name='a' version='1'/>", "<Package name='a'/>", tmp_path, capsys, "--format", "json")
    assert json.loads(out) == [
        {
            "kind": "changed",
            "what": "Element Package:a has different attributes",
            "content": [],
            "attributes": ['-version="1"'],
            "hosts": ["new"],
        }
    ]


def test_a_broken_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = _compare("<Package", "", tmp_path, capsys)
    assert status == 1
    assert "old.xml: line 1: not well-formed" in err


@pytest.mark.parametrize(
    ("hosts", "text"),
    [
        (["w1.x", "w2.x", "w3.x", "w5.x"], "w[1-3,5].x"),
        (["w1.x"], "w1.x"),
        (["w01.x", "w02.x", "db.x"], "db.x,w01.x,w02.x"),
    ],
)
def test_hosts_are_written_as_ranges(hosts: list[str], text: str) -> None:
    assert host_ranges(hosts) == text
