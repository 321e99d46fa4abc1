"""The stored form of a client's report about one run: plain values, without SQL or XML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum


class EntryKind(IntEnum):
    """The kind of an entry in a report."""

    #: The entry differs from the configuration, and the run did not change it.
    BAD = 0
    #: The run changed the entry.
    MODIFIED = 1
    #: The entry exists on the client, but not in its configuration.
    EXTRA = 2

    @property
    def label(self) -> str:
        """The kind as text: ``bad``, ``modified`` or ``extra``."""
        return self.name.lower()


#: Prefix of the names of attributes that describe the state on the client.
CURRENT = "current_"


@dataclass(frozen=True)
class FileContent:
    """The difference of a file on the client from its configuration.

    Attributes:
        kind: ``diff`` (text: the difference in the format of `difflib.ndiff`), ``inexact diff`` (the same for a file
            that is not UTF-8, with some characters replaced), ``content`` (base64: the client's file) or ``too large``.
        data: the text or base64. For ``too large``, the SHA-256; in an imported report, ``MD5`` and that hash.
        size: size of the difference or file in bytes; 0 if an imported report has no size.
    """

    kind: str
    data: str
    size: int


@dataclass(frozen=True)
class EntryState:
    """The expected and the actual state of an entry.

    Attributes:
        tag, name: identification of the entry.
        attributes: attributes in the report, sorted by name; those of the actual state begin with ``current_``.
        children: child elements of the actual state: tag and sorted attributes.
        content: difference of a file; None if there is none or the file is sensitive.
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
        """Return the value of an attribute, or the default."""
        return dict(self.attributes).get(name)

    def differences(self) -> Iterator[tuple[str, str, str]]:
        """Return ``(attribute, expected, actual)`` for each difference. Missing values are empty texts."""
        values = dict(self.attributes)
        for name, found in self.attributes:
            if name.startswith(CURRENT) and name != "current_exists":
                wanted = values.get(name.removeprefix(CURRENT), "")
                if wanted != found:
                    yield name.removeprefix(CURRENT), wanted, found

    @property
    def failure(self) -> str | None:
        """The reason why the server could not bind the entry, or an empty text."""
        return self.get("failure")

    @property
    def is_missing(self) -> bool:
        """True if the entry does not exist on the client."""
        return (self.get("current_exists") or "").lower() == "false"


@dataclass(frozen=True)
class Interaction:
    """One report.

    Attributes:
        client: canonical name of the host.
        timestamp: time of arrival in milliseconds since the epoch; unique for each client.
        server: name of the machine that received the report.
        state: ``clean`` or ``dirty``, as the client says.
        revision: revision of the repository that the client got.
        total, good: number of all entries in the configuration, and of correct ones.
        dry_run, only_important: the client's options for the run.
        profile, version: the client's profile and software version, if known.
        groups, bundles: sorted names.
        entries: bad, modified and extra entries.
        stamps: phase -> end of the phase in milliseconds since the epoch by the client's clock.
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
        """Return the entries of a kind."""
        return [state for found, state in self.entries if found is kind]


def sorted_names(names: Iterable[str]) -> tuple[str, ...]:
    """Sort names, so that equal sets become equal tuples."""
    return tuple(sorted(set(names)))
