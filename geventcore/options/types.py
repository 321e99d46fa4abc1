"""The types of options: each parses the text of a value.

A type describes the values that it accepts, so error messages and the manual use the same words. Types do not know
files, sections or the source of a text. A `ValueError` from `ValueType.parse` may add a reason to "expected …".
`format` returns a text that `parse` reads as the same value.

A single value that may be unset has an `optional` type. It parses an empty text as `None`, so ``password =`` in a file
means "no password", and not the empty password.
"""

from __future__ import annotations

import ast
import difflib
import grp
import math
import os
import pwd
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

TRUE_WORDS = ("yes", "true", "on", "1")
FALSE_WORDS = ("no", "false", "off", "0")


class ValueType(Generic[T_co]):
    """The base class of types.

    Attributes:
        accepts: description of the accepted values that can follow "expected".
        is_flag: whether the command-line form takes no value.
        metavar: placeholder of the value in ``--help``.
        is_path: whether ``<repository>`` and ``<state>`` are replaced before parsing, and relative paths start at the
            working directory of the program's start.
    """

    accepts: str = "any text"
    is_flag: bool = False
    metavar: str = "TEXT"
    is_path: bool = False

    def parse(self, text: str) -> T_co:
        raise NotImplementedError

    def format(self, value: Any) -> str:
        """Return the text of a value, for the reference and for listings."""
        return "" if value is None else str(value)


class StringType(ValueType[str]):
    """Any text, unchanged."""

    def parse(self, text: str) -> str:
        return text


class OptionalType(ValueType[T | None]):
    """Another type, or a word for "no value", by default the empty text."""

    def __init__(self, inner: ValueType[T], word: str = "") -> None:
        self._inner = inner
        self._word = word
        self.accepts = inner.accepts if isinstance(inner, StringType) else f"{inner.accepts}, or {word or 'nothing'}"
        self.is_flag = inner.is_flag
        self.metavar = inner.metavar
        self.is_path = inner.is_path

    def parse(self, text: str) -> T | None:
        return None if text.strip().lower() == self._word else self._inner.parse(text)

    def format(self, value: Any) -> str:
        return self._word if value is None else self._inner.format(value)


class BooleanType(ValueType[bool]):
    """Yes or no: one of several words in the file, two flags on the command line."""

    is_flag = True
    metavar = ""

    def __init__(self, also_true: tuple[str, ...] = (), also_false: tuple[str, ...] = ()) -> None:
        self._true = (*TRUE_WORDS, *also_true)
        self._false = (*FALSE_WORDS, *also_false)
        self.accepts = f"yes or no ({', '.join(self._true)}; {', '.join(self._false)})"

    def parse(self, text: str) -> bool:
        word = text.strip().lower()
        if word in self._true:
            return True
        if word in self._false:
            return False
        raise ValueError

    def format(self, value: Any) -> str:
        return "yes" if value else "no"


class IntegerType(ValueType[int]):
    """A whole number between two inclusive bounds."""

    metavar = "NUMBER"

    def __init__(self, minimum: int | None, maximum: int | None) -> None:
        self.minimum = minimum
        self.maximum = maximum
        if minimum is not None and maximum is not None:
            self.accepts = f"a whole number from {minimum} to {maximum}"
        elif minimum is not None:
            self.accepts = f"a whole number of at least {minimum}"
        elif maximum is not None:
            self.accepts = f"a whole number of at most {maximum}"
        else:
            self.accepts = "a whole number"

    def parse(self, text: str) -> int:
        # int() alone would also accept 1_000 and digits of other scripts.
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text.strip()):
            raise ValueError
        value = int(text)
        if (self.minimum is not None and value < self.minimum) or (self.maximum is not None and value > self.maximum):
            raise ValueError
        return value


#: The longest accepted time, one year in seconds. System calls refuse much longer timeouts.
LONGEST_SECONDS = 31_536_000.0


