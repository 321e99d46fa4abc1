"""Making the index of one architecture of a source (the format: `geventcore.plugins.packages.index`)."""

from __future__ import annotations

import json
import struct
from array import array
from collections.abc import Iterable, Iterator

from geventcore.plugins.packages.index import (
    ALTERNATIVES,
    IS_ESSENTIAL,
    IS_IMPORTANT,
    IS_PACKAGE,
    MAGIC,
    Condition,
    slot_of,
)
from geventcore.plugins.packages.records import SourceRecords


class _Lists:
    """Lists of pairs of numbers, one after the other."""

    def __init__(self) -> None:
        self.begins = array("I", [0])
        self.values = array("I")

    def add(self, pairs: Iterable[tuple[int, int]]) -> int:
        """Append a list; returns its number."""
        for pair in pairs:
            self.values.extend(pair)
        self.begins.append(len(self.values) // 2)
        return len(self.begins) - 2


class _Texts:
    """Texts with numbers; equal ones are stored once."""

    def __init__(self) -> None:
        self._numbers = {"": 0}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def __iter__(self) -> Iterator[bytes]:
        return (_encode(text) for text in self._numbers)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _joined(texts: Iterable[bytes]) -> tuple[bytes, array[int]]:
    """The texts as one, and the offsets of where they begin and end."""
    pieces = list(texts)
    offsets, offset = array("I", [0]), 0
    for piece in pieces:
        offset += len(piece)
        offsets.append(offset)
    return b"".join(pieces), offsets


def _hash_table(names: list[bytes]) -> array[int]:
    size = 4
    while size < 2 * len(names):
        size *= 2
    slots = array("I", bytes(4 * size))
    for number, name in enumerate(names):
        slot = slot_of(name, size - 1)
        while slots[slot]:
            slot = (slot + 1) & (size - 1)
        slots[slot] = number + 1
    return slots


def _all_names(records: SourceRecords) -> set[str]:
    names = set(records.mentions)
    # Most conditions stand in several packages.
    requirements: set[tuple[Condition, ...]] = set()
    conditions: set[Condition] = set()
    for package in records.packages.values():
        requirements.update(package.requires)
        requirements.update(package.recommends)
        conditions.update(package.provides)
        conditions.update(package.conflicts)
    names.update(records.packages)
    names.update(condition.name for alternatives in requirements for condition in alternatives)
    names.update(condition.name for condition in conditions)
    return names


class _Numbers:
    """The numbers that stand for names, texts and requirements in an index."""

    def __init__(self, names: list[str]) -> None:
        self.names = {name: index for index, name in enumerate(names)}
        self.texts = _Texts()
        self.alternatives = _Lists()
        self._pairs: dict[Condition, tuple[int, int]] = {}
        self._requirements: dict[tuple[Condition, ...], tuple[int, int]] = {}

    def pair(self, condition: Condition) -> tuple[int, int]:
        found = self._pairs.get(condition)
        if found is None:
            number = self.names[condition.name], self.texts.number(condition.version)
            found = self._pairs[condition] = number
        return found

    def requirement(self, conditions: tuple[Condition, ...]) -> tuple[int, int]:
        found = self._requirements.get(conditions)
        if found is None:
            if len(conditions) == 1:
                found = self.pair(conditions[0])
            else:
                found = ALTERNATIVES + self.alternatives.add(map(self.pair, conditions)), 0
            self._requirements[conditions] = found
        return found


def encode_index(kind: str, records: SourceRecords, made: float) -> bytes:
    """The content of an index file; `made` in seconds since the epoch."""
    names = sorted(_all_names(records), key=_encode)
    numbers = _Numbers(names)
    number, texts, pair, requirement = numbers.names, numbers.texts, numbers.pair, numbers.requirement
    lists = {which: _Lists() for which in ("requires", "recommends", "conflicts", "providers")}
    flags, priorities, versions = bytearray(len(names)), bytearray(len(names)), array("I", bytes(4 * len(names)))
    mentions = array("I", bytes(4 * len(names)))
    for place, name in enumerate(records.mentions, 1):
        mentions[number[name]] = place
    providers: dict[int, list[tuple[int, int]]] = {}
    for package in records.packages.values():
        for provided in package.provides:
            providers.setdefault(number[provided.name], []).append(
                (number[package.name], texts.number(provided.version))
            )
    for index, name in enumerate(names):
        found = records.packages.get(name)
        if found is not None:
            flags[index] = (
                IS_PACKAGE | (IS_ESSENTIAL if found.essential else 0) | (IS_IMPORTANT if found.important else 0)
            )
            priorities[index] = found.priority
            versions[index] = texts.number(found.version)
        lists["requires"].add(map(requirement, found.requires if found else ()))
        lists["recommends"].add(map(requirement, found.recommends if found else ()))
        lists["conflicts"].add(map(pair, found.conflicts if found else ()))
        lists["providers"].add(providers.get(index, ()))

    encoded = [_encode(name) for name in names]
    all_names, names_at = _joined(encoded)
    all_texts, texts_at = _joined(texts)
    sections: dict[str, bytes | bytearray] = {
        "names": all_names,
        "names_at": names_at.tobytes(),
        "texts": all_texts,
        "texts_at": texts_at.tobytes(),
        "slots": _hash_table(encoded).tobytes(),
        "flags": flags,
        "priorities": priorities,
        "versions": versions.tobytes(),
        "mentions": mentions.tobytes(),
    }
    for which, found_lists in {**lists, "alternatives": numbers.alternatives}.items():
        sections[f"{which}_at"] = found_lists.begins.tobytes()
        sections[which] = found_lists.values.tobytes()
    groups = {
        name: {"mandatory": group.mandatory, "default": group.default, "optional": group.optional}
        for name, group in records.groups.items()
    }
    return _assemble({"kind": kind, "made": made, "groups": groups}, sections)


def _assemble(header: dict[str, object], sections: dict[str, bytes | bytearray]) -> bytes:
    places, offset, body = {}, 0, bytearray()
    for name, content in sections.items():
        places[name] = [offset, len(content)]
        body += content
        body += bytes(-len(body) % 8)
        offset = len(body)
    encoded = json.dumps({**header, "sections": places}).encode("ascii")
    head = MAGIC + struct.pack("=I", len(encoded)) + encoded
    return head + bytes(-len(head) % 8) + bytes(body)
