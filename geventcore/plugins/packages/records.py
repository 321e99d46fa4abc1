"""The facts about one package that a parser takes from the metadata of a source."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from geventcore.plugins.packages.index import Condition, PackageGroup


class Priority(IntEnum):
    """The priority of a package, in Debian's terms (Debian policy, 2.5)."""

    UNKNOWN = 0
    REQUIRED = 1
    IMPORTANT = 2
    STANDARD = 3
    OPTIONAL = 4
    EXTRA = 5


@dataclass(slots=True)
class PackageRecord:
    """One package of one architecture.

    Attributes:
        name: its name.
        version: its version as the source writes it; empty if it has none.
        requires: each requirement is a tuple of alternatives, of which one is needed; in the order of preference.
        recommends: the same for what is wanted but not needed.
        provides: further names that it fulfils; the condition is the version that it provides, or empty.
        conflicts: packages that it cannot stand beside.
        essential: whether every system of this kind has it.
        important: whether the package manager protects it from removal.
    """

    name: str
    version: str = ""
    requires: list[tuple[Condition, ...]] = field(default_factory=list)
    recommends: list[tuple[Condition, ...]] = field(default_factory=list)
    provides: list[Condition] = field(default_factory=list)
    conflicts: list[Condition] = field(default_factory=list)
    essential: bool = False
    important: bool = False
    priority: Priority = Priority.UNKNOWN


@dataclass(slots=True)
class SourceRecords:
    """All that a source says about one architecture.

    Attributes:
        packages: name -> package; of several versions the newest.
        groups: name -> packages of the group.
        mentions: names in the order in which the source mentions them first, where that order matters.
    """

    packages: dict[str, PackageRecord] = field(default_factory=dict)
    groups: dict[str, PackageGroup] = field(default_factory=dict)
    mentions: dict[str, None] = field(default_factory=dict)