class NumberType(ValueType[float]):
    """A finite number between two inclusive bounds. With `or_zero`, 0 is accepted, too."""

    metavar = "NUMBER"

    def __init__(self, minimum: float | None, maximum: float | None, *, or_zero: bool = False) -> None:
        self.minimum = minimum
        self.maximum = maximum
        self._or_zero = or_zero
        low = "" if minimum is None else f" of at least {minimum:.12g}"
        high = "" if maximum is None else f" of at most {maximum:.12g}"
        if low and high:
            low, high = f" from {minimum:.12g}", f" to {maximum:.12g}"
        self.accepts = f"a number{low}{high}" + (", or 0" if or_zero else "")

    def parse(self, text: str) -> float:
        if "_" in text:
            raise ValueError
        try:
            value = float(text)
        except ValueError:
            raise ValueError from None
        if not math.isfinite(value):
            raise ValueError
        is_within = (self.minimum is None or value >= self.minimum) and (self.maximum is None or value <= self.maximum)
        if not is_within and not (self._or_zero and value == 0):
            raise ValueError
        return value


class TimeoutType(ValueType[float | None]):
    """Seconds. `None` means "no limit", unless the option gives it another meaning."""

    metavar = "SECONDS"

    def __init__(self, minimum: float = 0.0, meaning_of_zero: str = "no limit") -> None:
        self._number = NumberType(None, LONGEST_SECONDS)
        self.minimum = minimum
        low = f", at least {minimum:.12g}" if minimum else ""
        self.accepts = f"a number of seconds{low} (0 or less: {meaning_of_zero})"

    def parse(self, text: str) -> float | None:
        seconds = self._number.parse(text)
        if 0 < seconds < self.minimum:
            raise ValueError
        return seconds if seconds > 0 else None

    def format(self, value: Any) -> str:
        return "0" if value is None else str(value).removesuffix(".0")


class SizeType(ValueType[int]):
    """A number of bytes of at least `minimum`, with an optional unit."""

    metavar = "SIZE"
    _units = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}

    def __init__(self, minimum: int = 0) -> None:
        self.minimum = minimum
        least = f", of at least {self.format(minimum)}" if minimum else ""
        self.accepts = f"a size in bytes, such as 1048576, 512k, 20m or 1g{least}"

    def parse(self, text: str) -> int:
        match = re.fullmatch(r"([0-9]{1,18})\s*([kmgt]?)", text.strip(), re.IGNORECASE)
        if not match:
            raise ValueError
        value = int(match[1]) * self._units[match[2].lower()]
        if value < self.minimum:
            raise ValueError
        return value

    def format(self, value: Any) -> str:
        for unit in ("t", "g", "m", "k"):
            if value and value % self._units[unit] == 0:
                return f"{value // self._units[unit]}{unit}"
        return str(value)


class OctalType(ValueType[int]):
    """Permission bits."""

    accepts = "an octal number from 0000 to 7777, such as 0077"
    metavar = "OCTAL"

    def parse(self, text: str) -> int:
        match = re.fullmatch(r"(?:0o)?([0-7]{1,5})", text.strip(), re.IGNORECASE)
        if not match or int(match[1], 8) > 0o7777:
            raise ValueError
        return int(match[1], 8)

    def format(self, value: Any) -> str:
        return f"{value:04o}"


class PathType(ValueType[Path]):
    """An absolute path of a file or directory, which may be missing. ``~`` and ``~user`` are expanded."""

    accepts = "a path"
    metavar = "PATH"
    is_path = True

    def parse(self, text: str) -> Path:
        text = text.strip()
        if not text:
            raise ValueError
        if "\0" in text:
            raise ValueError("the path contains a null character")
        expanded = os.path.expanduser(text)
        if expanded.startswith("~"):
            raise ValueError(f"the home directory of {text.partition('/')[0]} is unknown")
        return Path(os.path.abspath(expanded))


@dataclass(frozen=True)
class ListType(ValueType[tuple[str, ...]]):
    """A list of texts with a separator. Surrounding spaces and empty items are dropped."""

    separator: str
    accepts: str
    metavar: str = "LIST"

    def parse(self, text: str) -> tuple[str, ...]:
        return tuple(item for item in (part.strip() for part in text.split(self.separator)) if item)

    def format(self, value: Any) -> str:
        return (", " if self.separator == "," else self.separator).join(value)


