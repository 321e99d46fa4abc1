"""The commands of ``info`` that build configurations and files."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

import click
from lxml import etree

from geventcore.cli.command import with_settings
from geventcore.cli.info.group import command
from geventcore.cli.local_core import (
    HOST,
    create_flag,
    for_hosts_with_progress,
    format_flag,
    is_original,
    local_core,
    print_json,
    processes_flag,
    quiet_builds,
    register,
)
from geventcore.cli.repository_names import BUNDLE_NAME
from geventcore.core.base import Core
from geventcore.errors import GeventcoreError
from geventcore.options import LoadedSettings
from geventcore.tools import inspection
from geventcore.tools.build_directory import write_files
from geventcore.tools.site import select_hosts


def _status(failed: bool) -> int:
    """Return the exit status: Bcfg2's tools end with 0 although entries fail."""
    return 1 if failed and not is_original() else 0


def _failures(found: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"entry": entry, "failure": failure} for entry, failure in found]


@command.command("build")
@click.argument("host", type=HOST)
@click.argument("output", type=click.File("wb"), default="-")
@create_flag
@format_flag
@click.option(
    "--why-rendered",
    is_flag=True,
    help="Build the configuration twice as the server does. In place of the configuration, show what was reused the "
    "second time, and what prevents the reuse of the rest.",
)
@with_settings()
def build(settings: LoadedSettings, host: str, output: TextIO, create: bool, as_json: bool, why_rendered: bool) -> int:
    """Build a host's configuration and print it, or write it to a file.

    The exit status is 1 if there is no configuration or an entry cannot be bound.
    """
    with local_core(settings) as core:
        register(core, [host], create)
        if why_rendered:
            return _why_rendered(core, host, output, as_json)
        configuration = core.build_configuration(host)
        failures = inspection.failures_of(configuration)
        if as_json:
            xml = inspection.pretty(configuration)
            print_json({"host": host, "configuration": xml, "failures": _failures(failures)})
        else:
            click.echo(inspection.document(configuration), file=output, nl=False)
            for entry, failure in failures:
                click.echo(f"{entry}: {failure}", err=True)
        return _status(bool(failures) or configuration.tag == "error")


def _why_rendered(core: Core, host: str, output: TextIO, as_json: bool) -> int:
    """Show what is reused when a host's configuration is built again."""
    # The third time: an answer is reused only when two builds have logged the same.
    for _ in range(3):
        core.write_configuration(host)
    found = core.renderer.answers.explanation(host)
    if found is None:
        raise GeventcoreError("[caching] answers is 0: no configuration is kept")
    if as_json:
        print_json(
            {
                "host": host,
                "outcome": found.outcome,
                "changes": list(found.changes),
                "reasons": list(found.reasons),
                "open_entries": dict(found.open_entries),
            }
        )
        return 0
    lines = [
        _OUTCOMES.get(found.outcome, f"{host}: rendered, because it changes every time: {found.outcome}").format(host)
    ]
    lines += [f"  changed: {change}" for change in found.changes]
    lines += [f"  {reason}" for reason in found.reasons]
    if found.open_entries:
        lines.append(f"{len(found.open_entries)} entries are bound every time:")
        lines += [f"  {entry}: {reason}" for entry, reason in sorted(found.open_entries.items())]
    click.echo("\n".join(lines), file=output)
    return 0


_OUTCOMES = {
    "reused": "{}: the whole configuration is reused",
    "partly": "{}: the configuration is reused, but for some entries",
    "untracked": "{}: the configuration is put together every time",
}

#: For each host: the failures of entries, and why there is no file, or None.
_Written = tuple[list[tuple[str, str]], str | None]


def _writer(directory: Path, make: Callable[[str], tuple[bytes, list[tuple[str, str]]]], ending: str) -> Any:
    """Return a function that writes the file of a host, for several processes."""

    def write(host: str) -> _Written:
        try:
            if "/" in host:
                raise GeventcoreError(f"{host} cannot be the name of a file")
            data, failures = make(host)
            (directory / f"{host}{ending}").write_bytes(data)
        except (GeventcoreError, OSError) as err:
            return [], str(err)
        return failures, None

    return write


def _write_all(hosts: Sequence[str], write: Any, processes: int, as_json: bool) -> int:
    results = []
    failed = False
    # What fails is printed after the progress bar, which it would tear apart.
    for host, (failures, error) in list(for_hosts_with_progress(write, hosts, processes, "building")):
        failed = failed or bool(failures) or error is not None
        results.append({"host": host, "error": error, "failures": _failures(failures)})
        if not as_json:
            for line in [error] if error else [f"{entry}: {failure}" for entry, failure in failures]:
                click.echo(f"{host}: {line}", err=True)
    if as_json:
        print_json(results)
    return _status(failed)


@command.command("buildall")
@click.argument("directory", type=click.Path(path_type=Path))
@click.argument("hosts", nargs=-1, type=HOST)
@create_flag
@processes_flag
@format_flag
@with_settings()
def buildall(
    settings: LoadedSettings, directory: Path, hosts: Sequence[str], create: bool, processes: int, as_json: bool
) -> int:
    """Build the configurations of hosts, and write each to HOST.xml in a directory."""
    with local_core(settings) as core:
        selected = select_hosts(core, hosts)
        register(core, selected, create)
        directory.mkdir(parents=True, exist_ok=True)

        def make(host: str) -> tuple[bytes, list[tuple[str, str]]]:
            configuration = core.build_configuration(host)
            failures = inspection.failures_of(configuration)
            if configuration.tag == "error":
                failures.append(("configuration", configuration.get("type", "")))
            return inspection.document(configuration), failures

        with quiet_builds(settings):
            return _write_all(selected, _writer(directory, make, ".xml"), processes, as_json)


