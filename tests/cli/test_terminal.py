"""Trees and styled text: whole lines for programs, lines that fit for people."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from geventcore.cli.terminal import Text, Tree
from tests.support.project import PROJECT


@pytest.fixture
def tree() -> Tree:
    root = Tree(Text.assemble(("host", "bold"), "  profile web"))
    groups = root.add("groups (2)")
    groups.add("one two three four five six seven")
    groups.add(Text("red", "red")).add("below")
    root.add("last")
    return root


def test_lines_for_programs_are_whole_and_plain(tree: Tree) -> None:
    assert tree.lines() == [
        "host  profile web",
        "├── groups (2)",
        "│   ├── one two three four five six seven",
        "│   └── red",
        "│       └── below",
        "└── last",
    ]


def test_lines_fit_and_go_on_below_their_beginning(tree: Tree) -> None:
    assert tree.lines(width=30)[2:4] == ["│   ├── one two three four", "│   │       five six seven"]
    tree.branches[0].branches[0].add("x")
    assert tree.lines(width=30)[2:5] == ["│   ├── one two three four", "│   │   │   five six seven", "│   │   └── x"]


def test_a_long_word_is_not_broken() -> None:
    assert Text("a /a/very/long/path/of/a/file b").lines(10, colored=False) == ["a", "/a/very/long/path/of/a/file", "b"]


def test_styles_do_not_count_as_columns() -> None:
    assert Text.assemble(("one ", "bold"), ("two", "red")).lines(7, colored=True) == [
        "\x1b[1mone \x1b[0m\x1b[31mtwo\x1b[0m"
    ]


SHOW = """
from geventcore.cli.terminal import Text, print_tree, progress_bar, Tree
with progress_bar("building") as show:
    for done in range(1, 4):
        show(done, 3, f"host {done}")
print_tree(Tree(Text("host", "bold")))
"""


def output_on_a_terminal(**environ: str) -> str:
    """What a program shows on a terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", **environ}
    environment.pop("PYTHONWARNINGS", None)
    with subprocess.Popen(
        [sys.executable, "-c", SHOW], cwd=PROJECT, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:
                # The other end is closed.
                break
            shown += piece
            if not piece:
                break
        os.close(ours)
    assert process.returncode == 0, shown
    return shown.decode()


def test_people_see_progress_and_colors() -> None:
    shown = output_on_a_terminal(NO_COLOR="")
    assert "building" in shown
    assert "3/3" in shown
    assert "host 3" in shown
    assert "\x1b[1mhost\x1b[0m" in shown


def test_colors_can_be_refused() -> None:
    assert "\x1b[1m" not in output_on_a_terminal(NO_COLOR="1")
    assert "\x1b[1m" not in output_on_a_terminal(NO_COLOR="", TERM="dumb")


def test_programs_see_neither() -> None:
    done = subprocess.run([sys.executable, "-c", SHOW], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("host\n", "")
