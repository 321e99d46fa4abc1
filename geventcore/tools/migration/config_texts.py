"""The texts of ``bcfg2.conf`` that the parsers of Python 2 and 3 read differently."""

from __future__ import annotations

import re
from pathlib import Path

from geventcore.tools.migration.differences import Differences

_SECTION = re.compile(r"\[(?P<name>[^\]]+)\]")
_KEY = re.compile(r"(?P<key>[^\s:=#;\[][^:=]*?)\s*[:=]\s*(?P<value>.*)")


def check_texts(path: Path, differences: Differences) -> None:
    """Report comments behind values, and keys and sections that occur twice."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError as err:
        differences.add("options", "error", str(path), f"cannot be read: {err.strerror}")
        return
    section, seen = "", set()
    for number, line in enumerate(lines, 1):
        where = f"{path}:{number}"
        match = _SECTION.match(line)
        if match is not None:
            section = match["name"]
            continue
        match = _KEY.match(line)
        if match is None or line[:1].isspace():
            continue
        place = (section.lower(), match["key"].lower())
        if place in seen:
            differences.add("options", "warning", where, f"[{section}] {match['key']} occurs twice in this file")
        seen.add(place)
        if re.search(r"\s;", match["value"]):
            text = (
                f"[{section}] {match['key']}: the text after ; was a comment in Python 2; here it belongs to the value"
            )
            differences.add("results", "warning", where, text)
