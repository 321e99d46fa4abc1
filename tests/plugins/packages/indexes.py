"""Indexes of hand-made package lists."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from geventcore.plugins.packages.index import PackageIndex
from geventcore.plugins.packages.index_writing import encode_index
from geventcore.plugins.packages.kinds.apt import AptParser


def stanza(name: str, **fields: str) -> str:
    """A package of an apt list; ``Pre_Depends`` stands for ``Pre-Depends``."""
    given = {"Version": "1", "Architecture": "amd64", "Priority": "optional", **fields}
    lines = [f"{key.replace('_', '-')}: {value}" for key, value in given.items()]
    return "\n".join((f"Package: {name}", *lines, ""))


def apt_index(*stanzas: str) -> PackageIndex:
    """The index of a list."""
    parser = AptParser("amd64")
    parser.feed(io.BytesIO("\n".join(stanzas).encode()).read)
    return PackageIndex(encode_index("apt", parser.records, 1.0))


@dataclass
class MadeSource:
    """A source with one index."""

    index: PackageIndex
    recommended: bool = False
    hidden: frozenset[str] = frozenset()

    @property
    def indexes(self) -> Any:
        return (self.index,)

    def offers(self, name: str) -> bool:
        return self.index.is_package(name) and name not in self.hidden


def made_source(*stanzas: str, **options: Any) -> MadeSource:
    """A source with the packages of a list."""
    return MadeSource(apt_index(*stanzas), **options)
