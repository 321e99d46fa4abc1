"""The database of a server is gone for a while, and the server is killed meanwhile: every report arrives, once."""

from __future__ import annotations

import signal
import time
import xmlrpc.client
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import select

from geventcore.reporting.spool import Spool
from geventcore.storage import migration
from geventcore.storage.clients import StoredClient, add_client
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database, call_directly
from geventcore.storage.report_encoding import unpack_stamps
from geventcore.storage.report_model import Interaction
from geventcore.storage.report_queries import last_interaction
from geventcore.storage.report_tables import HOST, INTERACTION
from geventcore.testing.contract_repository import HOSTS
from geventcore.testing.live_site import LiveServer, LiveSite, wait_until
from geventcore.testing.site_files import PLUGINS
from geventcore.testing.wire_client import CONNECTION_ERRORS, Client, HTTPStatusError
from tests.support.postgresql import PostgreSQL, database_section, make_cluster
from tests.support.report_database import locked
from tests.support.uploads import START, upload

pytestmark = pytest.mark.live

CLIENTS = 8
#: Reports that are acknowledged before the next thing happens.
ENOUGH = 16

GROUP_OF_PROBES = '<ProbeData><probe-data name="kernel" source="Probes">group:probed</probe-data></ProbeData>'


class Senders:
    """Clients that report one run after the other. A report that is not acknowledged is sent again, as clients do."""

    def __init__(self, site: LiveSite) -> None:
        self.acknowledged: Counter[str] = Counter()
        self._stop = Event()
        self._abandon = Event()
        self._executor = ThreadPoolExecutor(CLIENTS)
        self._futures = [self._executor.submit(self._send, site.client(host)) for host in HOSTS[:CLIENTS]]

    def _send(self, client: Client) -> None:
        number = 0
        while not self._stop.is_set():
            bad = f'<Path name="/etc/{number % 3}" type="file"/>'
            document = upload(started=START / 1000 + number * 10, bad=bad)
            while not self._is_accepted(client, document):
                if self._abandon.is_set():
                    return
                # The server is being started.
                time.sleep(0.05)
            self.acknowledged[client.user] += 1
            number += 1

    @staticmethod
    def _is_accepted(client: Client, document: str) -> bool:
        try:
            return client.call("RecvStats", document) is True
        except (*CONNECTION_ERRORS, HTTPStatusError, xmlrpc.client.Fault):
            return False

    def wait_for_more(self, server: LiveServer) -> None:
        """Return when some more reports are acknowledged."""
        wanted = sum(self.acknowledged.values()) + ENOUGH
        wait_until(
            lambda: sum(self.acknowledged.values()) >= wanted,
            f"{ENOUGH} more acknowledgements:\n{server.process.log_tail()}",
        )

    def __enter__(self) -> Senders:
        return self

    def __exit__(self, *_: object) -> None:
        self._abandon.set()
        self.stop()

    def stop(self) -> None:
        """Finish what has been begun."""
        self._stop.set()
        for future in self._futures:
            future.result()
        self._executor.shutdown()


