"""Reuse: what keeps the server from sending an answer again. Asks the render cache, for a host of each profile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lxml import etree

from geventcore.errors import GeventcoreError
from geventcore.tools.inspection import failures_of
from geventcore.tools.lint.base import Check
from geventcore.tools.lint.findings import Finding, Kind, Place
from geventcore.units import counted

#: The hosts that are built at most.
MOST_HOSTS = 20
#: An answer is sent again only when two builds have logged the same.
BUILDS = 3


class Reuse(Check):
    """Entries and answers that the server makes anew for each request (``info build --why-rendered``)."""

    name = "Reuse"
    is_own = True
    needs_core = True
    kinds = (
        Kind(
            "entry-not-reusable",
            "note",
            "An entry is bound anew for each request.",
            "Templates that read only their variables can be reused: read the time, files and the network in a probe "
            "or a connector.",
        ),
        Kind(
            "answer-not-reusable",
            "note",
            "The answers of hosts are put together anew for each request.",
            "The results of a plugin of your own are reused if it declares its dependencies; the manual's page on the "
            "render cache says how.",
        ),
    )

    def run(self) -> Iterator[Finding]:
        if self.site.core is None or self.site.listed is not None:
            return
        of_entries: dict[tuple[str, str], list[str]] = {}
        of_answers: dict[str, list[str]] = {}
        for host in self._hosts():
            document = b""
            try:
                for _ in range(BUILDS):
                    document = self.site.core.write_configuration(host)
            except GeventcoreError:
                # geventcore test says which hosts cannot be built.
                continue
            found = self.site.core.renderer.answers.explanation(host)
            if found is None:
                return
            failing = {entry for entry, _ in failures_of(etree.fromstring(document))}
            for entry, reason in found.open_entries.items():
                if entry not in failing:
                    of_entries.setdefault((entry, self._short(reason)), []).append(host)
            for reason in found.reasons:
                of_answers.setdefault(self._short(reason), []).append(host)
        for (entry, reason), hosts in sorted(of_entries.items()):
            message = f"{entry} is bound anew for each request of {_some(hosts)}: {reason}"
            yield self.found("entry-not-reusable", message, self._place(entry, reason), entry)
        for reason, hosts in sorted(of_answers.items()):
            message = f"the answer for {_some(hosts)} is put together for each request: {reason}"
            yield self.found("answer-not-reusable", message, self._place("", reason))

    def _hosts(self) -> list[str]:
        """Return a host of each profile."""
        by_profile: dict[str | None, str] = {}
        for metadata in self.site.metadata_of_clients:
            by_profile.setdefault(metadata.profile, metadata.hostname)
        return sorted(by_profile.values())[:MOST_HOSTS]

    def _short(self, reason: str) -> str:
        """Return a reason with paths below the repository."""
        return reason.replace(f"{self.site.repository}/", "")

    def _place(self, entry: str, reason: str) -> Place | None:
        """Return the file that a reason names, else the first file of an entry of Cfg."""
        path = self.site.repository / reason.partition(":")[0]
        if path.is_file():
            return Place(path)
        tag, _, name = entry.partition(":")
        found = self.site.cfg.entries.get(name) if tag == "Path" else None
        contents = [file.path for file in found.files if file.path.suffix != ".xml"] if found is not None else []
        return Place(contents[0]) if contents else None


def _some(hosts: Sequence[str]) -> str:
    """Return the hosts in a few words; each stands for those of its profile."""
    return hosts[0] if len(hosts) == 1 else f"{hosts[0]} and {counted(len(hosts) - 1, 'other profile')}"
