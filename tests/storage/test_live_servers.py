"""Servers whose clients and probes are in a database: real processes, real calls, kills, outages."""

from __future__ import annotations

import signal
import xmlrpc.client
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from geventcore.storage import clients, migration, probes
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database
from geventcore.testing.contract_repository import HOSTS
from geventcore.testing.live_site import LiveSite, is_alive, process_tree, wait_until
from geventcore.testing.site_files import PLUGINS
from geventcore.testing.wire_client import CONNECTION_ERRORS, Client
from tests.contract.test_crash import probe_data
from tests.contract.test_workers import alone
from tests.support.postgresql import PostgreSQL, database_section
from tests.support.site_plugins.dying import ORDER

pytestmark = pytest.mark.live

IN_DATABASE = {"metadata": {"use_database": "true"}, "probes": {"use_database": "true"}}
CLIENTS = 16
#: Acknowledgements before the server is killed.
ENOUGH = 200

#: Core and engine, with at least two processes that serve wherever the core can have them.
SETTINGS = [
    pytest.param("gevent", "sqlite3", id="gevent-sqlite3"),
    pytest.param("gevent", "postgresql", id="gevent-postgresql"),
    pytest.param("gevent", "mariadb", id="gevent-mariadb"),
    pytest.param("multiprocessing", "sqlite3", id="multiprocessing-sqlite3"),
]


@pytest.fixture
def new_site(
    tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[str, str, str], tuple[LiveSite, DatabaseConfig]]:
    """Makes sites by name, core and engine; those of one test share the database."""
    found: dict[str, DatabaseConfig] = {}

    def database(engine: str) -> DatabaseConfig:
        if engine == "sqlite3":
            return DatabaseConfig(engine, str(tmp_path / "bcfg2.sqlite"))
        config: DatabaseConfig = request.getfixturevalue(engine).new_config()
        migration.upgrade(config)
        return config

    def make(name: str, core: str, engine: str) -> tuple[LiveSite, DatabaseConfig]:
        if engine not in found:
            found[engine] = database(engine)
        sections = {**IN_DATABASE, "database": database_section(found[engine]), "gevent": {"workers": "2"}}
        return LiveSite(tmp_path / name, core, sections), found[engine]

    return make


def stored_probes(config: DatabaseConfig) -> dict[str, int]:
    database = Database.open(config)
    try:
        found = {host: database.read(lambda c, host=host: probes.get_probes(c, host)) for host in HOSTS[:CLIENTS]}
        return {host: int(of.data["kernel"].split()[1]) for host, of in found.items() if "kernel" in of.data}
    finally:
        database.close()


def stored_versions(config: DatabaseConfig) -> dict[str, int]:
    database = Database.open(config)
    try:
        rows = database.read(clients.all_clients)
        return {row.hostname: int(row.version.rpartition(".")[2]) for row in rows if row.version}
    finally:
        database.close()


# The standard library's ssl does not close a socket that is reset between the connection and the handshake.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
@pytest.mark.parametrize(
    ("engine", "method", "argument", "stored"),
    [
        pytest.param("sqlite3", "RecvProbeData", probe_data, stored_probes, id="probe data in SQLite"),
        pytest.param("sqlite3", "DeclareVersion", "1.0.{}".format, stored_versions, id="versions in SQLite"),
        pytest.param("postgresql", "RecvProbeData", probe_data, stored_probes, id="probe data in PostgreSQL"),
    ],
)
def test_what_was_acknowledged_survives_a_kill(
    new_site: Callable[[str, str, str], tuple[LiveSite, DatabaseConfig]],
    engine: str,
    method: str,
    argument: Callable[[int], str],
    stored: Callable[[DatabaseConfig], dict[str, int]],
) -> None:
    site, config = new_site("site", "gevent", engine)
    acknowledged: dict[str, int] = {}

    def send_until_the_end(client: Client) -> None:
        number = 0
        try:
            while True:
                number += 1
                assert client.call(method, argument(number)) is True
                acknowledged[client.user] = number
        except CONNECTION_ERRORS:
            return

    with ThreadPoolExecutor(CLIENTS) as executor:
        with site.start() as server:
            senders = [executor.submit(send_until_the_end, site.client(host)) for host in HOSTS[:CLIENTS]]
            wait_until(lambda: sum(acknowledged.values()) >= ENOUGH, f"{ENOUGH} acknowledged calls")
            server.signal(signal.SIGKILL)
            assert server.wait() == -signal.SIGKILL
        for sender in senders:
            sender.result()
    found = stored(config)
    lost = {name: (number, found.get(name)) for name, number in acknowledged.items() if found.get(name, 0) < number}
    assert not lost
    with site.start() as server:
        assert not server.grave()
        assert site.client(HOSTS[0]).call(method, argument(10_000)) is True
        assert stored(config)[HOSTS[0]] == 10_000
        assert server.stop() == 0


