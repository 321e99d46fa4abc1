"""Strict conversion of values in a Bcfg2 database. No I/O.

SQLite stores any type in any column, and a file may be damaged or edited by hand. So every value is checked. A wrong
value raises `UnreadableError`, and the import skips one row.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any

from geventcore.storage.schema import NAME_LENGTH

#: The longest name or value, in characters. PATH_MAX is 4096.
MAX_TEXT = 4096
#: The largest accepted count.
MAX_COUNT = 2**31 - 1
#: The latest accepted time, the year 9999, in milliseconds since the epoch.
MAX_TIME = 253_402_300_799_000

_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?)?\s*(Z|[+-]\d\d(?::?\d\d){0,2})?"
)
_WORDS = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}


class UnreadableError(ValueError):
    """A value that its column cannot have. The text is the reason and begins with a verb."""


def text(value: Any) -> str:
    """Convert a short text: a name, a version, a message."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "surrogateescape")
    if isinstance(value, (int, float, Decimal)):
        value = str(value)
    if not isinstance(value, str):
        raise UnreadableError("is missing" if value is None else f"is {type(value).__name__} instead of text")
    if "\0" in value or not _is_unicode(value):
        raise UnreadableError("is not UTF-8")
    return value if len(value) <= MAX_TEXT else f"{value[: MAX_TEXT - 1]}…"


def name(value: Any) -> str:
    """Convert a text that must not be empty."""
    found = text(value)
    if not found.strip():
        raise UnreadableError("is empty")
    return found


def short_name(value: Any) -> str:
    """Convert a name that must fit the columns for names."""
    found = name(value)
    if len(found) > NAME_LENGTH:
        raise UnreadableError(f"is longer than {NAME_LENGTH} characters")
    return found


def long_text(value: Any) -> tuple[str, bool]:
    """Convert a text of any length. The second value is false if some characters had to be replaced."""
    if value is None:
        return "", True
    raw = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
    found = raw.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    return found, found.encode() == raw


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def integer(value: Any) -> int:
    """Convert a whole number."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise UnreadableError("is missing" if value is None else "is not a number") from None


def count(value: Any) -> int:
    """Convert a non-negative whole number; 0 for NULL."""
    return 0 if value is None else max(0, min(integer(value), MAX_COUNT))


def flag(value: Any) -> bool:
    """Convert a truth value."""
    if isinstance(value, bool):
        return value
    found = _WORDS.get(str(value).lower())
    if found is None:
        raise UnreadableError("is neither true nor false")
    return found


def epoch_milliseconds(value: Any) -> int:
    """Convert seconds since the epoch to milliseconds."""
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        raise UnreadableError("is not a time") from None
    if not math.isfinite(seconds) or not 0 <= seconds * 1000 <= MAX_TIME:
        raise UnreadableError("is not a time")
    return round(seconds * 1000)


def local_milliseconds(value: Any, zone: tzinfo | None, near: Iterable[int] = ()) -> int:
    """Convert a local time in a zone (None: the machine's zone) to milliseconds since the epoch.

    An offset in the value is ignored: it belongs to the connection, and Bcfg2 stores the local time of its server. At
    the end of summer time some local times occur twice. Then the one nearer to the times in `near` is taken.
    """
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    match = _MOMENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise UnreadableError("is missing" if value is None else "is not a time")
    *numbers, fraction, _ = match.groups()
    try:
        year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
        moment = datetime(year, month, day, hour, minute, second, int((fraction or "").ljust(6, "0")))
        first, later = (_milliseconds(moment.replace(fold=fold), zone) for fold in (0, 1))
    except (ValueError, OverflowError, OSError):
        raise UnreadableError("is not a time") from None
    if not 0 <= first <= MAX_TIME:
        raise UnreadableError("is not a time")
    others = tuple(near)
    return min((first, later), key=lambda at: min((abs(at - other) for other in others), default=0))


def _milliseconds(moment: datetime, zone: tzinfo | None) -> int:
    aware = moment.astimezone(timezone.utc) if zone is None else moment.replace(tzinfo=zone).astimezone(timezone.utc)
    return (aware - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)
