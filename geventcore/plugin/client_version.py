"""Client versions, which are compared in the order of their releases.

A version string is ``major.minor.rest``; `rest` is a number, or a number, letters and a number: ``1.4.0pre2``.
Order: the three numbers, then ``pre`` < ``rc`` < release, then the serial (docs: reference/protocol, "Versions").
"""

from __future__ import annotations

import re
from functools import total_ordering

_PATTERN = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:([A-Za-z]+)(\d+))?\Z")
_LEVELS = {"pre": 0, "rc": 1, "final": 2}


@total_ordering
class ClientVersion:
    """A parsed version; `ValueError` if the text is not a version.

    Compares with other versions, with version strings, with 5-tuples ``(major, minor, micro, level, serial)``, and
    with None, which is older than everything.
    """

    def __init__(self, text: str) -> None:
        match = _PATTERN.match(text)
        if match is None:
            raise ValueError(f"not a client version: {text!r}")
        self.text = text
        self.major, self.minor, self.micro = (int(match.group(n)) for n in (1, 2, 3))
        self.level = match.group(4) or "final"
        self.serial = int(match.group(5) or 0)

    @classmethod
    def parse(cls, text: str | None) -> ClientVersion | None:
        """Parse a version, or return None if the text is not one."""
        try:
            return cls(text) if text else None
        except ValueError:
            return None

    def as_tuple(self) -> tuple[int, int, int, str, int]:
        """Return ``(major, minor, micro, level, serial)``."""
        return (self.major, self.minor, self.micro, self.level, self.serial)

    @staticmethod
    def _key(parts: tuple[int, int, int, str, int]) -> tuple[int, int, int, int, int]:
        return (*parts[:3], _LEVELS.get(parts[3], -1), parts[4])

    def _other_key(self, other: object) -> tuple[int, int, int, int, int] | None:
        if isinstance(other, str):
            other = ClientVersion.parse(other)
        if isinstance(other, ClientVersion):
            return self._key(other.as_tuple())
        if isinstance(other, tuple) and len(other) == 5:
            return self._key(other)
        return None

    def __eq__(self, other: object) -> bool:
        return self._key(self.as_tuple()) == self._other_key(other)

    def __lt__(self, other: object) -> bool:
        key = self._other_key(other)
        return key is not None and self._key(self.as_tuple()) < key

    def __hash__(self) -> int:
        return hash(self._key(self.as_tuple()))

    def __repr__(self) -> str:
        return f"ClientVersion({self.text})"
