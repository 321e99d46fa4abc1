"""The differences that a check finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

#: Kind -> its title, in the order of the report.
KINDS = {
    "plugins": "Plugins",
    "options": "Options",
    "python2": "Python 2 code",
    "files": "Files that are not understood",
    "results": "Results that differ",
}
#: Severity -> its meaning, the worst first.
SEVERITIES = {
    "error": "does not work: the server does not start, or a client lacks something",
    "warning": "works in another way, or is ignored",
    "note": "good to know",
}


@dataclass(frozen=True)
class Difference:
    """One difference.

    Attributes:
        kind: a key of `KINDS`.
        severity: a key of `SEVERITIES`.
        where: the file and line, the plugin or the option; may be empty.
        text: what differs, and what to do.
    """

    kind: str
    severity: str
    where: str
    text: str


@dataclass
class Differences:
    """The result of a check.

    Attributes:
        config_file, repository: the site.
        plugins: the names in ``[server] plugins``.
        found: the differences, each once, in the order in which they were found.
    """

    config_file: str
    repository: str = ""
    plugins: tuple[str, ...] = ()
    found: list[Difference] = field(default_factory=list)

    def add(self, kind: str, severity: str, where: str, text: str) -> None:
        """Add a difference unless it is known."""
        difference = Difference(kind, severity, where, " ".join(text.split()))
        if difference not in self.found:
            self.found.append(difference)

    def of_kind(self, kind: str) -> Iterator[Difference]:
        """Yield the differences of a kind, the worst first."""
        order = list(SEVERITIES)
        yield from sorted(
            (each for each in self.found if each.kind == kind), key=lambda each: order.index(each.severity)
        )

    def count(self, severity: str) -> int:
        """Return the number of differences with a severity."""
        return sum(each.severity == severity for each in self.found)
