"""The processor time of each web page, on a database of `contrib.bench.fleet`.

``python -m contrib.bench.pages reports.sqlite`` asks for every page twice in a new process: the first answer reads what
later ones have in memory. With ``--postgresql SCHEMA``, the time of the database's processes counts, too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import call_directly
from geventcore.web.access import Access
from geventcore.web.app import create_app
from geventcore.web.database import ReportDatabase
from geventcore.web.environment import IS_LOCAL, OWN_ADDRESS, PEER
from geventcore.web.fleet import FleetReader
from geventcore.web.hours import HourReader
from geventcore.web.live import LiveReader
from geventcore.web.problems import ProblemReader
from geventcore.web.services import Services
from geventcore.web.site import Site
from geventcore.web.users import UsersFile

HOST = "web01.example.com"
ENTRY = "tag=Path&name=/etc/ssh/sshd_config"
ADDRESSES = (
    "/",
    "/?range=week",
    "/?range=month&by=group",
    "/?profile=web-server&group=server",
    "/hosts",
    "/hosts?state=dirty&sort=-bad",
    "/hosts?page=100",
    f"/hosts/{HOST}",
    f"/hosts/{HOST}/entry?{ENTRY}",
    "/entries",
    "/entries?kind=extra&tag=Package",
    f"/entry?{ENTRY}",
    "/calendar/",
    "/search?q=ssh",
    "/search?q=web1",
    "/api/v1/hosts",
    "/api/v1/entries",
    f"/api/v1/hosts/{HOST}/runs",
)


class _NoServers:
    def addresses(self) -> Sequence[str]:
        return []

    def ask(self, address: str, path: str) -> tuple[int, str]:
        raise OSError(address, path)


def make_services(config: DatabaseConfig) -> Services:
    """Return services that read a database only."""
    database = ReportDatabase(config, call_directly)
    site = Site(None, ())
    return Services(
        database,
        FleetReader(database, site.clients),
        ProblemReader(database),
        HourReader(database),
        LiveReader(_NoServers()),
        site,
        Access(UsersFile(Path("/nonexistent"))),
    )


def _backend_seconds(backends: Sequence[psutil.Process]) -> float:
    """Return the processor time that processes of the database have used."""
    return sum(times.user + times.system for times in (backend.cpu_times() for backend in backends))


def _backends(services: Services) -> list[psutil.Process]:
    """Return the processes of a PostgreSQL server that work for the pages."""
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'geventcore' AND datname = current_database()"
    pids = services.database.read(lambda connection: list(connection.exec_driver_sql(query).scalars()))
    return [psutil.Process(pid) for pid in pids]


@contextmanager
def measured(backends: Sequence[psutil.Process]) -> Iterator[dict[str, float]]:
    """Put the processor times of the block, in milliseconds, into a dictionary.

    Hours that a thread counts later are no part of the page.
    """
    result: dict[str, float] = {}
    database, processor = _backend_seconds(backends), time.thread_time()
    yield result
    result["own"] = 1000 * (time.thread_time() - processor)
    result["database"] = 1000 * (_backend_seconds(backends) - database)


def measure(config: DatabaseConfig) -> None:
    """Ask for each page and print a table."""
    local: dict[str, Any] = {IS_LOCAL: True, OWN_ADDRESS: "127.0.0.1", PEER: ""}
    print(f"{'':64}{'first':>10}{'again':>10}")
    for address in ADDRESSES:
        # Nothing is known from another page.
        services = make_services(config)
        services.database.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())
        client = create_app(services).test_client()
        client.get("/login", environ_overrides=local)
        backends = [] if config.is_file else _backends(services)
        cells = []
        for _ in range(2):
            services.fleet.forget()
            with measured(backends) as spent:
                answer = client.get(address, environ_overrides=local)
            assert answer.status_code == 200, answer.text
            cells.append(f"{spent['own'] + spent['database']:.0f} ms")
            # The thread that counts hours uses the same processes of the database.
            while not config.is_file and services.hours.is_counting:
                time.sleep(0.05)
        print(f"{address:64}{cells[0]:>10}{cells[1]:>10}", flush=True)
        services.database.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("file", nargs="?", type=Path, help="a SQLite database of contrib.bench.fleet")
    parser.add_argument("--postgresql", metavar="SCHEMA", help="a schema that it has made")
    arguments = parser.parse_args()
    if arguments.postgresql:
        import psycopg

        with psycopg.connect() as connection:
            info = connection.info
            config = DatabaseConfig("postgresql", info.dbname, info.user, info.password, info.host, info.port)
        config = replace(config, schema=arguments.postgresql, timeout=60.0, connections=1)
    elif arguments.file is not None:
        config = DatabaseConfig("sqlite3", str(arguments.file.absolute()), timeout=60.0)
    else:
        parser.error("expected a file or --postgresql SCHEMA")
    measure(config)


if __name__ == "__main__":
    main()
