"""Agreement of each resolver with ``apt-get -s install --no-install-recommends``, for all clients of a site.

    python -m contrib.packages.make_site SITE
    python -m contrib.packages.compare_with_apt SITE

For each client both get the packages that it asks for and the essential ones. The agreement is the number of packages
that both install, in percent of those that either installs: one package too many counts as much as one too few. Clients
whose packages apt refuses to install together do not count.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lxml import etree

from contrib.packages.apt import AptError, PrivateApt
from geventcore.plugins.packages.cache import PackageCache
from geventcore.plugins.packages.collection import Collection
from geventcore.plugins.packages.index import PackageIndex
from geventcore.plugins.packages.jobs import Job, JobSource
from geventcore.plugins.packages.refreshing import Refresh
from geventcore.plugins.packages.source import Source, read_sources

#: Name -> options of the collection.
RESOLVERS: Mapping[str, Mapping[str, Any]] = {
    "enabled": {},
    "alternatives = first": {"first_alternative": True},
    "apt-like": {"apt_like": True},
}


@dataclass
class Agreement:
    """The packages of some clients, counted.

    Attributes:
        both: those that apt and a resolver install.
        missing: those that only apt installs.
        extra: those that only the resolver installs.
    """

    both: int = 0
    missing: int = 0
    extra: int = 0

    def add(self, expected: frozenset[str], found: frozenset[str]) -> None:
        """Count the packages of a client."""
        self.both += len(expected & found)
        self.missing += len(expected - found)
        self.extra += len(found - expected)

    @property
    def percent(self) -> float:
        """The packages that both install, in percent of those that either installs."""
        all_packages = self.both + self.missing + self.extra
        return 100.0 * self.both / all_packages if all_packages else 100.0


@dataclass
class Comparison:
    """The agreement of all resolvers.

    Attributes:
        totals: resolver -> agreement over all clients.
        clients: client -> resolver -> agreement.
        refused: client -> last line of apt's complaint.
    """

    totals: dict[str, Agreement] = field(default_factory=lambda: {name: Agreement() for name in RESOLVERS})
    clients: dict[str, dict[str, Agreement]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The figures, with agreements in percent."""

        def figures(agreements: Mapping[str, Agreement]) -> dict[str, Any]:
            return {name: {**vars(one), "percent": round(one.percent, 3)} for name, one in agreements.items()}

        return {
            "totals": figures(self.totals),
            "clients": {client: figures(agreements) for client, agreements in self.clients.items()},
            "refused": self.refused,
        }


class _MadeIndexes:
    """The indexes in a cache."""

    def __init__(self, cache: PackageCache) -> None:
        self._cache = cache
        self._indexes: dict[Path, PackageIndex] = {}

    def index(self, source: Source, architecture: str) -> PackageIndex | None:
        path = self._cache.index(source.origin, architecture)
        if path not in self._indexes:
            self._indexes[path] = PackageIndex.open(path)
        return self._indexes[path]


def collections(sources: Path, cache: Path) -> dict[str, Collection]:
    """Resolver -> all sources of a ``sources.xml``, whose indexes are made in a directory."""
    found = read_sources(etree.parse(str(sources)).getroot(), str(sources), ["apt"])
    store = PackageCache(cache)
    store.create()
    Refresh(Job(str(cache), tuple(JobSource(source.origin) for source in found))).run()
    indexes = _MadeIndexes(store)
    with_architectures = [(source, source.architectures) for source in found]
    return {name: Collection(with_architectures, indexes, **options) for name, options in RESOLVERS.items()}


def compare(
    hosts: Mapping[str, Iterable[str]],
    resolvers: Mapping[str, Collection],
    install: Callable[[frozenset[str]], frozenset[str]],
    progress: Callable[[str], None],
) -> Comparison:
    """Compare the packages of all clients; `install` is apt's choice."""
    comparison = Comparison()
    essential = next(iter(resolvers.values())).essential_packages
    for host, asked in hosts.items():
        names = frozenset(asked) | essential
        try:
            expected = install(names)
        except AptError as err:
            comparison.refused[host] = str(err).strip().rpartition("\n")[2]
            progress(f"{host:12} apt: {comparison.refused[host]}")
            continue
        agreements = comparison.clients[host] = {name: Agreement() for name in resolvers}
        for name, collection in resolvers.items():
            found = collection.resolve(names, {}).packages
            agreements[name].add(expected, found)
            comparison.totals[name].add(expected, found)
        progress(_line(host, agreements))
    return comparison


def _line(title: str, agreements: Mapping[str, Agreement]) -> str:
    cells = (f"{one.percent:>10.3f} {one.missing:>8} {one.extra:>6}" for one in agreements.values())
    return f"{title:12}" + "".join(cells)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status: 1 if apt-like agrees less than required."""
    made = argparse.ArgumentParser(
        prog="python -m contrib.packages.compare_with_apt",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("site", type=Path, help="a directory that contrib.packages.make_site has made")
    made.add_argument("--clients", type=int, metavar="N", help="only the first N clients")
    made.add_argument("--json", type=Path, metavar="FILE", help="write all figures there; - is standard output")
    made.add_argument(
        "--at-least", type=float, default=99.5, metavar="PERCENT", help="required of apt-like (default: 99.5)"
    )
    options = made.parse_args(arguments)
    site: Path = options.site.resolve()
    try:
        hosts: dict[str, list[str]] = json.loads((site / "clients.json").read_text())
    except OSError as err:
        print(f"{err.filename}: {err.strerror}; make a site with contrib.packages.make_site first", file=sys.stderr)
        return 2
    to_stdout = options.json == Path("-")

    def progress(line: str) -> None:
        print(line, file=sys.stderr if to_stdout else sys.stdout, flush=True)

    with tempfile.TemporaryDirectory(prefix="compare-with-apt-") as cache:
        resolvers = collections(site / "repo/Packages/sources.xml", Path(cache))
        progress(f"{'':12}" + "".join(f"{name:>26}" for name in resolvers))
        progress(f"{'client':12}" + "         %  missing  extra" * len(resolvers))
        chosen = dict(list(hosts.items())[: options.clients])
        comparison = compare(chosen, resolvers, PrivateApt(site / "apt").installs, progress)
    progress(_line("all", comparison.totals))
    if options.json is not None:
        text = json.dumps(comparison.as_json(), indent=2)
        if to_stdout:
            print(text)
        else:
            options.json.write_text(f"{text}\n")
    return 0 if comparison.totals["apt-like"].percent >= options.at_least else 1


if __name__ == "__main__":
    sys.exit(main())
