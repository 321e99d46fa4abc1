"""The implementation of ``geventcore db import``: selection of databases, and display of progress.

On a terminal each part of the import has a progress bar. Elsewhere lines report its begin, progress and end.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from datetime import tzinfo
from typing import Any

import click

from geventcore.bcfg2_import.importing import Counts, Import, Progress, make_tables
from geventcore.bcfg2_import.source import NoBcfg2TablesError, Source, source_config
from geventcore.errors import ConfigError
from geventcore.options import LoadedSettings
from geventcore.reporting.options import TIME_ZONE, TimeZoneType
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database
from geventcore.storage.migration import SchemaState, schema_version

#: Interval of lines about a part, in seconds.
LINE_SECONDS = 10.0

#: Part -> the noun for what it counts.
_NOUNS = {"clients": "clients", "probes": "clients with probe results", "hosts": "hosts", "reports": "reports"}


def import_databases(
    settings: LoadedSettings,
    main: DatabaseConfig,
    reports: DatabaseConfig,
    where: str | None,
    zone_name: str | None,
    *,
    dry_run: bool,
    again: bool,
) -> None:
    """Import from one source, or from the Bcfg2 tables in the configured databases."""
    settings.options.add(TIME_ZONE)
    zone = _zone(settings, zone_name)
    configured = settings[TIME_ZONE]
    configs = [source_config(where)] if where is not None else _configured_sources(main, reports)
    sources = [Source(config, None if configured is None else str(configured)) for config in configs]
    with contextlib.ExitStack() as stack:
        targets = {config: stack.enter_context(_target(config, dry_run)) for config in dict.fromkeys([main, reports])}
        for source in sources:
            _import(Import(source, targets[main], targets[reports], zone, dry_run, again, _warn))


def _zone(settings: LoadedSettings, zone_name: str | None) -> tzinfo | None:
    if zone_name is None:
        return settings[TIME_ZONE]
    if zone_name == "local":
        return None
    try:
        return TimeZoneType().parse(zone_name)
    except ValueError as err:
        raise ConfigError(f"--time-zone {zone_name}: {err}; expected {TimeZoneType.accepts}") from None


def _configured_sources(main: DatabaseConfig, reports: DatabaseConfig) -> list[DatabaseConfig]:
    """Return the configured databases that have tables of Bcfg2."""
    found = [config for config in dict.fromkeys([main, reports]) if _has_bcfg2(config)]
    if not found:
        raise ConfigError(f"{main} has no tables of Bcfg2; name the database: geventcore db import FILE-OR-URL")
    return found


def _has_bcfg2(config: DatabaseConfig) -> bool:
    if schema_version(config).state is SchemaState.EMPTY:
        return False
    try:
        Source(config)
    except NoBcfg2TablesError:
        return False
    return True


@contextlib.contextmanager
def _target(config: DatabaseConfig, dry_run: bool) -> Iterator[Database | None]:
    """Open a target database; None if it has no tables yet, in a dry run."""
    if dry_run and schema_version(config).state is not SchemaState.CURRENT:
        yield None
        return
    database = Database(config)
    try:
        if not dry_run:
            make_tables(database, lambda step: click.echo(f"  {step}"))
        yield database
    finally:
        database.close()


def _import(run: Import) -> None:
    click.echo(f"from {run.source.config}{' (nothing is stored)' if run.dry_run else ''}:")
    for name in run.source.unknown_tables():
        _warn(f"the table {name} is ignored, since Bcfg2 1.3 and 1.4 do not have it")
    display = _Bars() if sys.stdout.isatty() else _Lines()
    try:
        for progress in run.run():
            display.show(progress)
    finally:
        display.end()
        for part, counts in run.counts.items():
            click.echo(f"  {_NOUNS[part]}: {_summary(counts, run.dry_run)}")


def _summary(counts: Counts, dry_run: bool) -> str:
    if counts.before is not None:
        return f"nothing new since the import of {counts.before.astimezone().isoformat(' ', 'seconds')}"
    words = [f"{counts.imported} {'to import' if dry_run else 'imported'}"]
    if counts.known:
        words.append(f"{counts.known} exist already")
    if counts.unreadable:
        words.append(f"{counts.unreadable} unreadable and skipped")
    return ", ".join(words)


def _warn(text: str) -> None:
    click.echo(f"warning: {text}", err=True)


class _Lines:
    """Progress as lines, for output that is not a terminal."""

    def __init__(self) -> None:
        self._part = ""
        self._last = 0.0

    def show(self, progress: Progress) -> None:
        """Print the progress, unless the last line is recent."""
        now = time.monotonic()
        if progress.part != self._part or now - self._last >= LINE_SECONDS:
            self._part, self._last = progress.part, now
            click.echo(f"  {_NOUNS[progress.part]}: {progress.done} of {progress.total}")

    def end(self) -> None:
        """Do nothing."""


class _Bars:
    """Progress bars for a terminal."""

    def __init__(self) -> None:
        self._part = ""
        self._bar: Any = None

    def show(self, progress: Progress) -> None:
        """Move the bar of the part."""
        if progress.part != self._part:
            self.end()
            self._part = progress.part
            self._bar = click.progressbar(length=progress.total, label=f"  {_NOUNS[progress.part]}", show_pos=True)
            self._bar.__enter__()
        self._bar.update(progress.done - self._bar.pos)

    def end(self) -> None:
        """End the line of the bar."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None
