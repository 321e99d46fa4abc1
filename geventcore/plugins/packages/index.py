"""The index of one architecture of a source: a file that every process maps and none copies.

All numbers are unsigned and in the byte order of the machine that made the file, which is the one that reads it. The
file begins with `MAGIC`, the length of the header (4 bytes) and the header, a JSON object::

    {"kind": "apt", "made": <seconds since the epoch>, "sections": {<name>: [<offset>, <bytes>]}, "groups": {…}}

Offsets count from the end of the header, which is padded to a multiple of 8. A *name* is that of a package, or of
anything that packages require or provide; names have numbers from 0 to n-1, in the order of their bytes. A *text* is a
version or a condition on one, such as ``>= 1.2``; text 0 is empty.

===================  ==========================================================================================
names, texts         UTF-8, one after the other
names_at, texts_at   n+1 offsets into them
slots                hash table with linear probing: the number of a name + 1, or 0; its size is a power of two
flags                one byte for each name: `IS_PACKAGE`, `IS_ESSENTIAL`, `IS_IMPORTANT`
priorities           one byte for each name, see `geventcore.plugins.packages.records.Priority`
versions             a text for each name: the version of the package
mentions             a number for each name: its place in the order in which the source mentions names first, from 1;
                     0 if that does not matter or it is not mentioned
requires             pairs (requirement, text): dependencies of packages; `requires_at` has n+1 offsets, in pairs
recommends           the same for recommendations
conflicts            pairs (name, text)
providers            pairs (name of a package, text): the packages that provide a name
alternatives         pairs (name, text); `alternatives_at` tells where each list of alternatives begins
===================  ==========================================================================================

A requirement is the number of a name, or `ALTERNATIVES` + the number of a list of alternatives. In a list of an RPM
source the text `IF` or `UNLESS` of a name says that the list counts only if that name is installed, or is not.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import struct
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from geventcore.errors import RepositoryError

MAGIC = b"gcpkg\x00\x00\x02"
IS_PACKAGE, IS_ESSENTIAL, IS_IMPORTANT = 1, 2, 4
#: The flags of an essential package: finding them so takes a hundredth of the time of looking at each.
_ESSENTIAL_FLAGS = re.compile(b"[%s]" % re.escape(bytes(flags for flags in range(8) if flags & IS_ESSENTIAL)))
#: Set in a requirement that is a list of alternatives.
ALTERNATIVES = 1 << 31

#: Texts in a list of alternatives that make it a `Conditional`.
IF, UNLESS = "if", "unless"


@dataclass(frozen=True, slots=True)
class Conditional:
    """A requirement that depends on what else is installed; only RPM packages have them.

    Attributes:
        names: one of them is needed, in the order of preference.
        present: if all of these are installed,
        absent: and none of these is.
    """

    names: tuple[str, ...]
    present: tuple[str, ...]
    absent: tuple[str, ...]


#: A requirement: one name, or the names of which one is needed, in the order of preference.
Requirement = str | tuple[str, ...] | Conditional


class Condition(NamedTuple):
    """A name with a condition on its version, such as ``>= 1.2``; the condition is empty if any version will do."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class PackageGroup:
    """The packages of a group, by the kind of their membership: ``mandatory``, ``default``, ``optional``."""

    mandatory: tuple[str, ...] = ()
    default: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    def members(self, kind: str) -> tuple[str, ...]:
        """The packages that somebody gets who asks for ``mandatory``, ``default``, ``optional`` or ``all`` of them."""
        if kind in ("optional", "all"):
            return (*self.mandatory, *self.default, *self.optional)
        return (*self.mandatory, *self.default) if kind == "default" else self.mandatory


def slot_of(name: bytes, mask: int) -> int:
    """The slot of the hash table where the search for a name begins."""
    return zlib.crc32(name) & mask


