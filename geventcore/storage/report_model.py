"""What one client reported at the end of one run, as it is stored: plain values, nothing of SQL or XML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum


class EntryKind(IntEnum):
    """Why an entry is in a report."""

    #: It is not as it should be, and stayed so.
    BAD = 0
    #: It was changed by the run.
    MODIFIED = 1
    #: It is on the client, and its configuration does not have it.
    EXTRA = 2

    @property
    def label(self) -> str:
        """``bad``, ``modified`` or ``extra``."""
        return self.name.lower()


#: What stands in front of the name of an attribute that was found on the client.
CURRENT = "current_"


@dataclass(frozen=True)
class FileContent:
    """How a file on the client differs from what it should be.

    Attributes:
        kind: ``diff`` (text: the difference, in the format of `difflib.ndiff`), ``inexact diff`` (the same, of a file
            that is not UTF-8: some characters are replaced), ``content`` (base64: the client's file) or ``too large``
            (neither).
        data: the text, base64, or the SHA-256 of what was too large; of an imported report, ``MD5`` and this hash.
        size: bytes of the difference or file; 0 if an imported report does not say it.
    """

    kind: str
    data: str
    size: int


@dataclass(frozen=True)
class EntryState:
    """An entry as it should be and as it was found.

    Attributes:
        tag, name: which entry.
        attributes: what the report says of it, sorted by name; names of what was found begin with ``current_``.
        children: elements below it that tell what was found: tag and sorted attributes.
        content: the difference of a file, unless it is sensitive or there is none.
    """

    tag: str
    name: str
    attributes: tuple[tuple[str, str], ...] = ()
    children: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    content: FileContent | None = None

    @property
    def label(self) -> str:
        """``Path:/etc/motd``."""
        return f"{self.tag}:{self.name}"

    def get(self, name: str) -> str | None:
        """The value of an attribute."""
        return dict(self.attributes).get(name)

    def differences(self) -> Iterator[tuple[str, str, str]]:
        """``(attribute, as it should be, as it was found)`` of what differs; texts are empty for what is not said."""
        values = dict(self.attributes)
        for name, found in self.attributes:
            if name.startswith(CURRENT) and name != "current_exists":
                wanted = values.get(name.removeprefix(CURRENT), "")
                if wanted != found:
                    yield name.removeprefix(CURRENT), wanted, found

    @property
    def failure(self) -> str | None:
        """Why the server could not bind it, if so."""
        return self.get("failure")

    @property
    def is_missing(self) -> bool:
        """Whether the client does not have it at all."""
        return (self.get("current_exists") or "").lower() == "false"


@dataclass(frozen=True)
class Interaction:
    """One report.

    Attributes:
        client: the host's canonical name.
        timestamp: when the server got it, in milliseconds since the epoch; unique for each client.
        server: the name of the machine that got it.
        state: ``clean`` or ``dirty``, as the client says.
        revision: the repository's, as the client was told.
        total, good: how many entries the configuration has, and how many are as they should be.
        dry_run, only_important: how the client was called.
        profile, version: the client's profile, and the version of its software, if known.
        groups, bundles: names, sorted.
        entries: those that are bad, modified or extra.
        stamps: names of phases and when they ended, in milliseconds since the epoch by the client's clock.
    """

    client: str
    timestamp: int
    server: str
    state: str
    revision: str
    total: int
    good: int
    dry_run: bool = False
    only_important: bool = False
    profile: str | None = None
    version: str | None = None
    groups: tuple[str, ...] = ()
    bundles: tuple[str, ...] = ()
    entries: tuple[tuple[EntryKind, EntryState], ...] = ()
    stamps: tuple[tuple[str, int], ...] = ()

    def of_kind(self, kind: EntryKind) -> list[EntryState]:
        """The entries of a kind."""
        return [state for found, state in self.entries if found is kind]


def sorted_names(names: Iterable[str]) -> tuple[str, ...]:
    """Names in the order in which they are stored: equal sets are equal tuples."""
    return tuple(sorted(set(names)))
