"""Packages of a large site: the first answer, memory, the time of resolving, and what a refresh costs other clients.

    apt-get update
    python -m contrib.packages.make_site SITE
    python -m contrib.bench.packages SITE

The gevent core serves the site from a loopback port. It is started without anything fetched (cold), and with the
indexes of an earlier start (warm); the time of the first answer is that from the start of the process to a client's
configuration. The memory of a further worker is what two workers more take, shared by two, after all clients
have got their configurations from each. While sources that have changed are refreshed, a client calls without pause,
and the table tells how much longer its slowest call took than without a refresh.

The time of resolving is processor time of this process: of the resolver alone, and of ``validate_structures`` as a
whole, for each client's first time and for its second one. The very first client also pays for what all have in common,
unless the server has found that out before, from the names of earlier clients.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import gzip
import http.client
import json
import shutil
import ssl
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from contrib.packages.compare_with_apt import collections
from geventcore.cli.local_core import local_core
from geventcore.errors import GeventcoreError
from geventcore.options.optionset import OptionSet
from geventcore.options.server import COMMON_OPTIONS
from geventcore.options.settings import load_settings
from geventcore.plugins.packages import Packages
from geventcore.plugins.packages.additions import Wanted
from geventcore.simulation.repository import Shape
from geventcore.simulation.sampler import Sampler
from geventcore.simulation.test_bed import HOST, PASSWORD, ServerProcess, TestBed
from geventcore.tools.inspection import structures_of
from geventcore.wire.xmlrpc import dump_call

#: How long the client beside a refresh calls without one, in seconds.
QUIET_SECONDS = 5.0
#: Calls of each client for the memory of workers: enough for each worker to have served each client, as good as surely.
ROUNDS = 8


class Site:
    """A site of `contrib.packages.make_site`, served for measurements from a copy."""

    def __init__(self, directory: Path, work: Path) -> None:
        self.directory = directory
        self.work = work
        self.tree = work / "tree"
        shutil.copytree(directory / "tree", self.tree)
        shutil.copytree(directory / "repo", work / "repo", ignore=shutil.ignore_patterns("cache"))
        sources = work / "repo/Packages/sources.xml"
        sources.write_text(sources.read_text().replace(f"file://{directory}/tree", f"file://{self.tree}"))
        self.hosts: dict[str, list[str]] = json.loads((directory / "clients.json").read_text())
        self._bed = TestBed(work, Shape(1, 1, entries=40))
        self._context = ssl.create_default_context(cafile=str(self._bed.ca))

    @contextlib.contextmanager
    def serving(self, resolver: str, workers: int) -> Iterator[ServerProcess]:
        """Start a server, and stop it at the end of the block."""
        options = {
            "server": {"repository": str(self.work / "repo"), "plugins": "Metadata,Bundler,Packages"},
            "gevent": {"workers": str(workers)},
            "packages": {"resolver": resolver, "refresh_interval": "0"},
        }
        with self._bed.serving(options) as server:
            yield server

    @contextlib.contextmanager
    def connection(self, server: ServerProcess) -> Iterator[http.client.HTTPSConnection]:
        """A connection to a server."""
        made = http.client.HTTPSConnection(HOST, server.port, timeout=300, context=self._context)
        with contextlib.closing(made):
            yield made

    def call(self, server: ServerProcess, host: str, method: str) -> bytes:
        """Call a method for a client, over a connection of its own."""
        with self.connection(server) as connection:
            return _call(connection, host, method)

    def change(self, number: int) -> None:
        """Change all package lists a little, so that a refresh has to read them."""
        for path in self.tree.glob("dists/*/*/*/Packages.gz"):
            text = gzip.decompress(path.read_bytes()) + b"\nPackage: geventcore-bench\nVersion: %d\n" % number
            path.write_bytes(gzip.compress(text, 1))
        # The checksums in them are those of before.
        for path in self.tree.glob("dists/*/Release"):
            path.unlink()


def _call(connection: http.client.HTTPSConnection, host: str, method: str) -> bytes:
    login = base64.b64encode(f"{host}:{PASSWORD}".encode()).decode()
    headers = {"Content-Type": "text/xml", "Authorization": f"Basic {login}"}
    connection.request("POST", "/RPC2", dump_call(method, ()), headers)
    response = connection.getresponse()
    answer = response.read()
    if response.status != http.client.OK or b"<fault>" in answer:
        raise GeventcoreError(f"{method} of {host} failed: {response.status} {answer[:300]!r}")
    return answer


def first_answer(site: Site, resolver: str) -> dict[str, float]:
    """Seconds from the start until the server serves, and until the first client has its configuration."""
    begin = time.monotonic()
    with site.serving(resolver, workers=1) as server:
        ready = time.monotonic() - begin
        before = time.monotonic()
        site.call(server, next(iter(site.hosts)), "GetConfig")
        configuration = time.monotonic() - before
    return {"serving": ready, "configuration": configuration, "both": ready + configuration}


def memory(site: Site, resolver: str, workers: int) -> float:
    """PSS of all processes after all clients have got their configurations from each worker, in MB."""
    with site.serving(resolver, workers) as server:
        for _ in range(ROUNDS):
            for host in site.hosts:
                site.call(server, host, "GetConfig")
        return sum(process.pss for process in Sampler([server.pid]).processes()) / 1e6


def refresh(site: Site, resolver: str) -> dict[str, float]:
    """The slowest call of a client in milliseconds, without and with a refresh, and how long that took in seconds."""
    hosts = list(site.hosts)
    with site.serving(resolver, workers=1) as server, site.connection(server) as connection:

        def slowest(is_over: Callable[[], bool]) -> float:
            longest = 0.0
            while not is_over():
                before = time.monotonic()
                _call(connection, hosts[0], "GetProbes")
                longest = max(longest, time.monotonic() - before)
            return longest * 1000

        for host in hosts:
            site.call(server, host, "GetConfig")
        end = time.monotonic() + QUIET_SECONDS
        quiet = slowest(lambda: time.monotonic() > end)
        site.change(1)
        begin = time.monotonic()
        refreshing = threading.Thread(target=site.call, args=(server, "root", "Packages.Refresh"))
        refreshing.start()
        beside = slowest(lambda: not refreshing.is_alive())
        seconds = time.monotonic() - begin
        # Then everything has to be found out again.
        asking = threading.Thread(target=site.call, args=(server, hosts[1], "GetConfig"))
        asking.start()
        after = slowest(lambda: not asking.is_alive())
    return {"quiet": quiet, "beside_refresh": beside, "beside_first_client": after, "refresh_seconds": seconds}


def resolving(site: Site) -> dict[str, dict[str, float]]:
    """Resolver -> milliseconds of processor time."""
    with tempfile.TemporaryDirectory() as cache:
        found: dict[str, dict[str, float]] = {}
        known: dict[str, set[str]] = {}
        for name, collection in collections(site.work / "repo/Packages/sources.xml", Path(cache)).items():
            wanted = [
                Wanted(frozenset(names), collection.essential_packages, frozenset()) for names in site.hosts.values()
            ]
            first = [_milliseconds(partial(collection.resolve, one.request.names, {})) for one in wanted]
            for one in wanted:
                collection.addition(one, "auto")
            # Equal, but not the same objects, as in a server.
            again = [replace(one, named=frozenset(list(one.named))) for one in wanted]
            second = [_milliseconds(partial(collection.addition, one, "auto")) for one in again]
            found[name] = {"very_first": first[0], **_summary("first", first[1:]), **_summary("second", second)}
            known[name] = collection.known_names
        for name, collection in collections(site.work / "repo/Packages/sources.xml", Path(cache)).items():
            found[name]["warm_up"] = _milliseconds(partial(collection.warm_up, known[name]))
            warm = [
                _milliseconds(partial(collection.resolve, frozenset(names) | collection.essential_packages, {}))
                for names in site.hosts.values()
            ]
            found[name] |= {"very_first_after_it": warm[0], **_summary("first_after_it", warm[1:])}
        return found


def validating(site: Site, resolver: str) -> dict[str, float]:
    """Milliseconds of processor time for ``validate_structures``."""
    configuration = site.work / "validate.conf"
    configuration.write_text(
        f"[server]\nrepository = {site.work / 'repo'}\nplugins = Metadata,Bundler,Packages\n"
        f"[logging]\nsyslog = false\n[packages]\nresolver = {resolver}\n"
    )
    settings = load_settings(options=OptionSet(COMMON_OPTIONS), config_file=configuration, command_line={})
    with local_core(settings) as core:
        (plugin,) = core.plugins.by_type(Packages)
        rounds: list[list[float]] = []
        for _ in range(2):
            times = []
            for host in site.hosts:
                metadata = core.build_metadata(host)
                structures = list(structures_of(core, metadata))
                times.append(_milliseconds(partial(plugin.validate_structures, metadata, structures)))
            rounds.append(times)
        return {"very_first": rounds[0][0], **_summary("first", rounds[0][1:]), **_summary("second", rounds[1])}


def _milliseconds(function: Callable[[], object]) -> float:
    before = time.process_time()
    function()
    return (time.process_time() - before) * 1000


def _summary(name: str, times: Sequence[float]) -> dict[str, float]:
    return {f"{name}_median": statistics.median(times), f"{name}_largest": max(times)}


def measure(site: Site, resolver: str) -> dict[str, Any]:
    """All figures of a site."""
    found: dict[str, Any] = {"clients": len(site.hosts), "resolver": resolver}
    for title, work in (
        ("first answer, cold, in seconds", lambda: first_answer(site, resolver)),
        ("first answer, warm, in seconds", lambda: first_answer(site, resolver)),
        ("resolving, in milliseconds", lambda: resolving(site)),
        ("validate_structures, in milliseconds", lambda: validating(site, resolver)),
        ("memory, PSS in MB", lambda: _memory(site, resolver)),
        ("slowest call beside a refresh, in milliseconds", lambda: refresh(site, resolver)),
    ):
        found[title] = work()
        _print(title, found[title])
    return found


def _memory(site: Site, resolver: str) -> dict[str, float]:
    two, four = memory(site, resolver, 2), memory(site, resolver, 4)
    return {"two_workers": two, "four_workers": four, "further_worker": (four - two) / 2}


def _print(title: str, figures: dict[str, Any]) -> None:
    print(f"\n{title}")
    for name, figure in figures.items():
        if isinstance(figure, dict):
            texts = ", ".join(f"{inner} {value:.3f}" for inner, value in figure.items())
            print(f"  {name}: {texts}", flush=True)
        else:
            print(f"  {name}: {figure:.3f}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    made = argparse.ArgumentParser(
        prog="python -m contrib.bench.packages",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("site", type=Path, help="a directory that contrib.packages.make_site has made")
    made.add_argument("--resolver", default="enabled", help="[packages] resolver of the server (default: enabled)")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = made.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-packages-") as work:
            found = measure(Site(options.site.resolve(), Path(work)), options.resolver)
    except (GeventcoreError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    if options.json is not None:
        options.json.write_text(f"{json.dumps(found, indent=2)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
