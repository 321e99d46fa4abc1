"""The reader of ``bcfg2.conf`` and the files that supplement it.

The files are INI files and are merged: if two files have the same key, the later one wins. Case matters in section
names, but not in keys. ``%(key)s`` in a value refers to another key of the same section or of ``[DEFAULT]``; a literal
``%`` is written ``%%``. References are resolved only when a value is read.

`ConfigFiles` also knows file and line of every key, so that messages can name the place.
"""

from __future__ import annotations

import configparser
import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from geventcore.errors import ConfigError
from geventcore.regular_files import read_file

#: The largest accepted file. Sites' files have some KB; without a limit, a wrong path could fill the memory.
MAX_BYTES = 4 << 20


@dataclass(frozen=True)
class Location:
    """The place of a key.

    Attributes:
        path: the file.
        line: the line, counted from 1.
        spelled: the key as it is spelled in the file.
    """

    path: Path
    line: int
    spelled: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


class _LocatedKey(str):
    """A key in lower case that remembers its line and spelling."""

    line: int
    spelled: str


class _LocatingParser(configparser.ConfigParser):
    """A parser that turns each key into a `_LocatedKey` while it reads the key's line."""

    def __init__(self) -> None:
        # No section has this name, so [DEFAULT] is read like any other section.
        super().__init__(interpolation=None, default_section="\0")
        self._line = 0

    def read_text(self, text: str, path: Path) -> None:
        self.read_file(self._counted(io.StringIO(text, newline=None)), source=str(path))

    def _counted(self, lines: Iterable[str]) -> Iterator[str]:
        for self._line, line in enumerate(lines, start=1):
            yield line

    def optionxform(self, optionstr: str) -> str:
        key = _LocatedKey(optionstr.lower())
        key.line, key.spelled = self._line, optionstr
        return key

    def locations(self, path: Path) -> Iterator[tuple[str, Location]]:
        """Return the location of each key of the text, by section."""
        for section in self.sections():
            for key in self.options(section):
                assert isinstance(key, _LocatedKey)
                yield section, Location(path, key.line, key.spelled)


class SectionView(Mapping[str, str]):
    """The keys of one section as they are spelled, with their values.

    Keys are found in any case: ``view["Site"]``, ``view["site"]`` and ``view["SITE"]`` return the value of the line
    ``Site = …``. So a passphrase is found by its name in the file, and by the lower-case name that other programs use.

    Reading a value raises `ConfigError` if its ``%`` is wrong.
    """

    def __init__(self, files: ConfigFiles, name: str) -> None:
        self._files = files
        self._name = name
        self._spelled = files.spelled_keys(name)

    def __getitem__(self, key: str) -> str:
        if key.lower() not in self._spelled:
            raise KeyError(key)
        return self._files.get(self._name, key.lower(), secret=True)

    def __iter__(self) -> Iterator[str]:
        return iter(self._spelled.values())

    def __len__(self) -> int:
        return len(self._spelled)


class ConfigFiles:
    """The merged contents of configuration files.

    Attributes:
        paths: the files, in the order of reading.
        digests: hashes of their texts.
    """

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self.digests: list[bytes] = []
        self._values = configparser.ConfigParser()
        self._locations: dict[tuple[str, str], Location] = {}

    def read(self, path: Path) -> None:
        """Merge another file over those read so far.

        Raises:
            FileNotFoundError: the file does not exist.
            ConfigError: the file cannot be read or is not an INI file.
        """
        text = _read_text(path)
        one = _LocatingParser()
        try:
            one.read_text(text, path)
            self._values.read_file(io.StringIO(text, newline=None), source=str(path))
        except configparser.Error as err:
            raise ConfigError(_syntax_message(path, err)) from err
        for section, location in one.locations(path):
            self._locations[section, location.spelled.lower()] = location
        self.paths.append(path)
        self.digests.append(hashlib.sha256(text.encode()).digest())

    def get(self, section: str, key: str, *, secret: bool = False) -> str:
        """Return the text of a value that has a `location`.

        Raises:
            ConfigError: a ``%`` in the value is wrong. `secret` keeps the value out of the error's text.
        """
        try:
            return self._values.get(section, key)
        except configparser.InterpolationError as err:
            where = f"{self.location(section, key)}: [{section}] {key}"
            if not secret:
                where += f" = {quoted(self.raw(section, key))}"
            raise ConfigError(f"{where}: {_percent_reason(err, secret)}; write a literal % as %%") from err

    def raw(self, section: str, key: str) -> str:
        """Return the text of a value that has a `location`, without resolving ``%``."""
        return self._values.get(section, key, raw=True)

    def location(self, section: str, key: str) -> Location | None:
        """Return the place of a value, which may be in ``[DEFAULT]``; `None` if it is in no file."""
        if section not in self._values:
            return None
        found = self._locations.get((section, key))
        return found or self._locations.get((self._values.default_section, key))

    def sections(self) -> list[str]:
        """Return the sections of all files, without ``[DEFAULT]``."""
        return self._values.sections()

    def spelled_keys(self, section: str) -> dict[str, str]:
        """Return lower-case key -> key as it is spelled, of a section without ``[DEFAULT]``, in their order."""
        return {key: found.spelled for (of, key), found in self._locations.items() if of == section}

    def section(self, name: str) -> SectionView:
        """Return a section's own keys and values; empty for a missing section."""
        return SectionView(self, name)


def quoted(text: str) -> str:
    """Quote a value for a message, shortened to one line."""
    shown = repr(text)
    return shown if len(shown) <= 80 else f"{shown[:77]}…{shown[0]}"


def _read_text(path: Path) -> str:
    # The usual name for no file, which is not a regular one.
    if path == Path(os.devnull):
        return ""
    try:
        data = read_file(path, MAX_BYTES)
    except FileNotFoundError:
        raise
    except OSError as err:
        raise ConfigError(f"{path}: cannot be read: {err.strerror}") from err
    if b"\0" in data:
        # No text has one, and a section of this name would be taken for [DEFAULT].
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise ConfigError(f"{path}:{line}: byte 0x00 is not text")
    try:
        # Some editors start a file with a byte order mark.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = data.count(b"\n", 0, err.start) + 1
        raise ConfigError(f"{path}:{line}: byte {data[err.start]:#04x} is not UTF-8 text") from err


def _syntax_message(path: Path, err: configparser.Error) -> str:
    if isinstance(err, configparser.DuplicateSectionError):
        return f"{path}:{err.lineno}: section [{err.section}] exists twice; merge the two"
    if isinstance(err, configparser.DuplicateOptionError):
        return f"{path}:{err.lineno}: [{err.section}] {err.option} is set twice; remove one of the two"
    if isinstance(err, configparser.MissingSectionHeaderError):
        return f"{path}:{err.lineno}: expected a [section] before the first key"
    if isinstance(err, configparser.ParsingError) and err.errors:
        return f"{path}:{err.errors[0][0]}: expected [section] or key = value"
    return f"{path}: {' '.join(str(err).split())}"


def _percent_reason(err: configparser.InterpolationError, secret: bool) -> str:
    if isinstance(err, configparser.InterpolationMissingOptionError) and not secret:
        return f"%({err.reference})s is not a key of this section"
    if isinstance(err, configparser.InterpolationDepthError):
        return "the value refers to itself"
    return "a % must be followed by % or (key)s"
