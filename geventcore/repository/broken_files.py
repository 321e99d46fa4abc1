"""The broken files of a repository, in words: which, why, since when, and what they affect."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from geventcore.filemonitor import BrokenFile
from geventcore.log import shortened
from geventcore.units import counted

#: How many files `summary` describes.
MOST_DESCRIBED = 5
#: The longest reason, in characters.
LONGEST_REASON = 300


def relative_name(file: BrokenFile, root: Path) -> str:
    """Return the path of a file below the repository, or its full path."""
    path = Path(file.path)
    return str(path.relative_to(root)) if path.is_relative_to(root) else file.path


def describe(file: BrokenFile, root: Path) -> str:
    """Return one line about a broken file."""
    name = relative_name(file, root)
    reason = " ".join(file.reason.removeprefix(file.path).lstrip(": ").split())
    since = datetime.fromtimestamp(file.since).astimezone().isoformat(sep=" ", timespec="seconds")
    used = "the version that was read before stays in use" if file.keeps_last else "nothing of it is used"
    plugin = name.partition("/")[0] if "/" in name and not name.startswith("/") else ""
    affected = f"plugin {plugin}: {used}" if plugin else used
    return f"{name}: {shortened(reason, LONGEST_REASON)}; broken since {since}; {affected}"


def summary(files: Sequence[BrokenFile], root: Path) -> str:
    """Return one line about all broken files; empty if there are none."""
    if not files:
        return ""
    described = " | ".join(describe(file, root) for file in files[:MOST_DESCRIBED])
    more = len(files) - MOST_DESCRIBED
    return f"{counted(len(files), 'file')} cannot be used: {described}" + (f" | and {more} more" if more > 0 else "")
