"""The base class of checks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from lxml import etree

from geventcore.tools.lint.documents import label_of
from geventcore.tools.lint.findings import Finding, Kind, Place
from geventcore.tools.lint.site import LintSite


class Check(ABC):
    """A check of a repository.

    Class attributes:
        name: the name in ``[lint] plugins``.
        plugin: the check is done by default only if this plugin of the server is enabled.
        is_serverless: true if the check needs only the files. Such checks are done first.
        is_own: true for a check that Bcfg2 does not have.
        needs_core: true if the check asks the server, which is then loaded without a network.
        shards: the number of parts that may be done in parallel; part `shard` does every `shards`-th file.
        kinds: the kinds of its findings.
    """

    name: ClassVar[str]
    plugin: ClassVar[str | None] = None
    is_serverless: ClassVar[bool] = False
    is_own: ClassVar[bool] = False
    needs_core: ClassVar[bool] = False
    shards: ClassVar[int] = 1
    kinds: ClassVar[tuple[Kind, ...]]

    def __init__(self, site: LintSite, shard: int = 0) -> None:
        self.site = site
        self.shard = shard

    @abstractmethod
    def run(self) -> Iterator[Finding]:
        """Yield the findings."""

    def mine(self, files: Sequence[Path]) -> Sequence[Path]:
        """Return the files of this part."""
        return files[self.shard :: self.shards]

    def found(
        self,
        name: str,
        message: str,
        place: Place | Path | None = None,
        entry: str = "",
        *,
        advice: str = "",
        details: Sequence[str] = (),
        others: Sequence[Path] = (),
    ) -> Finding:
        """Return a finding of one of the check's kinds."""
        kind = self.kind(name)
        if isinstance(place, Path):
            place = Place(place)
        return Finding(name, message, place, entry, advice or kind.advice, tuple(details), tuple(others))

    def found_at(self, name: str, message: str, element: etree._Element, path: Path, attribute: str = "") -> Finding:
        """Return a finding about an element of the document of a file."""
        place = self.site.place(path, element, attribute)
        return self.found(name, message, place, label_of(element))

    @classmethod
    def kind(cls, name: str) -> Kind:
        """Return one of the check's kinds."""
        return next(kind for kind in cls.kinds if kind.name == name)
