"""What ``geventcore db import`` does: which databases, and what is shown meanwhile.

On a terminal each part has a bar; elsewhere there is a line when a part begins, now and then, and when it ends.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from datetime import tzinfo
from typing import Any

import click

from geventcore.errors import ConfigError
from geventcore.options import LoadedSettings
from geventcore.reporting.options import TIME_ZONE, TimeZoneType
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database
from geventcore.storage.legacy_import import Counts, Import, Progress, make_tables
from geventcore.storage.legacy_source import NoLegacyTablesError, Source, source_config
from geventcore.storage.migration import SchemaState, schema_version

#: Seconds between lines about a part.
LINE_SECONDS = 10.0

#: What is counted in a part.
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
    """Take over one source, or those in the databases of the configuration."""
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
        raise ConfigError(f"--time-zone {zone_name}: {err}; {TimeZoneType.accepts} is accepted") from None


def _configured_sources(main: DatabaseConfig, reports: DatabaseConfig) -> list[DatabaseConfig]:
    """The databases of the configuration in which there is something of Bcfg2."""
    found = [config for config in dict.fromkeys([main, reports]) if _has_bcfg2(config)]
    if not found:
        raise ConfigError(f"{main} has no tables of Bcfg2; name the database: geventcore db import FILE-OR-URL")
    return found


def _has_bcfg2(config: DatabaseConfig) -> bool:
    if schema_version(config).state is SchemaState.EMPTY:
        return False
    try:
        Source(config)
    except NoLegacyTablesError:
        return False
    return True


@contextlib.contextmanager
def _target(config: DatabaseConfig, dry_run: bool) -> Iterator[Database | None]:
    """A database to take over into; None if a dry run finds no tables in it."""
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
        _warn(f"nothing is taken from the table {name}, which Bcfg2 1.3 and 1.4 do not have")
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
    words = [f"{counts.imported} {'to take over' if dry_run else 'taken over'}"]
    if counts.known:
        words.append(f"{counts.known} here already")
    if counts.unreadable:
        words.append(f"{counts.unreadable} unreadable and skipped")
    return ", ".join(words)


def _warn(text: str) -> None:
    click.echo(f"warning: {text}", err=True)


class _Lines:
    """Progress where nobody watches."""

    def __init__(self) -> None:
        self._part = ""
        self._last = 0.0

    def show(self, progress: Progress) -> None:
        """Tell it, unless something was told a moment before."""
        now = time.monotonic()
        if progress.part != self._part or now - self._last >= LINE_SECONDS:
            self._part, self._last = progress.part, now
            click.echo(f"  {_NOUNS[progress.part]}: {progress.done} of {progress.total}")

    def end(self) -> None:
        """There is nothing to tidy up."""


class _Bars:
    """Progress on a terminal."""

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
