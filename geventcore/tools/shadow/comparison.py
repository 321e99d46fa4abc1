"""The differences between what two servers answer to a host."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from geventcore.errors import GeventcoreError
from geventcore.tools.diff.changes import Differences
from geventcore.tools.diff.model import ADDED, REMOVED, Change
from geventcore.tools.diff.secrets import Secrets
from geventcore.tools.shadow.meaning import is_private, normalised

#: Kind of a difference -> its meaning, in the order of reports.
KINDS = {
    "no-configuration": "this server gives no configuration",
    "fails-here": "entries that fail on this server only",
    "missing": "entries that only the old server gives",
    "extra": "entries that only this server gives",
    "missing-bundle": "empty bundles that only the old server gives",
    "extra-bundle": "empty bundles that only this server gives",
    "content": "contents that differ",
    "attributes": "attributes that differ",
    "moved": "entries in another bundle",
    "independent": "bundles that are independent on one server only",
    "probe": "probes that differ",
    "works-here": "entries that fail on the old server only",
}
_HIDDEN = "(the lines are not shown: the content is secret)"


@dataclass(frozen=True)
class Difference:
    """One difference.

    Attributes:
        kind: one of `KINDS`.
        subject: the entry, such as ``Path:/etc/motd``, or the bundle or probe.
        detail: lines with ``-`` for the old server and ``+`` for this one, or a reason.
    """

    kind: str
    subject: str
    detail: tuple[str, ...] = ()

    def with_name(self, old: str, new: str) -> Difference:
        """Return the difference with a name of a host replaced by another."""
        return Difference(
            self.kind, self.subject.replace(old, new), tuple(line.replace(old, new) for line in self.detail)
        )


class CarefulSecrets(Secrets):
    """The secrets of this site, and what may be one of the old server's: contents that only their owner may read."""

    def hides(self, entry: etree._Element) -> bool:
        """Return true if the content of an entry must not be shown."""
        return is_private(entry) or super().hides(entry)


#: What must not be shown if the site's own secrets are not known.
UNKNOWN_SECRETS = CarefulSecrets()


def parse_document(text: str | bytes, what: str) -> etree._Element:
    """Parse a document that a server has sent; `GeventcoreError` if it is not one."""
    data = text.encode() if isinstance(text, str) else text
    try:
        return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    except etree.XMLSyntaxError as err:
        raise GeventcoreError(f"the {what} is not well-formed: {err.msg}") from err


def compare_configurations(
    old: etree._Element, new: etree._Element, secrets: Secrets = UNKNOWN_SECRETS
) -> list[Difference]:
    """Return the differences between the old server's configuration of a host and ours; neither is changed."""
    if new.tag == "error":
        return [Difference("no-configuration", "", (new.get("type") or "",))]
    old, new = copy.deepcopy(old), copy.deepcopy(new)
    reasons = {_label(entry): entry.get("failure", "") for entry in _entries(new) if entry.get("failure") is not None}
    old, new = normalised(old), normalised(new)
    found = [*_take_failures(old, new, reasons), *_take_independence(old, new)]
    for change in Differences(secrets, context=0).of(etree.tostring(old), etree.tostring(new)):
        found += _of_change(change)
    return sorted(found, key=lambda difference: (list(KINDS).index(difference.kind), difference.subject))


def _of_change(change: Change) -> Iterator[Difference]:
    """Yield the differences that a change means, one for each kind."""
    is_entry = ":" in change.what.partition(" ")[0]
    if change.kind in (ADDED, REMOVED):
        kind = "extra" if change.kind == ADDED else "missing"
        place = (f"in bundle {change.bundle}",) if change.bundle else ()
        yield Difference(kind if is_entry else f"{kind}-bundle", change.what, place)
        return
    if change.attributes:
        lines = [
            f"{sign}{name}={value!r}"
            for name, before, after in change.attributes
            for sign, value in (("-", before), ("+", after))
            if value is not None
        ]
        yield Difference("attributes", change.what, tuple(lines))
    if change.is_hidden:
        yield Difference("content", change.what, (_HIDDEN,))
    elif change.text or change.children:
        lines = [line for line in (*change.text, *change.children) if not line.startswith("@@")]
        yield Difference("content", change.what, tuple(lines))
    if change.moved_from:
        yield Difference("moved", change.what, (f"from bundle {change.moved_from} to bundle {change.bundle}",))


def _entries(root: etree._Element) -> Iterator[etree._Element]:
    for structure in root.iterchildren(etree.Element):
        yield from structure.iterchildren(etree.Element)


def _label(entry: etree._Element) -> str:
    return f"{entry.tag}:{entry.get('name')}"


def _take_failures(old: etree._Element, new: etree._Element, reasons: dict[str, str]) -> Iterator[Difference]:
    """Yield the entries that fail on one side, and remove entries that fail on any side: the rest of them is noise."""
    failing = [{_label(entry) for entry in _entries(root) if entry.get("failure") is not None} for root in (old, new)]
    given = [{_label(entry) for entry in _entries(root)} for root in (old, new)]
    for label in sorted(failing[1] - failing[0]):
        yield Difference("fails-here", label, (reasons[label],))
    for label in sorted(failing[0] - failing[1]):
        # A client can do nothing with an entry that the server could not bind.
        yield Difference("works-here", label, () if label in given[1] else ("this server does not give it",))
    for root in (old, new):
        for entry in list(_entries(root)):
            parent = entry.getparent()
            if parent is not None and _label(entry) in failing[0] | failing[1]:
                parent.remove(entry)


def _take_independence(old: etree._Element, new: etree._Element) -> Iterator[Difference]:
    """Yield the bundles that are independent on one side only, and make both the same."""
    sides = [
        {str(each.get("name")): each for each in root.iterchildren("Bundle", "Independent")} for root in (old, new)
    ]
    for name in sorted(sides[0].keys() & sides[1].keys()):
        if sides[0][name].tag != sides[1][name].tag:
            yield Difference("independent", f"Bundle {name}", (f"-{sides[0][name].tag}", f"+{sides[1][name].tag}"))
            sides[1][name].tag = sides[0][name].tag


def compare_probes(old: etree._Element, new: list[etree._Element]) -> list[Difference]:
    """Return the differences between the probes that a host gets."""
    sides = [
        {f"{probe.get('source')}:{probe.get('name')}": probe for probe in probes} for probes in (old.iter("probe"), new)
    ]
    found = []
    for name in sorted({*sides[0], *sides[1]}):
        if name not in sides[1]:
            found.append(Difference("probe", name, ("only the old server asks for it",)))
        elif name not in sides[0]:
            found.append(Difference("probe", name, ("only this server asks for it",)))
        else:
            scripts = [(side[name].get("interpreter"), (side[name].text or "").strip()) for side in sides]
            if scripts[0] != scripts[1]:
                found.append(Difference("probe", name, ("the script differs",)))
    return found