class ChoiceType(ValueType[str]):
    """One of several words, in any case. A synonym stands for one of the words."""

    def __init__(self, names: tuple[str, ...], synonyms: Mapping[str, str]) -> None:
        self.names = names
        self._words = {word.lower(): name for word, name in (*zip(names, names, strict=True), *synonyms.items())}
        self.accepts = "one of " + ", ".join([*names, *(f"{word} (= {name})" for word, name in synonyms.items())])
        self.metavar = "[" + "|".join(names) + "]"

    def parse(self, text: str) -> str:
        word = text.strip().lower()
        if word not in self._words:
            close = difflib.get_close_matches(word, self._words, n=1)
            raise ValueError(f"did you mean {self._words[close[0]]}?" if close else "")
        return self._words[word]


class NameType(ValueType[str]):
    """A name that a table resolves later. Plain names become lower case; dotted names stay unchanged."""

    accepts = "a name"
    metavar = "NAME"

    def __init__(self, synonyms: Mapping[str, str]) -> None:
        self._synonyms = synonyms

    def parse(self, text: str) -> str:
        text = text.strip()
        name = text if "." in text or ":" in text else text.lower()
        return self._synonyms.get(name, name)


class EncodingType(ValueType[str]):
    """The name of a text encoding of Python."""

    accepts = "the name of a text encoding, such as UTF-8"
    metavar = "ENCODING"

    def parse(self, text: str) -> str:
        name = text.strip()
        try:
            # Encode instead of looking the codec up: Python also has codecs that are not for text.
            "".encode(name or "?")
        except LookupError:
            raise ValueError from None
        return name


class RegexesType(ValueType[tuple[re.Pattern[str], ...]]):
    """Regular expressions separated by white space. Each must match a whole text."""

    accepts = "regular expressions separated by white space"
    metavar = "REGEXES"

    def parse(self, text: str) -> tuple[re.Pattern[str], ...]:
        return tuple(self._anchored(word) for word in text.split())

    @staticmethod
    def _anchored(source: str) -> re.Pattern[str]:
        try:
            re.compile(source)
        except re.error as err:
            raise ValueError(f"{source}: {err}") from None
        # Global flags must stay at the beginning of the expression.
        flags = re.match(r"\(\?[aiLmsux]+\)", source)
        start = flags.end() if flags else 0
        return re.compile(rf"{source[:start]}\A(?:{source[start:]})\Z")

    def format(self, value: Any) -> str:
        return " ".join(self._bare(pattern.pattern) for pattern in value)

    @staticmethod
    def _bare(pattern: str) -> str:
        flags, _, rest = pattern.partition(r"\A(?:")
        return flags + rest.removesuffix(r")\Z")


class LiteralDictType(ValueType[dict[str, Any]]):
    """A Python dictionary of literals with strings as keys."""

    accepts = "a dictionary such as {'sslmode': 'require', 'connect_timeout': 10}"
    metavar = "DICT"

    def parse(self, text: str) -> dict[str, Any]:
        try:
            value = ast.literal_eval(text.strip() or "{}")
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            raise ValueError from None
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise ValueError
        return value


class AccountType(ValueType[int]):
    """A user or a group of this machine, by name or by number."""

    def __init__(self, kind: str, number_of: Callable[[str], int]) -> None:
        self._kind = kind
        self._number_of = number_of
        self.accepts = f"the name or number of a {kind}"
        self.metavar = kind.upper()

    def parse(self, text: str) -> int:
        text = text.strip()
        if re.fullmatch("[0-9]{1,10}", text):
            return int(text)
        try:
            return self._number_of(text)
        except (KeyError, ValueError):
            raise ValueError(f"this machine has no {self._kind} of that name") from None


def _uid(name: str) -> int:
    return pwd.getpwnam(name).pw_uid


def _gid(name: str) -> int:
    return grp.getgrnam(name).gr_gid


@dataclass(frozen=True)
class ServerURL:
    """The URL of a server.

    Attributes:
        scheme: ``https``, or ``http`` for a server without TLS.
        host: name or address, IPv6 without brackets.
        port: 1 to 65535, or 0 for a free port chosen by the system.
    """

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


#: The default port of Bcfg2 clients and servers.
DEFAULT_PORT = 6789


