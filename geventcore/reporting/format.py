"""The format of reports in spool files and Redis lists: one line of JSON with a version number.

The reader checks all types and builds only plain values. So a manipulated file is refused and cannot execute code.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from geventcore.storage.report_model import EntryKind, EntryState, FileContent, Interaction

#: The version number in every line. Other numbers belong to other programs.
VERSION = 1

_FIELDS = {field.name: field for field in dataclasses.fields(Interaction)}
_TEXTS = ("client", "server", "state", "revision")
_OPTIONAL_TEXTS = ("profile", "version")
_COUNTS = ("timestamp", "total", "good")
_SWITCHES = ("dry_run", "only_important")
_NAMES = ("groups", "bundles")
#: The largest number that SQLite and PostgreSQL can store.
_MAX_INTEGER = 2**63 - 1
_MAX_COUNT = 2**31 - 1


def encode(interaction: Interaction) -> bytes:
    """Return the report as one line with a line end."""
    values: dict[str, Any] = {"report": VERSION}
    for name in _FIELDS:
        value = getattr(interaction, name)
        values[name] = [_encode_entry(*entry) for entry in value] if name == "entries" else value
    return json.dumps(values, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"


def _encode_entry(kind: EntryKind, state: EntryState) -> list[Any]:
    content = state.content
    return [
        *(kind.value, state.tag, state.name, dict(state.attributes)),
        [[tag, dict(attributes)] for tag, attributes in state.children],
        None if content is None else [content.kind, content.data, content.size],
    ]


def decode(line: bytes) -> Interaction:
    """Parse a line.

    Raises:
        ValueError: the line is not in the format of `encode`.
    """
    try:
        return _decode(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _decode(line: bytes) -> Interaction:
    try:
        values = json.loads(line)
    except ValueError as err:
        raise ValueError(f"not JSON: {err}") from None
    if not isinstance(values, dict) or values.pop("report", None) != VERSION:
        raise ValueError(f"not a report of version {VERSION}")
    if values.keys() != _FIELDS.keys():
        names = ", ".join(sorted(values.keys() ^ _FIELDS.keys()))
        raise ValueError(f"missing or unknown: {names:.200}")
    found: dict[str, Any] = {
        **{name: _text(values[name]) for name in _TEXTS},
        **{name: None if values[name] is None else _text(values[name]) for name in _OPTIONAL_TEXTS},
        **{name: _integer(values[name], _MAX_INTEGER if name == "timestamp" else _MAX_COUNT) for name in _COUNTS},
        **{name: _boolean(values[name]) for name in _SWITCHES},
        **{name: tuple(_text(item) for item in _list(values[name])) for name in _NAMES},
        "entries": tuple(_decode_entry(item) for item in _list(values["entries"])),
        "stamps": tuple((_text(name), _integer(at)) for name, at in map(_pair, _list(values["stamps"]))),
    }
    if not found["client"] or found["state"] not in ("clean", "dirty"):
        raise ValueError("no client, or an unknown state")
    return Interaction(**found)


def _decode_entry(item: Any) -> tuple[EntryKind, EntryState]:
    kind, tag, name, attributes, children, content = _list(item, 6)
    state = EntryState(
        _text(tag),
        _text(name),
        _attributes(attributes),
        tuple((_text(child), _attributes(values)) for child, values in map(_pair, _list(children))),
        None if content is None else _decode_content(content),
    )
    return EntryKind(_integer(kind)), state


def _decode_content(item: Any) -> FileContent:
    kind, data, size = _list(item, 3)
    return FileContent(_text(kind), _text(data), _integer(size, _MAX_COUNT))


def _attributes(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise ValueError("attributes are not an object")
    return tuple(sorted((_text(name), _text(text)) for name, text in value.items()))


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(f"not a text: {value!r:.40}")
    value.encode("utf-8")
    return value


def _integer(value: Any, maximum: int = _MAX_INTEGER) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= maximum:
        raise ValueError(f"not a number from 0 to {maximum}: {value!r:.40}")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"neither true nor false: {value!r:.40}")
    return value


def _list(value: Any, length: int | None = None) -> list[Any]:
    if not isinstance(value, list) or (length is not None and len(value) != length):
        raise ValueError(f"not a list, or of another length: {value!r:.40}")
    return value


def _pair(value: Any) -> list[Any]:
    return _list(value, 2)
