"""The conversion of rows in Bcfg2's entry tables to `EntryState`.

Bcfg2 stored an uploaded entry in columns. This module restores the entry of the upload as far as possible. So an
imported entry equals the entry of the next report.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from geventcore.bcfg2_import.values import UnreadableError, flag, integer, long_text, name, text
from geventcore.storage.report_model import EntryKind, EntryState, FileContent

#: Columns and their values. Columns of joined tables have prefixes; see `geventcore.bcfg2_import.reports`.
Row = Mapping[str, Any]

#: Numbers of states -> kinds.
KINDS = {1: EntryKind.BAD, 2: EntryKind.MODIFIED, 3: EntryKind.EXTRA}

#: The most child elements of a directory that name files to prune. Further ones are dropped.
MAX_CHILDREN = 1000

_ON = {True: "on", False: "off"}
_TRUE = {True: "true", False: "false"}


def _number(value: Any) -> str:
    return str(integer(value))


def _status(value: Any) -> str:
    return "" if integer(value) == _UNKNOWN_STATUS else _number(value)


def _switch(value: Any) -> str:
    return _ON[flag(value)]


def _truth(value: Any) -> str:
    return _TRUE[flag(value)]


#: Bcfg2's value for an unknown exit status of an action.
_UNKNOWN_STATUS = -1

#: Tag -> its columns, their attributes, and functions that convert a value to text.
_COLUMNS: Mapping[str, tuple[tuple[str, str, Callable[[Any], str]], ...]] = {
    "Action": (("status", "status", text), ("output", "rc", _status)),
    "Package": (
        ("target_version", "version", text),
        ("current_version", "current_version", text),
        ("verification_details", "verification_details", text),
    ),
    "Path": (
        ("path_type", "type", text),
        *((f"target_{each}", each, text) for each in ("owner", "group", "mode")),
        *((f"current_{each}", f"current_{each}", text) for each in ("owner", "group", "mode")),
        ("target_path", "to", text),
        ("current_path", "current_to", text),
    ),
    "Service": (("target_status", "status", text), ("current_status", "current_status", text)),
    "SEBoolean": (("value", "value", _switch),),
    "SEModule": (("disabled", "disabled", _truth), ("current_disabled", "current_disabled", _truth)),
    "POSIXUser": tuple(
        (f"{prefix}{each}", f"{prefix}{each}", _number if each == "uid" else text)
        for each in ("uid", "group", "gecos", "home", "shell")
        for prefix in ("", "current_")
    ),
    "POSIXGroup": (("gid", "gid", _number), ("current_gid", "current_gid", _number)),
}
#: The same for tags whose columns are named like the attributes.
_SAME_NAMES = (
    *("selinuxtype", "current_selinuxtype", "selinuxuser", "current_selinuxuser", "proto", "filetype"),
    *("roles", "current_roles", "prefix", "current_prefix"),
)

_DIFFERENCE, _BINARY, _SENSITIVE, _TOO_LARGE, _VERSION_CONTROL, _PRUNED = range(1, 7)


def entry_state(tag: str, row: Row) -> tuple[EntryKind, EntryState]:
    """Convert a row to an entry.

    Raises:
        UnreadableError: the row is not a valid entry.
    """
    kind = KINDS.get(integer(row["state"]))
    if kind is None:
        raise UnreadableError("has an unknown state")
    attributes: dict[str, str] = {}
    for column, attribute, convert in _COLUMNS.get(tag) or ((each, each, text) for each in _SAME_NAMES):
        value = row.get(column)
        if value is not None and (meaning := convert(value)):
            attributes[attribute] = meaning
    if not flag(row["exists"]):
        attributes["current_exists"] = "false"
    children: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    content = None
    if tag == "Path":
        detail = integer(row["detail_type"])
        if detail == _SENSITIVE:
            attributes["sensitive"] = "true"
        elif detail == _PRUNED:
            paths = text_lines(row["details"])
            children = tuple(("Prune", (("name", path),)) for path in paths[:MAX_CHILDREN])
        else:
            content = _content(detail, row["details"])
    return kind, EntryState(tag, name(row["name"]), tuple(sorted(attributes.items())), children, content)


def failure_state(row: Row) -> tuple[EntryKind, EntryState]:
    """Convert an entry that could not be bound. Bcfg2 does not store its kind."""
    attributes = (("failure", text(row["message"])),)
    return EntryKind.BAD, EntryState(name(row["entry_type"]), name(row["name"]), attributes)


def text_lines(value: Any) -> list[str]:
    """Return the lines of a text that are not blank."""
    return [text(line) for line in long_text(value)[0].split("\n") if line]


def _content(detail: int, details: Any) -> FileContent | None:
    found, is_exact = long_text(details)
    if not found:
        return None
    if detail in (_DIFFERENCE, _VERSION_CONTROL):
        return FileContent("diff" if is_exact else "inexact diff", found, len(found.encode()))
    if detail == _TOO_LARGE:
        # Bcfg2 stored a hash, and no size.
        return FileContent("too large", f"MD5 {found}", 0)
    if detail != _BINARY:
        return None
    try:
        data = base64.b64decode(found, validate=False)
    except (binascii.Error, ValueError):
        raise UnreadableError("has contents that are not base64") from None
    return FileContent("content", base64.b64encode(data).decode("ascii"), len(data))
