"""The parts of an explanation. All are immutable, and `as_json` makes them objects for programs.

File names are relative to the repository for files in it, and absolute for others.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from geventcore.plugin.explanation import Candidate, GroupReason, Obstacle, Source

T = TypeVar("T")


@dataclass(frozen=True)
class Value:
    """An attribute or the text of an entry.

    Attributes:
        name: the attribute's name; empty for the text.
        value: the value; empty if it is hidden.
        source: where it comes from.
        is_hidden: true if the value is a secret.
    """

    name: str
    value: str
    source: Source
    is_hidden: bool = False


@dataclass(frozen=True)
class EntryExplanation:
    """An entry of the host's configuration, or an element inside of one.

    Attributes:
        tag, name: the entry.
        structure: the bundle, or other structure, that it is in.
        source: the place that names the entry.
        generator: the plugin that bound it; empty if no plugin did.
        attributes: in the order of the entry.
        text: the content; None if there is none.
        children: the elements inside.
        lost: the candidates that were not used.
        alternative: the ``altsrc`` under whose name it was bound; empty if it was bound under its own.
        failure: why it could not be bound; empty if it was.
        decisions: the patterns in the lists of Decisions that match the entry.
    """

    tag: str
    name: str
    structure: str
    source: Source
    generator: str = ""
    attributes: tuple[Value, ...] = ()
    text: Value | None = None
    children: tuple[EntryExplanation, ...] = ()
    lost: tuple[Candidate, ...] = ()
    alternative: str = ""
    failure: str = ""
    decisions: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """``Tag:name``."""
        return f"{self.tag}:{self.name}" if self.name else self.tag


@dataclass(frozen=True)
class Step:
    """One step of the path to a group or bundle: the name that it leads to, and the place that says so."""

    name: str
    source: Source


@dataclass(frozen=True)
class GroupPath:
    """A group of the host.

    Attributes:
        name, category: the group.
        path: the steps that lead to it, from the client on.
        reasons: every reason, of which the path follows one.
    """

    name: str
    category: str
    path: tuple[Step, ...]
    reasons: tuple[GroupReason, ...] = ()


@dataclass(frozen=True)
class BundlePath:
    """A bundle or other structure of the host.

    Attributes:
        kind, name: ``Bundle`` or ``Independent``, and its name.
        source: its file, or the plugin that added it.
        paths: for each group of the host that brings it: the path to the group, and to the bundle.
        attributes: its own attributes.
        entries: the number of its entries.
    """

    kind: str
    name: str
    source: Source
    paths: tuple[tuple[Step, ...], ...] = ()
    attributes: tuple[Value, ...] = ()
    entries: int = 0


@dataclass(frozen=True)
class Absence:
    """An entry, group or bundle that the host does not get.

    Attributes:
        kind: ``entry``, ``group`` or ``bundle``.
        name: its name, ``Tag:name`` for an entry.
        obstacles: why, the nearest first.
        generators: for an entry: the plugins that could bind it.
        similar: names that the host gets, and that are like this one.
    """

    kind: str
    name: str
    obstacles: tuple[Obstacle, ...] = ()
    generators: tuple[str, ...] = ()
    similar: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """The answer to a question about one host.

    Attributes:
        host, profile: the host.
        is_whole: true if everything was asked for.
        error: why there is no configuration; empty if there is one.
        groups, bundles, entries: what the question asks for; everything without a question.
        absences: what was asked for, and the host does not get.
    """

    host: str
    profile: str
    error: str = ""
    is_whole: bool = False
    groups: tuple[GroupPath, ...] = ()
    bundles: tuple[BundlePath, ...] = ()
    entries: tuple[EntryExplanation, ...] = ()
    absences: tuple[Absence, ...] = ()


def as_json(value: Any) -> Any:
    """Return a part of an explanation as JSON represents it; empty fields are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {each.name: as_json(getattr(value, each.name)) for each in dataclasses.fields(value)}
        if isinstance(value, Source):
            fields["place"] = value.place
        return {name: found for name, found in fields.items() if found not in (None, "", [], {}, False)}
    if isinstance(value, tuple | list):
        return [as_json(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): as_json(each) for key, each in value.items()}
    return value


def relative_to(value: T, repository: Path) -> T:
    """Return a part of an explanation in which the names of files in the repository are relative to it."""
    prefix = f"{repository}{os.sep}"
    changed: Any = value
    if isinstance(value, tuple):
        changed = tuple(relative_to(each, repository) for each in value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {}
        for each in dataclasses.fields(value):
            old = getattr(value, each.name)
            if each.name == "file":
                fields[each.name] = old.removeprefix(prefix)
            elif isinstance(old, tuple) or dataclasses.is_dataclass(old):
                fields[each.name] = relative_to(old, repository)
            elif each.name in ("reason", "text") and isinstance(old, str):
                fields[each.name] = old.replace(prefix, "")
        changed = dataclasses.replace(value, **fields)
    result: T = changed
    return result