@command.command("buildfile")
@click.option("-f", "--outfile", type=click.File("wb"), default="-", metavar="FILE", help="Write to a file.")
@click.option("--altsrc", metavar="PATH", help="Take the content of this path.")
@click.argument("path")
@click.argument("host", type=HOST)
@create_flag
@format_flag
@with_settings()
def buildfile(
    settings: LoadedSettings, outfile: TextIO, altsrc: str | None, path: str, host: str, create: bool, as_json: bool
) -> None:
    """Build one file of a host, and print its entry."""
    with local_core(settings) as core:
        register(core, [host], create)
        entry = inspection.bound_path(core, host, path, altsrc)
        if as_json:
            print_json({**{str(key): str(value) for key, value in entry.items()}, "text": entry.text})
        else:
            click.echo(etree.tostring(entry), file=outfile)


@command.command("buildallfile")
@click.option("--altsrc", metavar="PATH", help="Take the content of this path.")
@click.argument("directory", type=click.Path(path_type=Path))
@click.argument("path")
@click.argument("hosts", nargs=-1, type=HOST)
@create_flag
@processes_flag
@format_flag
@with_settings()
def buildallfile(
    settings: LoadedSettings,
    altsrc: str | None,
    directory: Path,
    path: str,
    hosts: Sequence[str],
    create: bool,
    processes: int,
    as_json: bool,
) -> int:
    """Build one file of several hosts, and write each entry to HOST in a directory."""
    as_original = is_original()
    with local_core(settings) as core:
        selected = select_hosts(core, hosts)
        register(core, selected, create)
        directory.mkdir(parents=True, exist_ok=True)

        def make(host: str) -> tuple[bytes, list[tuple[str, str]]]:
            entry = inspection.bound_path(core, host, path, altsrc)
            if as_original:
                _sort_attributes(entry)
            return etree.tostring(entry) + b"\n", []

        with quiet_builds(settings):
            return _write_all(selected, _writer(directory, make, ""), processes, as_json)


#: The order in which Bcfg2 writes the attributes of a file, which scripts may compare as text.
_ORIGINAL_ORDER = ("name", "group", "paranoid", "sensitive", "important", "secontext", "mode", "owner", "type")


def _sort_attributes(entry: etree._Element) -> None:
    values = {str(name): str(value) for name, value in entry.items()}
    entry.attrib.clear()
    for name in (*(name for name in _ORIGINAL_ORDER if name in values), *(values.keys() - set(_ORIGINAL_ORDER))):
        entry.set(name, values[name])


@command.command("buildbundle")
@click.argument("bundle", type=BUNDLE_NAME)
@click.argument("host", type=HOST)
@create_flag
@format_flag
@with_settings()
def buildbundle(settings: LoadedSettings, bundle: str, host: str, create: bool, as_json: bool) -> int:
    """Show a bundle as a host gets it, before its entries are bound."""
    with local_core(settings) as core:
        register(core, [host], create)
        found = inspection.matched_bundle(core, bundle, host)
        if found is None:
            click.echo(f"No such bundle {bundle}")
            return 1
        xml = inspection.pretty(found)
        if as_json:
            print_json({"host": host, "bundle": bundle, "xml": xml})
        else:
            click.echo(xml + "\n")
        return 0


@command.command("automatch")
@click.option("-f", "--force", is_flag=True, help="Match the file, although templates get it as a whole.")
@click.argument("file")
@click.argument("host", type=HOST)
@create_flag
@format_flag
@with_settings()
def automatch(settings: LoadedSettings, force: bool, file: str, host: str, create: bool, as_json: bool) -> None:
    """Show an XML file of Properties as the templates of a host get it."""
    with local_core(settings) as core:
        register(core, [host], create)
        found = inspection.matched_properties(core, file, host, force)
        if found is None:
            click.echo(f"Automatch not enabled on {file}")
            return
        xml = inspection.pretty(found)
        if as_json:
            print_json({"host": host, "file": file, "xml": xml})
        else:
            click.echo(xml + "\n")


@command.command("builddir")
@click.option("-P", "--paranoid", is_flag=True, help="Keep a file that is replaced as NAME~.")
@click.argument("host", type=HOST)
@click.argument("directory", type=click.Path(path_type=Path))
@create_flag
@format_flag
@with_settings()
def builddir(settings: LoadedSettings, paranoid: bool, host: str, directory: Path, create: bool, as_json: bool) -> int:
    """Write the files of a host's configuration below a directory, as its client would install them.

    Owners and groups are set only for root. Entries that cannot be bound are left out, and so are those without a file
    of their own (nonexistent, permissions, ignore).
    """
    with local_core(settings) as core:
        register(core, [host], create)
        configuration = core.build_configuration(host)
        if configuration.tag == "error":
            raise GeventcoreError(f"there is no configuration for {host}: {configuration.get('type')}")
        try:
            outcome = write_files(configuration, directory, keep_replaced=paranoid)
        except OSError as err:
            raise OSError(err.errno or errno.EIO, err.strerror or str(err), err.filename or str(directory)) from err
        if as_json:
            skipped = [{"entry": entry, "reason": reason} for entry, reason in outcome.skipped]
            print_json({"host": host, "written": outcome.written, "skipped": skipped})
        else:
            for entry, reason in outcome.skipped:
                click.echo(f"Skipping entry {entry}: {reason}", err=True)
        return 0
