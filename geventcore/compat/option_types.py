"""``Bcfg2.Options.Types``: functions that convert text to a value, for the argument `type` of an option."""

from __future__ import annotations

import re
from typing import Any

from geventcore.options import types

__all__ = [
    "anchored_regex_list",
    "colon_list",
    "comma_list",
    "groupname",
    "literal_dict",
    "octal",
    "path",
    "size",
    "timeout",
    "username",
]


def path(text: str) -> str:
    """Return an absolute path; expand ``~``."""
    return str(types.PATH.parse(text))


def comma_list(text: str) -> list[str]:
    return list(types.COMMA_LIST.parse(text))


def colon_list(text: str) -> list[str]:
    return list(types.COLON_LIST.parse(text))


def literal_dict(text: str) -> dict[str, Any]:
    return types.LITERAL_DICT.parse(text)


def anchored_regex_list(text: str) -> list[re.Pattern[str]]:
    return list(types.ANCHORED_REGEXES.parse(text))


def octal(text: str) -> int:
    return types.OCTAL.parse(text)


def username(text: str) -> int:
    """Return the ID of a user."""
    return types.USER.parse(text)


def groupname(text: str) -> int:
    """Return the ID of a group."""
    return types.GROUP.parse(text)


def timeout(text: str) -> float | None:
    """Return a timeout in seconds; None for no limit."""
    return types.TIMEOUT.parse(text)


def size(text: str) -> int:
    """Bytes."""
    return types.SIZE.parse(text)
