"""The files of a configuration, written below a directory."""

from __future__ import annotations

import base64
import contextlib
import grp
import os
import pwd
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from lxml import etree

#: The types of ``Path`` that do not make a file.
_WITHOUT_FILE = frozenset({"nonexistent", "permissions", "ignore"})


@dataclass
class Outcome:
    """The entries that were written, and the others.

    Attributes:
        written: the names of the entries.
        skipped: ``(Tag:name, reason)`` for the others.
    """

    written: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def write_files(configuration: etree._Element, directory: Path, *, keep_replaced: bool = False) -> Outcome:
    """Write the ``Path`` entries of a configuration below a directory. `OSError` if one cannot be written.

    Owners and groups are set if this process is root's. With `keep_replaced`, a replaced file stays as ``NAME~``.
    """
    outcome = Outcome()
    directory.mkdir(parents=True, exist_ok=True)
    entries = sorted(configuration.iter("Path"), key=lambda entry: str(entry.get("name")))
    for entry in entries:
        name, kind = str(entry.get("name")), entry.get("type", "")
        label = f"Path:{name}"
        if entry.get("failure"):
            outcome.skipped.append((label, f"it cannot be bound: {entry.get('failure')}"))
        elif kind in _WITHOUT_FILE:
            outcome.skipped.append((label, f"type {kind} has no file"))
        elif ".." in PurePosixPath(name).parts or not name.strip("/"):
            outcome.skipped.append((label, "the name is not that of a file below the directory"))
        elif kind not in _WRITERS:
            outcome.skipped.append((label, f"type {kind} is not written"))
        else:
            path = directory / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            if keep_replaced and path.is_file():
                os.replace(path, path.with_name(f"{path.name}~"))
            _WRITERS[kind](entry, path, directory)
            outcome.written.append(name)
    return outcome


def _write_file(entry: etree._Element, path: Path, _top: Path) -> None:
    text = "" if entry.get("empty") == "true" else entry.text or ""
    data = base64.b64decode(text) if entry.get("encoding") == "base64" else text.encode()
    mode = _mode_of(entry, 0o644)
    # The file is private until its own mode is set: it may be a key.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        _set_owner(entry, path)
        os.fchmod(file.fileno(), mode)


def _make_directory(entry: etree._Element, path: Path, _top: Path) -> None:
    path.mkdir(exist_ok=True)
    _set_owner(entry, path)
    # The files inside are still to be written.
    path.chmod(_mode_of(entry, 0o755) | 0o700)


def _make_symlink(entry: etree._Element, path: Path, _top: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(entry.get("to", ""))


def _make_hard_link(entry: etree._Element, path: Path, top: Path) -> None:
    path.unlink(missing_ok=True)
    os.link(top / entry.get("to", "").lstrip("/"), path)


def _mode_of(entry: etree._Element, default: int) -> int:
    try:
        return int(entry.get("mode", ""), 8) & 0o7777
    except ValueError:
        return default


def _set_owner(entry: etree._Element, path: Path) -> None:
    """Set owner and group, as far as this machine knows them."""
    if os.geteuid() != 0:
        return
    owner, group = -1, -1
    with contextlib.suppress(KeyError):
        owner = pwd.getpwnam(entry.get("owner", "")).pw_uid
    with contextlib.suppress(KeyError):
        group = grp.getgrnam(entry.get("group", "")).gr_gid
    os.chown(path, owner, group)


_WRITERS = {
    "file": _write_file,
    "directory": _make_directory,
    "symlink": _make_symlink,
    "hardlink": _make_hard_link,
}