class URLType(ValueType[ServerURL]):
    """The URL of a server. A path is ignored; the default port is `DEFAULT_PORT`."""

    accepts = "a URL such as https://bcfg2.example.com:6789"
    metavar = "URL"

    def parse(self, text: str) -> ServerURL:
        text = text.strip()
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError
        if parts.username is not None:
            raise ValueError("the URL must not contain a user or password")
        if re.search(r"\s", text):
            raise ValueError("the URL contains white space")
        try:
            port = parts.port
        except ValueError:
            raise ValueError("the port is not a number from 0 to 65535") from None
        return ServerURL(parts.scheme, parts.hostname, DEFAULT_PORT if port is None else port)


def optional(inner: ValueType[T]) -> ValueType[T | None]:
    """Make a type that parses an empty text as `None`."""
    return OptionalType(inner)


def automatic(inner: ValueType[T]) -> ValueType[T | None]:
    """Make a type that parses ``auto`` as `None`: the code that reads the option chooses the value."""
    return OptionalType(inner, "auto")


def integer(minimum: int | None = None, maximum: int | None = None) -> ValueType[int]:
    """Make a type for whole numbers between two inclusive bounds."""
    return IntegerType(minimum, maximum)


def number(minimum: float | None = None, maximum: float | None = None, *, or_zero: bool = False) -> ValueType[float]:
    """Make a type for numbers between two inclusive bounds; with `or_zero`, 0 is accepted, too."""
    return NumberType(minimum, maximum, or_zero=or_zero)


def seconds(minimum: float = 0.0, *, or_zero: bool = False) -> ValueType[float]:
    """Make a type for seconds from `minimum` to a year; with `or_zero`, 0 is accepted, too."""
    return NumberType(minimum, LONGEST_SECONDS, or_zero=or_zero)


def timeout(minimum: float = 0.0, meaning_of_zero: str = "no limit") -> ValueType[float | None]:
    """Make a type for seconds of at least `minimum`; 0 or less is parsed as `None`."""
    return TimeoutType(minimum, meaning_of_zero)


def size(minimum: int = 0) -> ValueType[int]:
    """Make a type for numbers of bytes of at least `minimum`."""
    return SizeType(minimum)


def choice(*names: str, synonyms: Mapping[str, str] | None = None) -> ValueType[str]:
    """Make a type for one of several words, in any case. The value is the word as it is spelled in `names`.

    `synonyms` maps additional words to the words that they stand for.
    """
    return ChoiceType(names, synonyms or {})


def name(synonyms: Mapping[str, str] | None = None) -> ValueType[str]:
    """Make a type for names that a table resolves later. `synonyms` maps names, also ``""``, to other names."""
    return NameType(synonyms or {})


STRING: ValueType[str] = StringType()
OPTIONAL_STRING: ValueType[str | None] = optional(STRING)
BOOLEAN: ValueType[bool] = BooleanType()
#: Yes or no, also written ``enabled`` and ``disabled``.
SWITCH: ValueType[bool] = BooleanType(also_true=("enabled",), also_false=("disabled",))
INTEGER: ValueType[int] = integer()
OPTIONAL_INTEGER: ValueType[int | None] = optional(INTEGER)
FLOAT: ValueType[float] = number()
TIMEOUT: ValueType[float | None] = TimeoutType()
SIZE: ValueType[int] = SizeType()
OCTAL: ValueType[int] = OctalType()
PATH: ValueType[Path] = PathType()
OPTIONAL_PATH: ValueType[Path | None] = optional(PATH)
COMMA_LIST: ValueType[tuple[str, ...]] = ListType(",", "a list separated by commas")
COLON_LIST: ValueType[tuple[str, ...]] = ListType(":", "a list separated by colons")
ANCHORED_REGEXES: ValueType[tuple[re.Pattern[str], ...]] = RegexesType()
LITERAL_DICT: ValueType[dict[str, Any]] = LiteralDictType()
USER: ValueType[int] = AccountType("user", _uid)
GROUP: ValueType[int] = AccountType("group", _gid)
ENCODING_NAME: ValueType[str] = EncodingType()
URL: ValueType[ServerURL] = URLType()
