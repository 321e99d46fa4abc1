"""Comparing versions as Debian's and RPM's tools do.

Debian (policy manual, 5.6.12): parts of non-digits and digits alternate; ``~`` sorts before the end of a part, letters
before all other characters. RPM (rpm-version(7)): segments of digits and letters; ``~`` sorts before the end, ``^``
after it, both before everything else.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import NamedTuple

_PIECE = re.compile(r"(\D*)(\d*)")
#: The longest number that is read; Python refuses longer ones than 4300 digits. All longer ones are equal, and larger.
_LONGEST_NUMBER = 4000
_RPM_SEGMENT = re.compile(r"(\d+)|([a-zA-Z]+)|(~)|(\^)")


def _number(digits: str) -> int:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else int(digits.lstrip("0")[: _LONGEST_NUMBER + 1] or 0)


@functools.total_ordering
class _DebianPart:
    """Upstream version or revision: weights of characters, 0 where they end, then a number; and so on.

    A part that ends compares as if zeros came after it.
    """

    __slots__ = ("_weights",)

    def __init__(self, text: str) -> None:
        weights: list[int] = []
        for characters, digits in _PIECE.findall(text):
            weights += map(_weight, characters)
            weights += (0, _number(digits or "0"))
        while weights and not weights[-1]:
            weights.pop()
        self._weights = tuple(weights)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _DebianPart) and self._weights == other._weights

    def __hash__(self) -> int:
        return hash(self._weights)

    def __lt__(self, other: _DebianPart) -> bool:
        for mine, theirs in zip_longest(self._weights, other._weights, fillvalue=0):
            if mine != theirs:
                return mine < theirs
        return False


def _weight(char: str) -> int:
    if char == "~":
        return -1
    return ord(char) if char.isalpha() else ord(char) + 256


def _epoch(text: str) -> int:
    return _number(text) if text.isascii() and text.isdigit() else 0


class DebianVersion(NamedTuple):
    """A version of a Debian package; compares as dpkg does."""

    epoch: int
    upstream: _DebianPart
    revision: _DebianPart


@functools.lru_cache(maxsize=65536)
def debian_version(text: str) -> DebianVersion:
    """Parse a version ``[epoch:]upstream[-revision]``; an epoch that is no number counts as 0."""
    epoch, colon, rest = text.partition(":")
    if not colon:
        epoch, rest = "0", text
    upstream, hyphen, revision = rest.rpartition("-")
    if not hyphen:
        upstream, revision = rest, ""
    return DebianVersion(_epoch(epoch), _DebianPart(upstream), _DebianPart(revision))


_RELATIONS: Mapping[str, Callable[[DebianVersion, DebianVersion], bool]] = {
    "<<": operator.lt,
    "<": operator.le,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.ge,
    ">>": operator.gt,
}


@functools.lru_cache(maxsize=65536)
def debian_satisfies(version: str, condition: str) -> bool:
    """Return true if a version meets a condition such as ``>= 1.2``; the empty one, and an unknown relation, always do.

    The obsolete ``<`` and ``>`` mean ``<=`` and ``>=`` (Debian policy, 7.1).
    """
    relation, _, wanted = condition.partition(" ")
    holds = _RELATIONS.get(relation)
    return holds is None or holds(debian_version(version), debian_version(wanted))


_Segments = tuple[tuple[int, int, str], ...]


def _segments(text: str) -> _Segments:
    pieces: list[tuple[int, int, str]] = []
    for digits, letters, tilde, _caret in _RPM_SEGMENT.findall(text):
        if digits:
            pieces.append((2, _number(digits), ""))
        elif letters:
            pieces.append((1, 0, letters))
        else:
            pieces.append((-2 if tilde else 0, 0, ""))
    return (*pieces, (-1, 0, ""))


class RPMVersion(NamedTuple):
    """Epoch, version and release of an RPM package; compares as rpm does."""

    epoch: int
    version: _Segments
    release: _Segments


@functools.lru_cache(maxsize=65536)
def rpm_version(epoch: str, version: str, release: str) -> RPMVersion:
    """Parse the parts of a version; an epoch that is no number counts as 0."""
    return RPMVersion(_epoch(epoch), _segments(version), _segments(release))
