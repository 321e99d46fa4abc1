"""The commands of ``info`` that measure how long commands and templates take."""

from __future__ import annotations

import cProfile
import pstats
import statistics
import sys
import time
from collections.abc import Sequence

import click
from lxml import etree

from geventcore.cli.click_options import Invocation
from geventcore.cli.command import with_settings
from geventcore.cli.info.group import command
from geventcore.cli.info.tables import show
from geventcore.cli.local_core import format_flag, local_core, print_json
from geventcore.options import LoadedSettings
from geventcore.plugin.interfaces import Generator
from geventcore.tools.inspection import Table
from geventcore.tools.site import select_hosts

#: The functions that are shown.
LONGEST = 30


@command.command("profile", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("name", metavar="COMMAND")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def profile(invocation: Invocation, name: str, arguments: Sequence[str]) -> int:
    """Run another command of info, and show the functions that took the longest, on standard error."""
    profiler = cProfile.Profile()
    try:
        result: object = profiler.runcall(_run, [name, *arguments], invocation)
    finally:
        _print(pstats.Stats(profiler, stream=sys.stderr))
    return result if isinstance(result, int) else 0


def _print(found: pstats.Stats) -> None:
    found.sort_stats("cumulative")
    found.print_stats(LONGEST)


def _run(words: list[str], invocation: Invocation) -> object:
    result: object = command.main(words, prog_name="", standalone_mode=False, obj=invocation)
    return result


@command.command("profiletemplates")
@click.option("--clients", default="", metavar="HOSTS", help="The hosts, separated by commas. [default: all]")
@click.option("--runs", type=click.IntRange(1), default=5, show_default=True, help="How often each file is built.")
@click.argument("paths", nargs=-1)
@format_flag
@with_settings()
def profiletemplates(settings: LoadedSettings, clients: str, runs: int, paths: Sequence[str], as_json: bool) -> None:
    """Measure how long each file takes to build: the slowest first.

    The times are in seconds, over all hosts and runs. Files that fail for a host are left out for it.
    """
    with local_core(settings) as core:
        hosts = select_hosts(core, [word.strip() for word in clients.split(",") if word.strip()])
        metadata = [core.build_metadata(host) for host in hosts]
        names = sorted({name for plugin in core.plugins.by_type(Generator) for name in plugin.entries.get("Path", {})})
        found = []
        for name in [name for name in names if not paths or name in paths]:
            seconds = []
            for client in metadata:
                for _ in range(runs):
                    client.scratch.clear()
                    start = time.perf_counter()
                    try:
                        core.renderer.bind_entry(etree.Element("Path", name=name), client)
                    # A template may raise anything; that host does not get the file.
                    except Exception:  # noqa: BLE001
                        break
                    seconds.append(time.perf_counter() - start)
            if seconds:
                found.append((name, statistics.mean(seconds), max(seconds), len(seconds)))
        found.sort(key=lambda row: -row[1])
        if as_json:
            print_json(
                [
                    {"path": name, "mean_seconds": mean, "longest_seconds": longest, "count": count}
                    for name, mean, longest, count in found
                ]
            )
        else:
            rows = [(name, f"{mean:.6f}", f"{longest:.6f}", str(count)) for name, mean, longest, count in found]
            show(Table(("Path", "Mean", "Longest", "Count"), rows), False)
