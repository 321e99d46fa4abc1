"""``geventcore test``: build the configurations of all clients, and fail if one has failures."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path

import click

from geventcore.cli.command import with_settings
from geventcore.cli.local_core import (
    HOST,
    for_hosts_with_progress,
    is_original,
    local_core,
    print_json,
    quiet_builds,
    register,
)
from geventcore.cli.repository_names import GROUP_NAME
from geventcore.core.base import Core
from geventcore.errors import GeventcoreError
from geventcore.options import LoadedSettings
from geventcore.tools.build_test import BuildTest, HostResult, Ignored, junit
from geventcore.tools.options import IGNORED_ENTRIES, PROCESSES
from geventcore.tools.site import select_hosts
from geventcore.units import counted

_RULE = 70


@click.command()
@click.argument("hosts", nargs=-1, type=HOST)
@click.option(
    "--group",
    "groups",
    multiple=True,
    type=GROUP_NAME,
    metavar="GROUP",
    help="Only clients in this group; repeatable.",
)
@click.option("--sample", type=click.IntRange(1), metavar="NUMBER", help="Only so many of the hosts, drawn at random.")
@click.option("--seed", type=int, metavar="NUMBER", help="Draw the same sample again.")
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json", "junit"]),
    default="text",
    show_default=True,
    help="The output: text for people, JSON for programs, or a JUnit report for continuous integration.",
)
@click.option(
    "--junit",
    "junit_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a JUnit report to a file as well.",
)
@with_settings(IGNORED_ENTRIES, PROCESSES)
def command(
    settings: LoadedSettings,
    hosts: Sequence[str],
    groups: Sequence[str],
    sample: int | None,
    seed: int | None,
    style: str,
    junit_file: Path | None,
) -> int:
    """Build the configurations of clients, and look for failures.

    HOSTS are names or shell patterns; none means all clients. A client fails if it has no configuration or an empty
    one, if a bundle is missing, an entry cannot be bound, a package is unknown, or its profile does not exist. Nothing
    is written to the repository. The exit status is 1 if a client fails.
    """
    start = time.perf_counter()
    with local_core(settings) as core:
        may_fail = settings[IGNORED_ENTRIES]
        ignored = Ignored.of_words(may_fail)
        selected = _select(core, hosts, groups, sample, seed)
        register(core, hosts, create=False)
        test = BuildTest(core, ignored, strict=not is_original())
        results = []
        with quiet_builds(settings):
            for host, result in for_hosts_with_progress(test.run, selected, settings[PROCESSES], "testing"):
                results.append(result)
                if is_original():
                    click.echo(f"Building configuration for {host} ... {'ok' if result.is_good else 'FAIL'}", err=True)
    seconds = time.perf_counter() - start
    if junit_file is not None:
        junit_file.write_bytes(junit(results, seconds))
    if is_original():
        _print_like_the_original(results, seconds)
    else:
        _print(results, seconds, style)
    return 0 if all(result.is_good for result in results) else 1


def _select(core: Core, hosts: Sequence[str], groups: Sequence[str], sample: int | None, seed: int | None) -> list[str]:
    selected = select_hosts(core, hosts)
    if groups:
        unknown = set(groups) - core.metadata_source().query.all_groups()
        if unknown:
            raise GeventcoreError(f"--group: no group has the name {', '.join(sorted(unknown))}")
        wanted = set(groups)
        selected = [host for host in selected if wanted & core.build_metadata(host).groups]
    if sample is not None and sample < len(selected):
        drawn = set(random.Random(seed).sample(selected, sample))
        selected = [host for host in selected if host in drawn]
    if not selected:
        raise GeventcoreError("there are no clients to test")
    return selected


def _print(results: Sequence[HostResult], seconds: float, style: str) -> None:
    failed = [result for result in results if not result.is_good]
    if style == "junit":
        click.echo(junit(results, seconds), nl=False)
    elif style == "json":
        print_json(
            {
                "hosts": len(results),
                "failed": len(failed),
                "seconds": round(seconds, 3),
                "results": [
                    {
                        "host": result.host,
                        "ok": result.is_good,
                        "entries": result.entries,
                        "failures": result.failures,
                        "seconds": round(result.seconds, 4),
                    }
                    for result in results
                ],
            }
        )
    else:
        for result in failed:
            for failure in result.failures:
                click.echo(f"{result.host}: {failure}")
        click.echo(f"{counted(len(results), 'host')}, {len(failed)} failed, in {seconds:.1f} seconds")


def _print_like_the_original(results: Sequence[HostResult], seconds: float) -> None:
    """Print as the test runner of Bcfg2 does: on standard error."""
    failed = [result for result in results if not result.is_good]
    for result in failed:
        click.echo(
            f"\n{'=' * _RULE}\nFAIL: Building configuration for {result.host}\n{'-' * _RULE}\n"
            + "\n".join(result.failures),
            err=True,
        )
    tests = "test" if len(results) == 1 else "tests"
    click.echo(f"\n{'-' * _RULE}\nRan {len(results)} {tests} in {seconds:.3f}s\n", err=True)
    click.echo(f"FAILED (failures={len(failed)})" if failed else "OK", err=True)
