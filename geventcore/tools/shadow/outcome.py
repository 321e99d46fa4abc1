"""The results of a comparison of hosts: a verdict, kinds of differences, and hosts that have the same ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from geventcore.tools.diff.model import OWN_NAME
from geventcore.tools.shadow.comparison import KINDS, Difference
from geventcore.units import counted

#: The entries that the verdict names at most.
_NAMED = 3


@dataclass(frozen=True)
class HostResult:
    """The result for a host.

    Attributes:
        differences: none if both servers give the same.
        problem: why the host could not be compared, or None.
        entries: the number of entries that the old server gives.
    """

    host: str
    differences: tuple[Difference, ...] = ()
    problem: str | None = None
    entries: int = 0

    @property
    def is_same(self) -> bool:
        """Return true if the host gets the same from both servers."""
        return self.problem is None and not self.differences


@dataclass
class Outcome:
    """The results of all hosts, in the order of comparison.

    Attributes:
        server: the URL of the old server.
        results: the last result of each host.
        notes: what a reader has to know, one sentence each.
    """

    server: str
    results: dict[str, HostResult] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, result: HostResult) -> None:
        """Add the result of a host; it replaces an earlier one."""
        self.results[result.host] = result

    @property
    def compared(self) -> list[HostResult]:
        """The hosts that could be compared."""
        return [result for result in self.results.values() if result.problem is None]

    @property
    def same(self) -> list[HostResult]:
        """The hosts that get the same."""
        return [result for result in self.compared if not result.differences]

    @property
    def problems(self) -> list[HostResult]:
        """The hosts that could not be compared."""
        return [result for result in self.results.values() if result.problem is not None]

    def by_kind(self) -> dict[str, dict[str, list[str]]]:
        """Return kind -> subject -> hosts, in the order of `KINDS`."""
        found: dict[str, dict[str, list[str]]] = {}
        for kind in KINDS:
            for result in self.compared:
                for difference in result.differences:
                    if difference.kind == kind:
                        found.setdefault(kind, {}).setdefault(difference.subject, [])
                        if result.host not in found[kind][difference.subject]:
                            found[kind][difference.subject].append(result.host)
        return found

    def by_difference(self) -> dict[Difference, list[str]]:
        """Return difference -> hosts, those of most hosts first."""
        found: dict[Difference, list[str]] = {}
        for result in self.compared:
            for difference in result.differences:
                found.setdefault(difference, []).append(result.host)
        shown = {
            (each.with_name(OWN_NAME, hosts[0]) if len(hosts) == 1 else each): hosts for each, hosts in found.items()
        }
        return dict(sorted(shown.items(), key=lambda item: (-len(item[1]), item[0].subject, item[0].kind)))

    def verdict(self) -> str:
        """Return the result in a sentence or two that need no knowledge of either program."""
        compared, same = len(self.compared), len(self.same)
        if not compared:
            return "No host could be compared."
        sentences = []
        if same == compared:
            hosts = "The only host gets" if compared == 1 else f"All {compared} hosts get"
            sentences.append(f"{hosts} the same configuration from both servers.")
        elif compared == 1:
            sentences.append(f"The only host gets another configuration: it differs in {self._subjects()}.")
        else:
            differ = compared - same
            sentences.append(
                f"{same or 'None'} of {compared} hosts {'gets' if same in (0, 1) else 'get'} the same configuration;"
                f" {differ} {'differs' if differ == 1 else 'differ'} in {self._subjects()}."
            )
        if self.problems:
            sentences.append(f"{counted(len(self.problems), 'host')} could not be compared.")
        return " ".join(sentences)

    def _subjects(self) -> str:
        counts: Counter[str] = Counter()
        for result in self.compared:
            counts.update({difference.subject or KINDS[difference.kind] for difference in result.differences})
        named = sorted(counts, key=lambda subject: (-counts[subject], subject))[:_NAMED]
        more = len(counts) - len(named)
        return _listed([*named, f"{more} more"] if more else named)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