class PackageIndex:
    """The packages of one architecture of a source.

    Looking a name up takes about a microsecond. Names that have been looked up once are kept, in one object for all
    indexes; resolvers keep the rest of what they have found out.

    Attributes:
        kind: the type of the source, such as ``apt``.
        made: when the index was made, in seconds since the epoch.
        identity: tells the file that it was mapped from.
    """

    identity: tuple[int, ...] = ()

    def __init__(self, data: bytes | mmap.mmap, origin: str = "") -> None:
        """`RepositoryError` if `data` is no index, or one of another version of this format."""
        view = memoryview(data)
        try:
            if bytes(view[: len(MAGIC)]) != MAGIC:
                raise ValueError("it does not begin as an index does")
            (length,) = struct.unpack_from("=I", view, len(MAGIC))
            start = len(MAGIC) + 4
            header: dict[str, Any] = json.loads(bytes(view[start : start + length]))
            base = start + length
            base += -base % 8
            self.kind: str = header["kind"]
            self.made: float = header["made"]
            self._groups: dict[str, Any] = header["groups"]
            sections = {
                name: view[base + offset : base + offset + size] for name, (offset, size) in header["sections"].items()
            }
            if any(len(section) != header["sections"][name][1] for name, section in sections.items()):
                raise ValueError("its end is missing")
            self._names, self._texts = sections["names"], sections["texts"]
            self._flags, self._priorities = sections["flags"], sections["priorities"]
            self._names_at, self._texts_at = sections["names_at"].cast("I"), sections["texts_at"].cast("I")
            self._slots, self._versions = sections["slots"].cast("I"), sections["versions"].cast("I")
            self._mentions = sections["mentions"].cast("I")
            self._lists = {
                name: (sections[f"{name}_at"].cast("I"), sections[name].cast("I"))
                for name in ("requires", "recommends", "conflicts", "providers", "alternatives")
            }
        except (ValueError, KeyError, TypeError, struct.error, AttributeError) as err:
            raise RepositoryError(f"{origin or 'package index'} is not a package index: {err}") from err
        self._mask = len(self._slots) - 1
        self._numbers: dict[str, int | None] = {}
        self._known_names: dict[int, str] = {}

    @classmethod
    def open(cls, path: Path, known: PackageIndex | None = None) -> PackageIndex:
        """Map a file; `RepositoryError` if that fails. The file may be replaced meanwhile, but not changed.

        Returns `known` if that is an index of the same file.
        """
        try:
            with path.open("rb") as stream:
                status = os.fstat(stream.fileno())
                identity = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
                if known is not None and known.identity == identity:
                    return known
                index = cls(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ), str(path))
                index.identity = identity
                return index
        except (OSError, ValueError) as err:
            raise RepositoryError(f"{path}: cannot read this package index: {err}") from err

    def __len__(self) -> int:
        """Return the number of packages."""
        return sum(flag & IS_PACKAGE for flag in self._flags)

    # -- numbers and texts

    def _number(self, name: str) -> int | None:
        if name in self._numbers:
            return self._numbers[name]
        number = self._numbers[name] = self._find_number(name.encode("utf-8", "surrogateescape"))
        return number

    def _find_number(self, encoded: bytes) -> int | None:
        slot = slot_of(encoded, self._mask)
        while entry := self._slots[slot]:
            begin, end = self._names_at[entry - 1], self._names_at[entry]
            if self._names[begin:end] == encoded:
                return entry - 1
            slot = (slot + 1) & self._mask
        return None

    def _name(self, number: int) -> str:
        name = self._known_names.get(number)
        if name is None:
            begin, end = self._names_at[number], self._names_at[number + 1]
            # Equal names are one object in all indexes, so comparing them is cheap.
            name = self._known_names[number] = sys.intern(str(self._names[begin:end], "utf-8", "surrogateescape"))
        return name

    def _text(self, number: int) -> str:
        return str(self._texts[self._texts_at[number] : self._texts_at[number + 1]], "utf-8", "surrogateescape")

    def _pairs(self, which: str, number: int) -> list[int]:
        begins, values = self._lists[which]
        return values[2 * begins[number] : 2 * begins[number + 1]].tolist()

    # -- what the resolver asks

    def is_package(self, name: str) -> bool:
        """Return true if a package with this name exists."""
        number = self._number(name)
        return number is not None and bool(self._flags[number] & IS_PACKAGE)

    def requirements(self, name: str, which: str = "requires") -> tuple[Requirement, ...]:
        """The names that a package ``requires`` or ``recommends``, without versions; none if it is unknown."""
        number = self._number(name)
        pairs = [] if number is None else self._pairs(which, number)
        return tuple(dict.fromkeys(self._requirement(value) for value in pairs[::2]))

    def _requirement(self, value: int) -> Requirement:
        if value < ALTERNATIVES:
            return self._name(value)
        if self.kind == "yum":
            conditional = self._conditional(value - ALTERNATIVES)
            if conditional is not None:
                return conditional
        names = dict.fromkeys(map(self._name, self._pairs("alternatives", value - ALTERNATIVES)[::2]))
        return tuple(names) if len(names) > 1 else next(iter(names))

    def _conditional(self, number: int) -> Conditional | None:
        conditions = self._conditions("alternatives", number)
        present, absent = (tuple(one.name for one in conditions if one.version == text) for text in (IF, UNLESS))
        if not present and not absent:
            return None
        return Conditional(tuple(one.name for one in conditions if one.version not in (IF, UNLESS)), present, absent)

    def providers(self, name: str) -> tuple[str, ...]:
        """The packages that provide a name, in the order of the index; not the package of that name itself."""
        number = self._number(name)
        pairs = [] if number is None else self._pairs("providers", number)
        return tuple(dict.fromkeys(map(self._name, pairs[::2])))

    def essential_packages(self) -> Iterator[str]:
        """The packages that every system of this kind has."""
        return (self._name(match.start()) for match in _ESSENTIAL_FLAGS.finditer(self._flags))

    def group(self, name: str) -> PackageGroup | None:
        """A group of packages; None if there is none of that name."""
        found: Mapping[str, Sequence[str]] | None = self._groups.get(name)
        return None if found is None else PackageGroup(**{kind: tuple(members) for kind, members in found.items()})

    def group_names(self) -> Sequence[str]:
        """The names of all groups."""
        return sorted(self._groups)

    def package_names(self) -> Iterator[str]:
        """The names of all packages, in the order of their bytes."""
        return (self._name(number) for number, flag in enumerate(self._flags) if flag & IS_PACKAGE)

    # -- what takes versions into account

    def version(self, name: str) -> str:
        """The version of a package; empty if it is unknown."""
        number = self._number(name)
        return "" if number is None else self._text(self._versions[number])

    def priority(self, name: str) -> int:
        """The priority of a package; the lowest number is the most important one."""
        number = self._number(name)
        return 0 if number is None else self._priorities[number]

    def is_essential(self, name: str) -> bool:
        """Return true if every system of this kind has the package."""
        return self._has_flag(name, IS_ESSENTIAL)

    def is_important(self, name: str) -> bool:
        """Return true if the package manager protects the package from removal (``Important``, ``Protected``)."""
        return self._has_flag(name, IS_IMPORTANT)

    def _has_flag(self, name: str, flag: int) -> bool:
        number = self._number(name)
        return number is not None and bool(self._flags[number] & flag)

    def mention(self, name: str) -> int:
        """The place of a name in the order in which the source mentions names first, from 1; 0 if it has none."""
        number = self._number(name)
        return 0 if number is None else self._mentions[number]

    def conditions(self, name: str, which: str = "requires") -> list[tuple[Condition, ...]]:
        """Return what a package ``requires`` or ``recommends``: each a tuple of alternatives with conditions."""
        number = self._number(name)
        if number is None:
            return []
        pairs = self._pairs(which, number)
        return [
            self._conditions("alternatives", value - ALTERNATIVES)
            if value >= ALTERNATIVES
            else (Condition(self._name(value), self._text(text)),)
            for value, text in zip(pairs[::2], pairs[1::2], strict=True)
        ]

    def conflicts(self, name: str) -> tuple[Condition, ...]:
        """The packages that a package cannot stand beside."""
        number = self._number(name)
        return () if number is None else self._conditions("conflicts", number)

    def provided(self, name: str) -> tuple[Condition, ...]:
        """The packages that provide a name, each with the version that it provides, which may be empty."""
        number = self._number(name)
        return () if number is None else self._conditions("providers", number)

    def _conditions(self, which: str, number: int) -> tuple[Condition, ...]:
        pairs = self._pairs(which, number)
        return tuple(
            Condition(self._name(name), self._text(text)) for name, text in zip(pairs[::2], pairs[1::2], strict=True)
        )
