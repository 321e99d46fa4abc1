"""The process that serves the pages, from its start to its end. The standard library is cooperative already."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import click

from geventcore.cli.web.sources import AdminSource, RepositorySource
from geventcore.errors import GeventcoreError
from geventcore.log import reopen_log_files
from geventcore.options import LoadedSettings
from geventcore.options.listen_address import ListenAddress
from geventcore.options.server import CA, CERTIFICATE, KEY, UMASK
from geventcore.process.signals import REOPENING_LOGS, TERMINATING, SignalQueue
from geventcore.process.systemd import ServiceManager
from geventcore.reporting.options import REPORTING_OPTIONS, TIME_ZONE
from geventcore.storage.config import reporting_config
from geventcore.web.access import Access
from geventcore.web.app import create_app
from geventcore.web.certificates import CertificateFile
from geventcore.web.database import ReportDatabase
from geventcore.web.fleet import FleetReader
from geventcore.web.hours import HourReader
from geventcore.web.live import LiveReader
from geventcore.web.options import HIDDEN_PROBES, HOSTS, LISTEN, PAGE_SIZE, SECRET_FILE, SESSION_HOURS, TLS, WEB_OPTIONS
from geventcore.web.problems import ProblemReader
from geventcore.web.services import Services
from geventcore.web.serving import PageServer, offload
from geventcore.web.site import Site

log = logging.getLogger(__name__)


def make_services(settings: LoadedSettings, is_demo: bool = False) -> Services:
    """Return what the pages read; `ConfigError` for wrong options."""
    settings.options.add(*(option for option in (*WEB_OPTIONS, *REPORTING_OPTIONS) if option not in settings.options))
    settings.check()
    database = ReportDatabase(reporting_config(settings), offload)
    hidden = settings[HIDDEN_PROBES]
    site = Site(RepositorySource.of(settings, settings.config_file), hidden)
    access = Access.from_settings(settings)
    addresses = settings[LISTEN]
    return Services(
        database=database,
        fleet=FleetReader(database, site.clients),
        problems=ProblemReader(database),
        hours=HourReader(database),
        live=LiveReader(AdminSource(settings)),
        site=site,
        access=access,
        zone=settings[TIME_ZONE],
        page_size=settings[PAGE_SIZE],
        certificate_files=_certificates(settings),
        # Sessions of local callers hold nothing that must survive a restart.
        secret_file=settings[SECRET_FILE] if access.needs_sessions(addresses) else None,
        session_hours=settings[SESSION_HOURS],
        is_demo=is_demo,
    )


def _certificates(settings: LoadedSettings) -> tuple[CertificateFile, ...]:
    named: list[tuple[str, Any]] = [("server", settings[CERTIFICATE]), ("authority", settings[CA])]
    return tuple(CertificateFile(role, Path(path)) for role, path in named if path and Path(path).exists())


def run(settings: LoadedSettings, is_demo: bool = False) -> int:
    """Serve until a signal ends that; return the exit status."""
    signals, service_manager = SignalQueue(), ServiceManager()
    try:
        services = make_services(settings, is_demo)
        os.umask(settings[UMASK])
        application = create_app(services, settings[HOSTS])
        choice, addresses = settings[TLS], settings[LISTEN]

        def uses_tls(address: ListenAddress) -> bool:
            return address.path is None and (choice == "yes" or (choice == "auto" and not address.is_local))

        server = PageServer(application, addresses, uses_tls, settings[CERTIFICATE], settings[KEY])
        shown = server.start()
    except GeventcoreError as err:
        log.critical("cannot serve the pages: %s", err)
        return 1
    signals.install()
    for address in shown:
        click.echo(f"The pages are at {address}")
    service_manager.ready()
    try:
        while True:
            received = signals.wait()
            if received in TERMINATING:
                service_manager.stopping()
                return 0
            if received == REOPENING_LOGS:
                reopen_log_files()
    finally:
        server.stop()
        services.database.close()
        signals.restore()
