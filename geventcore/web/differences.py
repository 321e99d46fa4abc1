"""Differences of files, as rows of lines: from the format of `difflib.ndiff` in reports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from geventcore.storage.report_model import EntryState, FileContent
from geventcore.web.texts import size_text

#: A longer difference is cut on pages, in lines.
MOST_LINES = 2000
#: Unchanged lines around a change.
CONTEXT = 3


@dataclass(frozen=True)
class DiffLine:
    """A line of a difference.

    Attributes:
        kind: ``removed`` (only on the host), ``added`` (only in the configuration), ``same`` or ``skipped``.
        text: the line; for ``skipped``, how many lines are left out.
        marks: positions of changed characters in `text`: pairs of start and end.
    """

    kind: str
    text: str
    marks: tuple[tuple[int, int], ...] = ()

    def pieces(self) -> Iterator[tuple[bool, str]]:
        """Yield the pieces of the text, and whether each has changed."""
        at = 0
        for start, end in self.marks:
            if at < start:
                yield False, self.text[at:start]
            yield True, self.text[start:end]
            at = end
        if at < len(self.text) or not self.marks:
            yield False, self.text[at:]


_KINDS = {"- ": "removed", "+ ": "added", "  ": "same"}


def diff_lines(text: str) -> list[DiffLine]:
    """Return the lines of a difference, without unchanged lines that are far from changes."""
    lines: list[DiffLine] = []
    for line in text.splitlines():
        if line.startswith("? ") and lines:
            last = lines[-1]
            lines[-1] = DiffLine(last.kind, last.text, tuple(_marks(line[2:], len(last.text))))
        else:
            kind = _KINDS.get(line[:2])
            lines.append(DiffLine(kind, line[2:]) if kind else DiffLine("same", line))
    return list(_shortened(lines))[:MOST_LINES]


def _marks(guide: str, length: int) -> Iterator[tuple[int, int]]:
    start = None
    for position, character in enumerate(f"{guide} "):
        is_marked = character in "^+-"
        if is_marked and start is None:
            start = position
        elif not is_marked and start is not None:
            if start < length:
                yield start, min(position, length)
            start = None


def _shortened(lines: list[DiffLine]) -> Iterator[DiffLine]:
    near: set[int] = set()
    for number, line in enumerate(lines):
        if line.kind != "same":
            near.update(range(number - CONTEXT, number + CONTEXT + 1))
    if not near:
        yield from lines
        return
    skipped = 0
    for number, line in enumerate(lines):
        if number in near:
            if skipped:
                yield DiffLine("skipped", f"{skipped} unchanged lines")
                skipped = 0
            yield line
        else:
            skipped += 1
    if skipped:
        yield DiffLine("skipped", f"{skipped} unchanged lines")


def why_not_shown(state: EntryState) -> str:
    """Return why there is no difference of a file to show; an empty text if there is one, or if it has none."""
    if is_sensitive(state):
        return "The file is sensitive: its content is neither stored nor shown."
    content = state.content
    if content is None or is_text(content):
        return ""
    if content.kind == "too large":
        size = f"{size_text(content.size)}, " if content.size else ""
        digest = content.data if " " in content.data else f"SHA-256 {content.data}"
        return f"The difference is too large to be stored ({size}more than [reporting] file_limit); {digest}."
    return f"The file on the host is no text ({size_text(content.size)}), so there is no difference to show."


def is_text(content: FileContent) -> bool:
    """Return whether a content is a difference of text."""
    return content.kind in ("diff", "inexact diff")


def is_sensitive(state: EntryState) -> bool:
    """Return whether an entry is marked as sensitive."""
    return (state.get("sensitive") or "").strip().lower() == "true"
