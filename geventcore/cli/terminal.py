"""Styled text, trees and progress bars on a terminal; plain text elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import click

#: The style of a piece of text -> the arguments of `click.style`.
STYLES: dict[str, dict[str, bool | str]] = {
    "": {},
    "bold": {"bold": True},
    "dim": {"dim": True},
    "red": {"fg": "red"},
    "yellow": {"fg": "yellow"},
    "cyan": {"fg": "cyan"},
}
#: Text is not wrapped to fewer columns than these, however deep in a tree it stands.
_FEWEST_COLUMNS = 20


def has_colors() -> bool:
    """Return true if standard output shows colors, and the user has not refused them (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Text:
    """A line made of pieces with styles, which are keys of `STYLES`."""

    def __init__(self, text: str = "", style: str = "") -> None:
        self._pieces: list[tuple[str, str]] = [(text, style)] if text else []

    @classmethod
    def assemble(cls, *parts: str | tuple[str, str] | Text) -> Text:
        """Join strings, pairs of a string and a style, and other texts."""
        text = cls()
        for part in parts:
            if isinstance(part, Text):
                text._pieces += part._pieces
            else:
                text.append(*((part,) if isinstance(part, str) else part))
        return text

    def append(self, text: str | Text, style: str = "") -> None:
        """Add to the end."""
        self._pieces += text._pieces if isinstance(text, Text) else [(text, style)]

    def lines(self, width: int | None, colored: bool) -> list[str]:
        """Return the text, broken between words so that no line has more than `width` columns; None breaks nothing."""
        rows: list[list[tuple[str, str]]] = [[]]
        used = 0
        for text, style in self._pieces:
            for word in _words(text) if width is not None else [text]:
                if width is not None and used and used + len(word.rstrip()) > width:
                    rows.append([])
                    used = 0
                shown = word if used else word.lstrip() if len(rows) > 1 else word
                rows[-1].append((shown, style))
                used += len(shown)
        return ["".join(_styled(text, style) if colored else text for text, style in row).rstrip() for row in rows]


def _words(text: str) -> Iterator[str]:
    """Yield the words, each with the blanks behind it."""
    word = ""
    for character in text:
        if word and word[-1] == " " and character != " ":
            yield word
            word = ""
        word += character
    if word:
        yield word


def _styled(text: str, style: str) -> str:
    return click.style(text, **STYLES[style]) if style else text  # type: ignore[arg-type]  # the values fit the names


@dataclass
class Tree:
    """A text with branches below it."""

    label: Text | str
    branches: list[Tree] = field(default_factory=list)

    def add(self, label: Text | str) -> Tree:
        """Add a branch, and return it."""
        branch = Tree(label)
        self.branches.append(branch)
        return branch

    def lines(self, width: int | None = None, colored: bool = False) -> list[str]:
        """Return the lines of the tree, each within `width` columns; None breaks no line."""
        label = self.label if isinstance(self.label, Text) else Text(self.label)
        first, *others = label.lines(width, colored)
        bar = "│   " if self.branches else "    "
        found = [first, *(f"{bar}{line}" for line in others)]
        below = None if width is None else max(_FEWEST_COLUMNS, width - len(bar))
        for branch in self.branches:
            is_last = branch is self.branches[-1]
            head, *rest = branch.lines(below, colored)
            found.append(f"{'└── ' if is_last else '├── '}{head}")
            found += [f"{'    ' if is_last else '│   '}{line}" for line in rest]
        return found


def print_tree(tree: Tree) -> None:
    """Print a tree on standard output. A terminal gets colors and lines that fit; programs get whole lines."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo("\n".join(tree.lines(width, has_colors())), color=has_colors())


@contextmanager
def progress_bar(label: str, is_shown: bool = True) -> Iterator[Callable[[int, int, str], None]]:
    """Show progress on standard error if that is a terminal.

    Yields a function that takes how much is done, how much there is in all, and words to show behind the bar.
    """
    with ExitStack() as stack:
        advance: Callable[[int, str], None] | None = None
        shown = 0

        def show(done: int, total: int, words: str) -> None:
            nonlocal advance, shown
            if not is_shown or not sys.stderr.isatty():
                return
            if advance is None:
                bar = click.progressbar(
                    length=total, label=label, show_pos=True, file=sys.stderr, item_show_func=lambda words: words
                )
                advance = stack.enter_context(bar).update
            advance(min(done, total) - shown, words)
            shown = min(done, total)

        yield show
