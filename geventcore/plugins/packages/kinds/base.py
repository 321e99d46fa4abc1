"""The contract of a kind of sources."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from geventcore.errors import PackageSourceError
from geventcore.plugins.packages.downloads import Downloads
from geventcore.plugins.packages.records import SourceRecords

#: Checks the signature of the file at a path and returns its signed content. The second path is that of a detached
#: signature. `PackageSourceError` if the signature is bad.
Verifier = Callable[[Path, Path | None], bytes]


@dataclass(frozen=True)
class Origin:
    """The files of a source: what of a ``Source`` element decides which these are.

    Attributes:
        url, rawurl: end in a slash, or are empty; where both are given, `rawurl` has the files.
    """

    kind: str
    url: str
    rawurl: str
    version: str
    components: tuple[str, ...]
    architectures: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """True if no file can be fetched."""
        return not (self.url or self.rawurl)


@dataclass
class Fetching:
    """The means of fetching, and notes about what was found.

    Attributes:
        downloads: the files.
        verify: checks signatures; None if no key is configured.
        must_be_signed: true if a list without a signature is refused.
        notes: sentences for the administrator about what is incomplete, but no failure.
    """

    downloads: Downloads
    verify: Verifier | None = None
    must_be_signed: bool = False
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Add a note once."""
        if text not in self.notes:
            self.notes.append(text)


class Kind(ABC):
    """Fetches and reads the files of one kind of sources. All is called in a process of its own."""

    @abstractmethod
    def fetch(self, origin: Origin, architecture: str, fetching: Fetching) -> None:
        """Bring the files of an architecture up to date.

        `PackageSourceError` if some cannot be fetched; the others are.
        """

    @abstractmethod
    def files(self, origin: Origin, architecture: str, downloads: Downloads) -> Sequence[Path]:
        """The files that `read` needs; `PackageSourceError` if that is unknown, since others have not been fetched."""

    @abstractmethod
    def read(
        self, origin: Origin, architecture: str, downloads: Downloads, wanted_paths: frozenset[str]
    ) -> SourceRecords:
        """The packages of one architecture, from the fetched files among `files`; `PackageSourceError` if unreadable.

        `wanted_paths` are paths of files that packages of any source require.
        """

    def required_paths(self, origin: Origin, architecture: str, downloads: Downloads) -> set[str]:
        """The paths of files that packages may require; more than these do no harm."""
        return set()


def attempt_all(actions: Iterable[Callable[[], object]]) -> None:
    """Take all actions, also after one has failed; then raise `PackageSourceError` with what they said."""
    errors: list[str] = []
    for action in actions:
        try:
            action()
        except PackageSourceError as err:
            errors.append(str(err))
    if errors:
        raise PackageSourceError("; ".join(dict.fromkeys(errors)))
