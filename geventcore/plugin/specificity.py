"""The clients that a file is for: every client, one group or one host, as its name says.

``motd`` is for all, ``motd.G10_web`` for group ``web`` with priority 10, ``motd.H_www.example.com`` for one host. Host
beats group, the higher group priority beats the lower, group beats all (docs: reference/repository, "Specificity").
After that, `EXTENSIONS` say how the content is read: ``motd.H_www.example.com.genshi`` is a template.

A host or group whose own name ends like an extension would choose how its files are read, and for whom they are. So
whoever stores a file for a client gets the name from `file_name`, which makes only names that `parse_file_name` reads
back unchanged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from geventcore.errors import SpecificityError
from geventcore.plugin.client_metadata import ClientMetadata

#: The part of a file name that gives its specificity, as a pattern with the groups of `Specificity.of_match`.
SUFFIX = r"(?:\.H_(?P<hostname>[^\s/\x00]+?)|\.G(?P<priority>[0-9]+)_(?P<group>[^\s/\x00]+?))?"

#: The extensions that follow the specificity and say how a file is read, alone or several in a row.
EXTENSIONS = ("cheetah", "cheetah_include", "crypt", "genshi", "genshi_include", "jinja2", "jinja2_include")

#: The limit of all common file systems on a file name, in bytes. Temporary names are some bytes longer.
LONGEST_NAME_BYTES = 230

_REST = re.compile(rf"{SUFFIX}(?P<extension>(?:\.(?:{'|'.join(EXTENSIONS)}))*)")


@dataclass(frozen=True)
class Specificity:
    """The clients that a file is for; with neither a host nor a group, every client.

    Attributes:
        hostname: the only client, or None.
        group, priority: the group, or None, and its priority over other groups.
    """

    hostname: str | None = None
    group: str | None = None
    priority: int = 0

    @classmethod
    def of_match(cls, match: re.Match[str]) -> Specificity:
        """Create a specificity from a match of an expression that contains `SUFFIX`."""
        group = match.group("group")
        return cls(match.group("hostname"), group, int(match.group("priority")) if group else 0)

    @classmethod
    def of_suffix(cls, text: str) -> Specificity:
        """Create a specificity from ``""``, ``.H_host`` or ``.G10_group``; `SpecificityError` for another text."""
        match = re.fullmatch(SUFFIX, text)
        if match is None:
            raise SpecificityError(f"{text!r} is neither .H_<host> nor .G<number>_<group>")
        return cls.of_match(match)

    @property
    def is_for_all(self) -> bool:
        """Return true if it is for every client."""
        return self.hostname is None and self.group is None

    @property
    def suffix(self) -> str:
        """The suffix of a file name for this specificity; group priorities have at least two digits.

        To store a file, use `file_name`, which checks the host or group.
        """
        if self.hostname is not None:
            return f".H_{self.hostname}"
        if self.group is not None:
            return f".G{self.priority:02d}_{self.group}"
        return ""

    def matches(self, metadata: ClientMetadata) -> bool:
        """Return true if it is for this client."""
        if self.hostname is not None:
            return self.hostname == metadata.hostname
        return self.group is None or self.group in metadata.groups

    @property
    def rank(self) -> tuple[int, int]:
        """The sort key: the most specific file comes first."""
        if self.hostname is not None:
            return (0, 0)
        return (1, -self.priority) if self.group is not None else (2, 0)


#: Every client; shared, because most files are for all.
FOR_ALL = Specificity()


class FileNameParts(NamedTuple):
    """The parts of a file name after its base: the specificity, and the extensions without the first dot."""

    specificity: Specificity
    extension: str


def parse_file_name(name: str, base: str) -> FileNameParts | None:
    """Split a file name into its parts; None if it is not ``<base>[<specificity>][.<extension>…]``.

    As many parts as possible are extensions: a host is never called ``x.genshi``.
    """
    match = _REST.fullmatch(name, len(base)) if name.startswith(base) else None
    if match is None:
        return None
    specificity = Specificity.of_match(match)
    return FileNameParts(FOR_ALL if specificity == FOR_ALL else specificity, match["extension"].removeprefix("."))


def file_name(base: str, specificity: Specificity, extension: str = "") -> str:
    """Return the name of a file that is exactly for `specificity` and has exactly this extension, if any.

    `SpecificityError` if the host or group has a name with which the file would be read as something else.
    """
    name = f"{base}{specificity.suffix}" + (f".{extension}" if extension else "")
    try:
        is_too_long = len(name.encode()) > LONGEST_NAME_BYTES
    except UnicodeEncodeError:
        raise SpecificityError(f"{name!r} is not a valid file name: it cannot be encoded") from None
    if is_too_long:
        raise SpecificityError(f"{name!r} is not a valid file name: it is longer than {LONGEST_NAME_BYTES} bytes")
    if not name.isprintable() or parse_file_name(name, base) != (specificity, extension):
        whose = specificity.hostname or specificity.group or base
        raise SpecificityError(f"cannot store the file {name!r}: because of the name {whose!r} it would be misread")
    return name


@lru_cache(maxsize=4096)
def is_misread(name: str) -> bool:
    """Return true if files for a host of this name cannot be stored, because they would be read as something else."""
    try:
        file_name("x", Specificity(name))
    except SpecificityError:
        return True
    return False
