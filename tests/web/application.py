"""The application without a server: a database in a file, and clients of Flask."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from flask import Flask

from geventcore.errors import GeventcoreError
from geventcore.simulation.report_history import fill
from geventcore.storage import migration
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database, call_directly
from geventcore.storage.report_writing import store_interactions
from geventcore.web.access import Access
from geventcore.web.app import create_app
from geventcore.web.database import ReportDatabase
from geventcore.web.environment import IS_LOCAL, OWN_ADDRESS, PEER
from geventcore.web.fleet import FleetReader
from geventcore.web.hours import HourReader
from geventcore.web.live import LiveReader
from geventcore.web.problems import ProblemReader
from geventcore.web.services import Services
from geventcore.web.site import BuiltConfiguration, ConfiguredEntry, Site
from geventcore.web.users import UsersFile
from tests.web.reports import attacking_reports

#: The environment of a request from this machine, and of one from another.
LOCAL = {IS_LOCAL: True, OWN_ADDRESS: "127.0.0.1", PEER: "127.0.0.1"}
REMOTE = {IS_LOCAL: False, OWN_ADDRESS: "192.0.2.1", PEER: "198.51.100.7", "HTTP_HOST": "192.0.2.1"}
KNOWN_HOST = "web01.example.com"


class NoServers:
    """Admin listeners of which one never answers, and the others do not exist."""

    def addresses(self) -> Sequence[str]:
        return ["unix:/run/nowhere.sock"]

    def ask(self, address: str, path: str) -> tuple[int, str]:
        raise OSError(2, "No such file or directory")


class SmallSite:
    """A repository with two clients, of which one has a configuration."""

    def clients(self) -> Sequence[str]:
        return [KNOWN_HOST, "silent.example.com"]

    def configuration(self, host: str) -> BuiltConfiguration:
        if host != KNOWN_HOST:
            raise GeventcoreError("the client is unknown")
        entry = ConfiguredEntry("Path", "/etc/motd", "base", "Cfg", "Cfg/etc/motd/motd", 3, ("named by base.xml:1",))
        return BuiltConfiguration(host, "42", [entry])

    def broken_files(self) -> Sequence[str]:
        return []

    def probes(self, host: str) -> Mapping[str, str]:
        return {"os": "debian", "root-password": "hunter2"}


def database_config(directory: Path) -> DatabaseConfig:
    """Return the configuration of a database in a directory, which need not exist."""
    return DatabaseConfig("sqlite3", str(directory / "reports.sqlite"), timeout=1.0)


def fill_database(config: DatabaseConfig, hosts: int = 30, reports: int = 300) -> None:
    """Make a database with a fleet, and with reports that attack pages."""
    migration.upgrade(config)
    database = Database.open(config)
    fill(database, hosts, reports, time.time_ns() // 1_000_000)
    database.write(lambda connection: store_interactions(connection, attacking_reports()))
    database.close()


def make_services(config: DatabaseConfig, access: Access | None = None) -> Services:
    """Return services on a database."""
    database = ReportDatabase(config, call_directly)
    site = Site(SmallSite(), ["*password*"])
    return Services(
        database,
        FleetReader(database, site.clients),
        ProblemReader(database),
        HourReader(database),
        LiveReader(NoServers()),
        site,
        access or Access(UsersFile(Path(config.name).parent / "users")),
        page_size=10,
    )


def make_app(services: Services, hosts: tuple[str, ...] = ()) -> Flask:
    """Return the application; errors of pages become answers, as for users."""
    return create_app(services, hosts)
