"""The choice of the most specific file for a client; see `geventcore.plugin.specificity`."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Container, Iterable
from typing import Generic, Protocol, TypeVar

from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.specificity import Specificity

log = logging.getLogger(__name__)


class Specific(Protocol):
    """A file with a specificity."""

    @property
    def specificity(self) -> Specificity:
        """The clients that the file is for."""

    @property
    def path(self) -> object:
        """The file's path, by which files of equal rank are sorted."""


SpecificT = TypeVar("SpecificT", bound=Specific)


def sorted_matches(files: Iterable[SpecificT], metadata: ClientMetadata) -> list[SpecificT]:
    """Return the files for a client, most specific first; files of equal rank in the order of their names."""
    found = [file for file in files if file.specificity.matches(metadata)]
    if len(found) > 1:
        found.sort(key=lambda file: (file.specificity.rank, str(file.path)))
    return found


def best_match(files: Iterable[SpecificT], metadata: ClientMetadata) -> SpecificT | None:
    """Return the most specific file for a client, or None. Of equally specific files use the first, with a warning."""
    found = sorted_matches(files, metadata)
    if len(found) > 1 and found[0].specificity.rank == found[1].specificity.rank:
        log.warning("%s: %s is as specific as %s; using the latter", metadata.hostname, found[1].path, found[0].path)
    return found[0] if found else None


class Candidates(Generic[SpecificT]):
    """A set of files of which each client gets the most specific one. It is sorted once, which makes lookups cheap.

    Of files of equal rank the first name is used, with one warning for each pair that applies to a client.
    """

    __slots__ = ("_everyone", "_groups", "_hosts", "_reported")

    def __init__(self, files: Iterable[SpecificT]) -> None:
        self._hosts: dict[str, SpecificT] = {}
        self._groups: list[tuple[int, str, SpecificT]] = []
        self._everyone: SpecificT | None = None
        self._reported: set[tuple[str, str]] | None = None
        for file in sorted(files, key=lambda file: (file.specificity.rank, str(file.path))):
            specificity = file.specificity
            if specificity.hostname is not None:
                first = self._hosts.setdefault(specificity.hostname, file)
            elif specificity.group is not None:
                self._groups.append((specificity.priority, specificity.group, file))
                continue
            else:
                first = self._everyone = file if self._everyone is None else self._everyone
            if first is not file:
                self._report(first, file)

    def __bool__(self) -> bool:
        return bool(self._hosts or self._groups or self._everyone is not None)

    @property
    def is_for_all(self) -> bool:
        """Return true if every client gets the same file."""
        return not self._hosts and not self._groups

    def best(self, metadata: ClientMetadata) -> SpecificT | None:
        """Return the most specific file for a client, or None."""
        if self._hosts:
            found = self._hosts.get(metadata.hostname)
            if found is not None:
                return found
        if self._groups:
            groups = metadata.groups
            for index, (_, group, file) in enumerate(self._groups):
                if group in groups:
                    self._look_for_equal(index, groups)
                    return file
        return self._everyone

    def _look_for_equal(self, index: int, groups: Container[str]) -> None:
        priority, _, first = self._groups[index]
        for other_priority, group, file in itertools.islice(self._groups, index + 1, None):
            if other_priority != priority:
                return
            if group in groups:
                self._report(first, file)
                return

    def _report(self, first: SpecificT, second: SpecificT) -> None:
        if self._reported is None:
            # Created on demand: nearly no object has anything to report, and a site has tens of thousands of them.
            self._reported = set()
        pair = (str(first.path), str(second.path))
        if pair not in self._reported:
            self._reported.add(pair)
            log.warning("%s is as specific as %s; clients that match both get the first", *pair)
