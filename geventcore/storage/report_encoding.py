"""The packed format of reports: numbers in few bytes, texts compressed.

A site stores a report of each client every half an hour for years, so a report's row must take only a few dozen bytes.
Numbers are varints: seven bits in each byte, and the eighth bit is set if more bytes follow.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from geventcore.storage.report_model import EntryKind, EntryState, FileContent

DIGEST_BYTES = 16
#: Longer details are not read, in bytes. Sites store no file difference of this size.
MAX_DETAIL_BYTES = 1 << 30

#: The number of cached digests of entry states. They take about five megabytes.
STATES = 4096

_PLAIN, _COMPRESSED = b"\0", b"\1"
#: Shorter texts are not compressed, in bytes: they would not get smaller.
_WORTH_COMPRESSING = 80


def digest(*parts: Any) -> bytes:
    """Return the digest that identifies data that is stored once."""
    return hashlib.blake2b(_canonical(parts), digest_size=DIGEST_BYTES).digest()


def entry_number(tag: str, name: str) -> int:
    """Hash the tag and name of an entry, which may be long, to a 64-bit number for an indexed column."""
    return int.from_bytes(hashlib.blake2b(_canonical([tag, name]), digest_size=8).digest(), "big", signed=True)


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def _canonical(value: Any) -> bytes:
    return _encode(value).encode("utf-8")


def state_digest(state: EntryState) -> bytes:
    """Return the digest of an entry's state. It is cached: an import meets the same state in many reports."""
    kept: dict[str, Any] = vars(state)
    found: bytes | None = kept.get("_digest")
    if found is None:
        # File contents can be large, so they are not cached.
        found = kept["_digest"] = _state_digest(state) if state.content is None else _state_digest.__wrapped__(state)
    return found


@lru_cache(STATES)
def _state_digest(state: EntryState) -> bytes:
    content = state.content
    return digest(
        *(state.tag, state.name, state.attributes, state.children),
        None if content is None else [content.kind, content.data, content.size],
    )


def pack_numbers(numbers: Iterable[int]) -> bytes:
    """Pack non-negative numbers."""
    packed = bytearray()
    for number in numbers:
        while number > 0x7F:
            packed.append(number & 0x7F | 0x80)
            number >>= 7
        packed.append(number)
    return bytes(packed)


def unpack_numbers(packed: bytes) -> list[int]:
    """Unpack the result of `pack_numbers`."""
    numbers, number, shift = [], 0, 0
    for byte in packed:
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
        else:
            numbers.append(number)
            number = shift = 0
    return numbers


def pack_entries(entries: Mapping[EntryKind, Iterable[int]]) -> bytes:
    """Pack kind -> numbers of entry states."""
    numbers = []
    for kind in EntryKind:
        ordered = sorted(set(entries.get(kind, ())))
        numbers.append(len(ordered))
        numbers += [number - before for before, number in zip([0, *ordered], ordered, strict=False)]
    return pack_numbers(numbers) if any(numbers) else b""


def unpack_entries(packed: bytes) -> dict[EntryKind, list[int]]:
    """Unpack the result of `pack_entries`. The result has every kind."""
    numbers = iter(unpack_numbers(packed))
    found: dict[EntryKind, list[int]] = {}
    for kind in EntryKind:
        found[kind] = []
        last = 0
        for _ in range(next(numbers, 0)):
            last += next(numbers)
            found[kind].append(last)
    return found


def pack_stamps(times: Sequence[int]) -> bytes:
    """Pack times in milliseconds since the epoch in the order of their names, as the earliest time and offsets."""
    if not times:
        return b""
    start = min(times)
    return pack_numbers([start, *(time - start for time in times)])


def unpack_stamps(packed: bytes) -> list[int]:
    """Unpack the result of `pack_stamps`."""
    start, *distances = unpack_numbers(packed) or [0]
    return [start + distance for distance in distances]


def pack_state(state: EntryState) -> bytes:
    """Pack an entry's state without tag and name."""
    content = state.content
    values: list[Any] = [
        dict(state.attributes),
        [[tag, dict(attributes)] for tag, attributes in state.children],
        None if content is None else [content.kind, content.data, content.size],
    ]
    while values and not values[-1]:
        del values[-1]
    text = _canonical(values)
    compressed = zlib.compress(text, 6) if len(text) > _WORTH_COMPRESSING else text
    return _COMPRESSED + compressed if len(compressed) < len(text) else _PLAIN + text


def unpack_state(tag: str, name: str, packed: bytes) -> EntryState:
    """Unpack the result of `pack_state`."""
    text = packed[1:]
    if packed[:1] == _COMPRESSED:
        text = zlib.decompressobj().decompress(text, MAX_DETAIL_BYTES)
    attributes, children, content = [*json.loads(text), None, None, None][:3]
    return EntryState(
        tag,
        name,
        tuple(sorted((attributes or {}).items())),
        tuple((child, tuple(sorted(values.items()))) for child, values in children or []),
        FileContent(*content) if content else None,
    )
