"""For whom a file is: every client, one group or one host, as its name says.

``motd`` is for all, ``motd.G10_web`` for group ``web`` with priority 10, ``motd.H_www.example.com`` for one host. Host
beats group, the higher group priority beats the lower, group beats all (docs: reference/repository, "Specificity").
"""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from geventcore.errors import SpecificityError
from geventcore.plugin.client_metadata import ClientMetadata

log = logging.getLogger(__name__)

#: The part of a file name that says for whom it is, as a regular expression with the groups of `Specificity.of_match`.
SUFFIX = r"(?:\.H_(?P<hostname>\S+?)|\.G(?P<priority>\d+)_(?P<group>\S+?))?"


@dataclass(frozen=True)
class Specificity:
    """For whom a file is; neither a host nor a group means every client.

    Attributes:
        hostname: the one client that it is for.
        group, priority: the group that it is for, and how it compares with those for other groups.
    """

    hostname: str | None = None
    group: str | None = None
    priority: int = 0

    @classmethod
    def of_match(cls, match: re.Match[str]) -> Specificity:
        """From a match of an expression that contains `SUFFIX`."""
        group = match.group("group")
        return cls(match.group("hostname"), group, int(match.group("priority")) if group else 0)

    @classmethod
    def of_suffix(cls, text: str) -> Specificity:
        """From ``""``, ``.H_host`` or ``.G10_group``; `SpecificityError` for anything else."""
        match = re.fullmatch(SUFFIX, text)
        if match is None:
            raise SpecificityError(f"{text!r} is neither .H_<host> nor .G<number>_<group>")
        return cls.of_match(match)

    @property
    def is_for_all(self) -> bool:
        """Whether it is for every client."""
        return self.hostname is None and self.group is None

    @property
    def suffix(self) -> str:
        """What a file name has behind its base for this specificity; group numbers have at least two digits."""
        if self.hostname is not None:
            return f".H_{self.hostname}"
        if self.group is not None:
            return f".G{self.priority:02d}_{self.group}"
        return ""

    def matches(self, metadata: ClientMetadata) -> bool:
        """Whether it is for this client."""
        if self.hostname is not None:
            return self.hostname == metadata.hostname
        return self.group is None or self.group in metadata.groups

    @property
    def rank(self) -> tuple[int, int]:
        """Sorts the most specific first."""
        if self.hostname is not None:
            return (0, 0)
        return (1, -self.priority) if self.group is not None else (2, 0)


class Specific(Protocol):
    """A file that is for somebody."""

    @property
    def specificity(self) -> Specificity:
        """For whom it is."""

    @property
    def path(self) -> object:
        """The file; its text orders files of equal rank."""


SpecificT = TypeVar("SpecificT", bound=Specific)


def sorted_matches(files: Iterable[SpecificT], metadata: ClientMetadata) -> list[SpecificT]:
    """The files that are for a client, most specific first; equal ones in the order of their names."""
    found = [file for file in files if file.specificity.matches(metadata)]
    if len(found) > 1:
        found.sort(key=lambda file: (file.specificity.rank, str(file.path)))
    return found


def best_match(files: Iterable[SpecificT], metadata: ClientMetadata) -> SpecificT | None:
    """The most specific file for a client, or None. Of equals the first name is taken, with a warning."""
    found = sorted_matches(files, metadata)
    if len(found) > 1 and found[0].specificity.rank == found[1].specificity.rank:
        log.warning("%s: %s is as specific as %s; the first is used", metadata.hostname, found[1].path, found[0].path)
    return found[0] if found else None


class Candidates(Generic[SpecificT]):
    """Files of which each client gets the most specific one; sorted once, so that choosing is a few look-ups.

    Of files of equal rank the first name is used, with one warning for each pair that a client meets.
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
        """Whether every client gets the same."""
        return not self._hosts and not self._groups

    def best(self, metadata: ClientMetadata) -> SpecificT | None:
        """The most specific file for a client, or None."""
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
            # Nearly always there is nothing to report, and a site has tens of thousands of these objects.
            self._reported = set()
        pair = (str(first.path), str(second.path))
        if pair not in self._reported:
            self._reported.add(pair)
            log.warning("%s is as specific as %s; where both fit, the first is used", *pair)
