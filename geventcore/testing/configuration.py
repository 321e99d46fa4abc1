"""A client's configuration with assertions."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree


@dataclass(frozen=True)
class BuiltConfiguration:
    """A client's configuration.

    Attributes:
        hostname: the client.
        root: the document, as the client gets it.
    """

    hostname: str
    root: etree._Element

    def entries(self, tag: str | None = None) -> Iterator[etree._Element]:
        """Yield the entries of all structures; with a tag, only those."""
        for structure in self.root.iterchildren(etree.Element):
            yield from structure.iterchildren(tag or etree.Element)

    def entry(self, tag: str, name: str) -> etree._Element:
        """Return the one entry of this tag and name, which must be bound.

        Raises:
            AssertionError: there is none, there are several, or it could not be bound; the text names similar entries.
        """
        found = [entry for entry in self.entries(tag) if entry.get("name") == name]
        if not found:
            names = [f"{entry.tag}:{entry.get('name')}" for entry in self.entries()]
            similar = difflib.get_close_matches(f"{tag}:{name}", names, n=5, cutoff=0.4) or names[:5]
            hint = f"; it has {', '.join(similar)}" if similar else ", which has no entries"
            raise AssertionError(f"no {tag}:{name} in the configuration of {self.hostname}{hint}")
        if len(found) > 1:
            raise AssertionError(f"{len(found)} entries {tag}:{name} in the configuration of {self.hostname}")
        failure = found[0].get("failure")
        if failure is not None:
            raise AssertionError(f"{tag}:{name} of {self.hostname} could not be bound: {failure}")
        return found[0]

    def has(self, tag: str, name: str) -> bool:
        """Return true if there is an entry of this tag and name, bound or not."""
        return any(entry.get("name") == name for entry in self.entries(tag))

    def text(self, path: str) -> str:
        """Return the content of a file; `AssertionError` as for `entry`."""
        return self.entry("Path", path).text or ""

    @property
    def failures(self) -> dict[str, str]:
        """``Tag:name`` -> the reason, for the entries that could not be bound."""
        return {
            f"{entry.tag}:{entry.get('name')}": entry.get("failure", "")
            for entry in self.entries()
            if entry.get("failure") is not None
        }

    def assert_bound(self) -> None:
        """Assert that the configuration has entries, and that all of them are bound."""
        assert self.root.tag != "error", f"{self.hostname} gets no configuration: {self.root.get('type')}"
        assert next(self.entries(), None) is not None, f"the configuration of {self.hostname} has no entries"
        assert not self.failures, f"entries of {self.hostname} could not be bound: {self.failures}"
