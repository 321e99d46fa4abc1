"""The outcome of a comparison: changes, each with the hosts that have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

#: The kinds of changes.
ADDED, REMOVED, CHANGED = "added", "removed", "changed"
#: What stands for a value that is not shown.
HIDDEN = "(hidden)"
#: What stands for a host's own name in a change that several hosts have.
OWN_NAME = "{hostname}"
#: The same while changes are gathered: no file has it.
OWN_TOKEN = "\x7fhostname\x7f"


@dataclass(frozen=True)
class Change:
    """A difference of one entry, structure, or configuration.

    Attributes:
        kind: ``added``, ``removed`` or ``changed``.
        what: ``Tag:name`` of an entry; ``Bundle name`` of a structure without entries; ``host`` for a client that only
            one side has; ``configuration`` if a side has no configuration for the host.
        bundle: the structure that the entry is in, on the second side if both have it.
        moved_from: the structure on the first side, if it is another one.
        attributes: name, old value and new value; None where the side lacks the attribute.
        text: the lines of a unified diff of the content, without the lines with names.
        children: the lines of a unified diff of the elements inside.
        is_hidden: true if the content is a secret and differs.
        note: more, in a sentence.
    """

    kind: str
    what: str
    bundle: str = ""
    moved_from: str = ""
    attributes: tuple[tuple[str, str | None, str | None], ...] = ()
    text: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    is_hidden: bool = False
    note: str = ""

    def for_hosts(self, hosts: Sequence[str]) -> Change:
        """Return the change as it is shown: with the name of the host if it has only one, else with `OWN_NAME`."""
        name = hosts[0] if len(hosts) == 1 else OWN_NAME

        def other(text: str | None) -> Any:
            return None if text is None else text.replace(OWN_TOKEN, name)

        return replace(
            self,
            what=other(self.what),
            attributes=tuple((name, other(before), other(after)) for name, before, after in self.attributes),
            text=tuple(map(other, self.text)),
            children=tuple(map(other, self.children)),
            note=other(self.note),
        )

    @property
    def title(self) -> str:
        """The change in a line, such as ``Package:openssl added``."""
        place = f" (bundle {self.bundle})" if self.bundle else ""
        moved = f", moved from the bundle {self.moved_from}" if self.moved_from else ""
        note = f": {self.note}" if self.note else ""
        return f"{self.what} {self.kind}{place}{moved}{note}"


@dataclass(frozen=True)
class Comparison:
    """The outcome for all hosts.

    Attributes:
        old, new: the names of the sides.
        hosts: the number of hosts that were selected.
        built: the number of hosts that were built on both sides; no file that the others need has changed.
        changes: change -> the hosts that have it, sorted; most hosts first. Changes that differ only in the host's own
            name are one; `OWN_NAME` stands for it.
        problems: messages about files that only the new side cannot read.
        old_problems: the same for the old side.
        seconds: the duration.
    """

    old: str
    new: str
    hosts: int
    built: int
    changes: dict[Change, list[str]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    old_problems: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def changed_hosts(self) -> set[str]:
        """The hosts with at least one change."""
        return {host for hosts in self.changes.values() for host in hosts}

    @property
    def is_equal(self) -> bool:
        """True if no host has a change, and no file became unreadable."""
        return not self.changes and not self.problems


def as_json(found: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON represents it."""
    return {
        "old": found.old,
        "new": found.new,
        "hosts": found.hosts,
        "built": found.built,
        "changed_hosts": len(found.changed_hosts),
        "seconds": round(found.seconds, 3),
        "problems": list(found.problems),
        "old_problems": list(found.old_problems),
        "changes": [
            {
                "kind": change.kind,
                "what": change.what,
                "bundle": change.bundle,
                "moved_from": change.moved_from,
                "attributes": [{"name": name, "old": old, "new": new} for name, old, new in change.attributes],
                "text": list(change.text),
                "children": list(change.children),
                "hidden": change.is_hidden,
                "note": change.note,
                "hosts": hosts,
            }
            for change, hosts in found.changes.items()
        ],
    }