class Place:
    """A database that can be gone."""

    def __init__(self, config: DatabaseConfig, cluster: PostgreSQL | None) -> None:
        self.config = config
        self._cluster = cluster

    @property
    def section(self) -> Mapping[str, str]:
        """The configuration of the server."""
        return {**database_section(self.config), "timeout": "1"}

    def gone(self) -> AbstractContextManager[None]:
        """It is gone meanwhile."""
        return locked(Path(self.config.name)) if self._cluster is None else self._stopped(self._cluster)

    @contextmanager
    def _stopped(self, cluster: PostgreSQL) -> Iterator[None]:
        cluster.stop()
        yield
        cluster.start()

    def runs(self) -> dict[str, list[int]]:
        """Host -> numbers of the runs that are stored."""
        database = Database.open(self.config)
        query = select(HOST.c.hostname, INTERACTION.c.stamps).join_from(INTERACTION, HOST)
        rows = database.read(lambda connection: connection.execute(query).all())
        database.close()
        found: dict[str, list[int]] = {}
        for host, stamps in rows:
            found.setdefault(host, []).append((min(unpack_stamps(stamps)) - START) // 10_000)
        return {host: sorted(numbers) for host, numbers in found.items()}

    def last(self, host: str) -> Interaction:
        """What is stored of the last run of a host."""
        database = Database.open(self.config)
        found = database.read(lambda connection: last_interaction(connection, host), snapshot=True)
        database.close()
        assert found is not None
        return found


@pytest.fixture(params=["sqlite3", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite3":
        config = DatabaseConfig("sqlite3", str(tmp_path / "reports.sqlite"))
        migration.upgrade(config)
        yield Place(config, None)
        return
    cluster = make_cluster(durable=True)
    try:
        config = cluster.new_config()
        migration.upgrade(config)
        yield Place(config, cluster)
    finally:
        cluster.remove()


# The standard library's ssl does not close a socket that is reset between the connection and the handshake.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_every_report_arrives_once(place: Place, tmp_path: Path) -> None:
    options = {"database": place.section, "gevent": {"workers": "2"}}
    site = LiveSite(tmp_path / "site", "gevent", options, (*PLUGINS, "Reporting"))
    journal = Spool(site.repository / "Reporting/DirectStore/journal", lambda: 0, call_directly)
    with site.start() as first, Senders(site) as senders:
        senders.wait_for_more(first)
        with place.gone():
            wait_until(lambda: not journal.is_empty(), "reports are in the journal")
            senders.wait_for_more(first)
            first.signal(signal.SIGKILL)
            assert first.wait() == -signal.SIGKILL
            wait_until(lambda: nobody_listens(site), "the workers have ended")
            second = site.launch()
            with closing_on_failure(second):
                senders.wait_for_more(second)
        with second:
            senders.wait_for_more(second)
            senders.stop()
            wait_until(journal.is_empty, f"the journal is empty:\n{second.process.log_tail()}")
            assert second.stop() == 0
    assert place.runs() == {host: list(range(count)) for host, count in senders.acknowledged.items()}


@pytest.fixture
def shared_place(postgresql: PostgreSQL) -> Place:
    """A database of clients and reports."""
    config = postgresql.new_config()
    migration.upgrade(config)
    database = Database.open(config)
    for host in HOSTS[:CLIENTS]:
        row = StoredClient(host, profile="basic", uuid=f"uuid of {host}")
        database.write(lambda connection, row=row: add_client(connection, row))
    database.close()
    return Place(config, postgresql)


def test_clients_that_are_in_the_database_report_while_it_is_gone(shared_place: Place, tmp_path: Path) -> None:
    site = LiveSite(
        tmp_path / "site",
        "gevent",
        {
            "metadata": {"use_database": "true"},
            "probes": {"use_database": "true"},
            "database": shared_place.section,
            "gevent": {"workers": "2"},
        },
        (*PLUGINS, "Reporting"),
    )
    (site.repository / "Metadata/clients.xml").write_text(
        f'<Clients><Client name="{HOSTS[0]}" password="own"/></Clients>'
    )
    hosts = [site.client(f"uuid of {host}") for host in HOSTS[:CLIENTS]]
    hosts[0] = hosts[0].with_changes(password="own")
    with site.start() as server:
        for client in hosts:
            assert client.call("RecvProbeData", GROUP_OF_PROBES) is True
            assert client.call("RecvStats", upload(started=START / 1000)) is True
        wait_until(
            lambda: server.log_text().count("from the database into memory") == 2, "both workers know the clients"
        )
        with shared_place.gone():
            for number in range(1, 4):
                for client in hosts:
                    assert client.call("RecvStats", upload(started=START / 1000 + number * 10)) is True
            with pytest.raises(HTTPStatusError, match="401"):
                hosts[0].with_changes(password="wrong").call("RecvStats", upload())
            with pytest.raises(xmlrpc.client.Fault, match="metadata of stranger: the client list cannot be changed"):
                site.client("stranger").call("RecvStats", upload())
            for method, *arguments in (["GetProbes"], ["RecvProbeData", GROUP_OF_PROBES], ["GetConfig"]):
                with pytest.raises(xmlrpc.client.Fault, match=r"identified: cannot read the client list: .*reached"):
                    hosts[1].call(method, *arguments)
            grave = Counter((line.pid, line.logger) for line in server.grave() if "access denied" not in line.message)
        expected = {host: [0, 1, 2, 3] for host in HOSTS[:CLIENTS]}
        wait_until(lambda: shared_place.runs() == expected, "the reports are stored, once each")
        assert hosts[1].call("GetConfig")
        assert server.stop() == 0
    assert set(grave.values()) == {1}, "calls that fail because the database is gone leave no lines of their own"
    assert {shared_place.last(host).profile for host in HOSTS[:CLIENTS]} == {"basic"}
    assert all({"basic"} <= set(shared_place.last(host).groups) for host in HOSTS[:CLIENTS])


def test_a_report_that_can_be_kept_nowhere_is_refused(tmp_path: Path) -> None:
    options = {"reporting": {"transport": "LocalFilesystem", "spool_limit": "10"}, "gevent": {"workers": "1"}}
    site = LiveSite(tmp_path / "site", "gevent", options, (*PLUGINS, "Reporting"))
    with site.start() as server:
        with pytest.raises(xmlrpc.client.Fault, match=f"cannot store the report of {HOSTS[0]}: .*is full: "):
            site.client(HOSTS[0]).call("RecvStats", upload())
        server.wait_for_log(f"Reporting.process_statistics failed for {HOSTS[0]}")
        assert "Traceback" not in server.log_text()


@contextmanager
def closing_on_failure(server: LiveServer) -> Iterator[None]:
    """The server is ended if the block fails."""
    with ExitStack() as stack:
        stack.enter_context(server)
        yield
        stack.pop_all()


def nobody_listens(site: LiveSite) -> bool:
    """Whether connections are refused."""
    try:
        site.client().connect_plain().close()
    except ConnectionRefusedError:
        return True
    return False