@pytest.mark.parametrize(("core", "engine"), SETTINGS)
def test_every_server_answers_with_what_another_has_stored(
    new_site: Callable[[str, str, str], tuple[LiveSite, DatabaseConfig]], core: str, engine: str
) -> None:
    one_site, _ = new_site("one", core, engine)
    other_site, _ = new_site("other", core, engine)
    with one_site.start() as one, other_site.start() as other:
        for number, host in enumerate(HOSTS[:10]):
            here, there = (one_site, other_site) if number % 2 else (other_site, one_site)
            assert here.client(host).call(
                "RecvProbeData", probe_data(number).replace(">number", ">group:probed\nnumber")
            )
            assert here.client(host).call("AssertProfile", "large" if number % 3 else "basic")
            document = there.client(host).call("GetConfig")
            assert ("/srv/large" in document) == bool(number % 3)
            if not number % 3:
                assert "/etc/probed" in document
        assert not one.grave()
        assert not other.grave()


def test_workers_forget_what_one_has_changed_that_died_before_it_could_say_so(tmp_path: Path) -> None:
    sections = {**IN_DATABASE, "gevent": {"workers": "2"}, "caching": {"client_metadata": "aggressive"}}
    site = LiveSite(tmp_path / "site", "gevent", sections, plugins=[*PLUGINS, "dying.Dying"])
    client = site.client(HOSTS[0])
    with site.start() as server:
        workers = process_tree(server.pid)[1:]
        # A client that is new is not remembered by whoever has added it.
        assert client.call("DeclareVersion", "1.4.0") is True
        for worker in workers:
            with alone(server, worker):
                assert "/srv/large" not in client.call("GetConfig")
        (site.directory / ORDER).touch()
        with pytest.raises(CONNECTION_ERRORS):
            client.call("AssertProfile", "large")
        server.wait_for_log("serves")
        (survivor,) = filter(is_alive, workers)
        with alone(server, survivor):
            wait_until(lambda: "/srv/large" in client.call("GetConfig"), "the survivor has forgotten what was")
        assert server.stop() == 0


def test_an_outage_is_survived(
    new_site: Callable[[str, str, str], tuple[LiveSite, DatabaseConfig]], postgresql: PostgreSQL
) -> None:
    site, _ = new_site("site", "gevent", "postgresql")
    site.options["database"] = {**site.options["database"], "timeout": "0.5"}
    with site.start() as server:
        client = site.client(HOSTS[0])
        assert client.call("RecvProbeData", probe_data(1)) is True
        postgresql.stop()
        try:
            with pytest.raises(xmlrpc.client.Fault, match=r"the caller cannot be identified: .* cannot be reached"):
                client.call("RecvProbeData", probe_data(2))
        finally:
            postgresql.start()
        assert client.call("RecvProbeData", probe_data(3)) is True
        grave = [line.message for line in server.grave()]
        assert any("cannot be reached" in message for message in grave)
        assert not any("Traceback" in message for message in grave)
        assert "Traceback" not in server.log_text()
        assert server.stop() == 0


def test_a_client_that_the_database_refuses_gets_a_fault(
    new_site: Callable[[str, str, str], tuple[LiveSite, DatabaseConfig]],
) -> None:
    site, _ = new_site("site", "gevent", "sqlite3")
    with site.start() as server:
        client = site.client(HOSTS[0])
        with pytest.raises(xmlrpc.client.Fault, match="not public"):
            client.call("AssertProfile", "private")
        assert client.call("AssertProfile", "large") is True
        assert server.stop() == 0
