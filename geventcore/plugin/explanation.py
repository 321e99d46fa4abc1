"""Explanations: the places that a client's groups, bundles and entries come from.

A plugin that implements `Explaining` tells the places of what it provides, after the fact: nothing is recorded while
configurations are built. ``geventcore explain`` asks it. A plugin that does not implement it is named as the source
without a place.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field

from lxml import etree

from geventcore.plugin.client_metadata import ClientMetadata


@dataclass(frozen=True)
class Condition:
    """A condition around an element: ``Group``, ``Client`` or ``Path``.

    Attributes:
        tag, name, negated: as in the file.
        holds: true if the client meets it.
        line: its line in the file; None if a template has made it.
    """

    tag: str
    name: str
    negated: bool
    holds: bool
    line: int | None = None

    def __str__(self) -> str:
        return f"{'not ' if self.negated else ''}{self.tag} {self.name}"


@dataclass(frozen=True)
class Read:
    """A place in a template that reads a client's metadata, a property or the result of a probe.

    Attributes:
        file, line: the place.
        expression: the code, such as ``metadata.Probes["arch"]``.
        value: the value for the client, shortened; None if it is not a simple value.
    """

    file: str
    line: int
    expression: str
    value: str | None = None


@dataclass(frozen=True)
class Source:
    """The place that a value comes from.

    Attributes:
        plugin: the plugin's name; ``server`` for the server itself.
        kind: the way in which the place has the value:

            * ``attribute``: an attribute of the element at this line, with the same name;
            * ``text``: the text of the element at this line;
            * ``element``: the element at this line, whole;
            * ``content``: the file, whole; ``template``: the file, rendered; ``created``: a file that the server makes;
            * ``assembled``: what `parts` say, one after the other;
            * ``option``: an option of the configuration file, named in `text`;
            * ``plugin``: the plugin itself.
        file: the path of the file; empty if there is none.
        line: the line, from 1; None if it is unknown or the whole file counts.
        text: an explanation for people, in a few words.
        conditions: the conditions around the element, outermost first; all hold.
        reads: the places in the file, if it is a template, that read metadata.
        is_secret: true if the value is private: decrypted, or a private key.
        parts: further places that change or make up the value, in their order.
    """

    plugin: str
    kind: str
    file: str = ""
    line: int | None = None
    text: str = ""
    conditions: tuple[Condition, ...] = ()
    reads: tuple[Read, ...] = ()
    is_secret: bool = False
    parts: tuple[Source, ...] = ()

    @property
    def place(self) -> str:
        """The file and the line."""
        return f"{self.file}:{self.line}" if self.file and self.line else self.file


@dataclass(frozen=True)
class Candidate:
    """Something that could have given the value, and did not.

    Attributes:
        source: the place.
        reason: why it lost, such as ``priority 0 is lower than 10``.
    """

    source: Source
    reason: str


@dataclass
class Sources:
    """The sources of one entry.

    Attributes:
        attributes: name -> source, for the attributes that the plugin sets.
        text: the source of the text.
        children: the source of the child elements.
        lost: the candidates that were not used.
    """

    attributes: dict[str, Source] = field(default_factory=dict)
    text: Source | None = None
    children: Source | None = None
    lost: list[Candidate] = field(default_factory=list)


@dataclass(frozen=True)
class ElementSource:
    """The source of an abstract entry in a structure.

    Attributes:
        tag: the tag and attributes of the entry are compared with the source, so that a mistake is noticed.
        attributes: the same.
        source: the place.
    """

    tag: str
    attributes: Mapping[str, str]
    source: Source


@dataclass(frozen=True)
class StructureSources:
    """The sources of a structure: of itself, and of its children in their order."""

    source: Source
    children: tuple[ElementSource, ...] = ()


@dataclass(frozen=True)
class GroupReason:
    """A reason why a client is in a group.

    Attributes:
        source: the place.
        needs: the groups that the reason depends on; empty for a profile, a probe or a pattern.
    """

    source: Source
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Obstacle:
    """A reason why a client does not get an entry.

    Attributes:
        source: the place where the entry is defined.
        bundle: the bundle of the place; empty if it is in none.
        failed: the conditions that do not hold.
        text: the reason in a sentence.
        distance: the number of things that would have to change; the nearest obstacle has the lowest.
    """

    source: Source
    text: str
    bundle: str = ""
    failed: tuple[Condition, ...] = ()
    distance: int = 1


class Explaining(ABC):
    """A plugin that tells the places of what it provides. Every method may return less than it knows, or nothing."""

    def explain_structures(self, metadata: ClientMetadata) -> Mapping[str, StructureSources]:
        """Return structure name -> sources, for the structures that `build_structures` returns."""
        return {}

    def explain_addition(
        self, entry: etree._Element, metadata: ClientMetadata, structures: MutableSequence[etree._Element]
    ) -> Source | None:
        """Return the source of an entry that `validate_structures` has added to `structures`.

        `structures` are copies of the structures before the plugin has changed them.
        """
        return None

    def explain_binding(self, entry: etree._Element, metadata: ClientMetadata) -> Sources:
        """Return the sources of what `bind_entry` adds to this abstract entry. The entry must not be changed."""
        return Sources()

    def explain_goal(self, entry: etree._Element, metadata: ClientMetadata) -> Sources:
        """Return the sources of what `validate_goals` adds to this bound entry. The entry must not be changed."""
        return Sources()

    def explain_groups(self, metadata: ClientMetadata) -> Mapping[str, Sequence[GroupReason]]:
        """Return group -> reasons, for the groups that the plugin gives the client."""
        return {}

    def explain_absence(self, tag: str, name: str, metadata: ClientMetadata) -> Sequence[Obstacle]:
        """Return the places that define this entry, but not for the client."""
        return ()
