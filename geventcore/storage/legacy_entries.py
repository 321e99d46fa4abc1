"""From a row of one of Bcfg2's tables of entries to an `EntryState`.

Bcfg2 took an entry of an upload apart into columns. Here it becomes what the upload said, as far as that was kept, so
that an entry looks the same whether it was imported or is reported again tomorrow.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from geventcore.storage.legacy_values import UnreadableError, flag, integer, long_text, name, text
from geventcore.storage.report_model import EntryKind, EntryState, FileContent

#: A column and its value. The columns of joined tables have prefixes; see `geventcore.storage.legacy_reports`.
Row = Mapping[str, Any]

#: Numbers of states -> kinds.
KINDS = {1: EntryKind.BAD, 2: EntryKind.MODIFIED, 3: EntryKind.EXTRA}

#: Elements below a directory that name what should not be in it, of which at most so many are kept.
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


#: What Bcfg2 has as the exit status of an action that it does not know.
_UNKNOWN_STATUS = -1

#: Tag -> its columns, the attributes that they were made from, and how a value becomes text again.
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
#: The same of tags whose columns have the names of attributes.
_SAME_NAMES = (
    *("selinuxtype", "current_selinuxtype", "selinuxuser", "current_selinuxuser", "proto", "filetype"),
    *("roles", "current_roles", "prefix", "current_prefix"),
)

_DIFFERENCE, _BINARY, _SENSITIVE, _TOO_LARGE, _VERSION_CONTROL, _PRUNED = range(1, 7)


def entry_state(tag: str, row: Row) -> tuple[EntryKind, EntryState]:
    """The entry of a row; `UnreadableError` if it has none."""
    kind = KINDS.get(integer(row["state"]))
    if kind is None:
        raise UnreadableError("has no state that an entry of a report can have")
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
    """An entry that could not be bound; Bcfg2 does not keep of which kind it was."""
    attributes = (("failure", text(row["message"])),)
    return EntryKind.BAD, EntryState(name(row["entry_type"]), name(row["name"]), attributes)


def text_lines(value: Any) -> list[str]:
    """The lines of a text that have something on them."""
    return [text(line) for line in long_text(value)[0].split("\n") if line]


def _content(detail: int, details: Any) -> FileContent | None:
    found, is_exact = long_text(details)
    if not found:
        return None
    if detail in (_DIFFERENCE, _VERSION_CONTROL):
        return FileContent("diff" if is_exact else "inexact diff", found, len(found.encode()))
    if detail == _TOO_LARGE:
        # Bcfg2 kept a hash, and not how large it was.
        return FileContent("too large", f"MD5 {found}", 0)
    if detail != _BINARY:
        return None
    try:
        data = base64.b64decode(found, validate=False)
    except (binascii.Error, ValueError):
        raise UnreadableError("has contents that are not base64") from None
    return FileContent("content", base64.b64encode(data).decode("ascii"), len(data))
