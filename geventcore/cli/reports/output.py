"""Output of rows as a table that fits the terminal, as JSON or as CSV."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone, tzinfo
from typing import Any

import click

#: A value of a row: None is printed as an empty text, a bool as yes or no.
Value = str | int | bool | None
Row = Mapping[str, Value]

FORMATS = ("table", "json", "csv")
#: The smallest width of a column, in characters.
NARROWEST = 8


def time_text(milliseconds: int | None, zone: tzinfo | None) -> str | None:
    """Format a time for people, in a zone (None: the machine's zone)."""
    if milliseconds is None:
        return None
    moment = datetime.fromtimestamp(milliseconds / 1000, timezone.utc).astimezone(zone)
    return moment.isoformat(sep=" ", timespec="seconds")


def print_rows(rows: Sequence[Row], columns: Sequence[str], style: str) -> None:
    """Print rows; `style` is one of `FORMATS`."""
    if style == "json":
        click.echo(json.dumps([{name: row[name] for name in columns} for row in rows], indent=2, ensure_ascii=False))
    elif style == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(row[name]) for name in columns] for row in rows)
        click.echo(text.getvalue(), nl=False)
    else:
        _print_table(rows, columns)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def printable(text: str) -> str:
    """Replace characters that could control the terminal, since reports contain text from clients."""
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text)


def _print_table(rows: Sequence[Row], columns: Sequence[str]) -> None:
    cells = [[printable(_cell(row[name])) for name in columns] for row in rows]
    numeric = [all(isinstance(row[name], int) and not isinstance(row[name], bool) for row in rows) for name in columns]
    widths = [max([len(name), *(len(line[index]) for line in cells)]) for index, name in enumerate(columns)]
    if sys.stdout.isatty():
        _fit(widths, shutil.get_terminal_size().columns)
    for line in [list(columns), *cells]:
        parts = []
        for text, width, is_number in zip(line, widths, numeric, strict=True):
            shown = text if len(text) <= width else f"{text[: width - 1]}…"
            parts.append(shown.rjust(width) if is_number else shown.ljust(width))
        click.echo("  ".join(parts).rstrip())


def _fit(widths: list[int], available: int) -> None:
    """Shrink the widest columns until a line fits."""
    while sum(widths) + 2 * (len(widths) - 1) > available:
        widest = max(range(len(widths)), key=widths.__getitem__)
        if widths[widest] <= NARROWEST:
            return
        widths[widest] -= 1
