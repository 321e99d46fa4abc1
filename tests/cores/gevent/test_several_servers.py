"""Two servers with two workers each behind HAProxy, sharing PostgreSQL: every answer is right, whoever gives it.

The balancer's configuration is the one that the manual shows.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from geventcore.storage import clients, migration, probes
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database
from geventcore.testing.live_site import LiveServer, LiveSite, process_tree, wait_until
from geventcore.testing.site_files import PLUGINS, free_port
from geventcore.testing.wire_client import CONNECTION_ERRORS, Client, HTTPStatusError
from tests.support.postgresql import PostgreSQL, database_section
from tests.support.project import PROJECT

pytestmark = pytest.mark.live

CLIENTS = 500
AT_ONCE = 24
#: What the client of Bcfg2 does: every failure is tried again, so often, after so many seconds.
TRIES = 3
RETRY_SECONDS = 1.0
CONFIGURATION = PROJECT / "contrib/haproxy/haproxy.cfg"

STATISTICS = (
    '<upload-statistics><Statistics version="2.0" revision="{}" state="clean" total="1" good="1">'
    "<Bad/><Modified/><Extra/><Good/></Statistics></upload-statistics>"
)


class Site:
    """Two servers, the balancer, and what they have acknowledged."""

    def __init__(self, directory: Path, config: DatabaseConfig, balancer: str) -> None:
        options = {
            "gevent": {"workers": "2"},
            "metadata": {"use_database": "true"},
            "probes": {"use_database": "true"},
            "server": {"proxy_protocol": "127.0.0.1"},
            "database": database_section(config),
        }
        plugins = [*PLUGINS, "Reporting"]
        self.sites = [LiveSite(directory / name, "gevent", options, plugins) for name in ("one", "two")]
        for site in self.sites:
            site.options["admin"] = {"listen": f"127.0.0.1:{free_port()}", "control": "none"}
        self.authorities = directory / "authorities.pem"
        self.authorities.write_bytes(b"".join(site.ca.read_bytes() for site in self.sites))
        self.database = Database.open(config)
        self.port = free_port()
        self.acknowledged: Counter[str] = Counter()
        self.retried = 0
        self._lock = threading.Lock()
        self.servers = [site.start() for site in self.sites]
        text = CONFIGURATION.read_text().replace("bind :6789", f"bind 127.0.0.1:{self.port}")
        text = text.replace("send-proxy-v2 port 6780", "send-proxy-v2")
        for site, name in zip(self.sites, ("one", "two"), strict=True):
            check = site.options["admin"]["listen"].rpartition(":")[2]
            text = re.sub(
                rf"server {name} 192\.0\.2\.\d+:6789", f"server {name} 127.0.0.1:{site.port} port {check}", text
            )
        (directory / "haproxy.cfg").write_text(text)
        self._balancer = subprocess.Popen([balancer, "-q", "-db", "-f", str(directory / "haproxy.cfg")])
        try:
            wait_until(lambda: self.call(self.client("somebody"), "ping") == [], "an answer through the balancer")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End everything."""
        self._balancer.terminate()
        self._balancer.wait()
        for server in self.servers:
            server.process.stop(patience=10.0)
        self.database.close()

    def client(self, user: str) -> Client:
        """A client that calls the balancer."""
        return self.sites[0].client(user).with_changes(port=self.port, ca=self.authorities)

    def call(self, client: Client, method: str, *arguments: Any) -> Any:
        """Call as the client of Bcfg2 does; what fails three times is an error of the test."""
        for attempt in range(1, TRIES + 1):
            try:
                answer = client.call(method, *arguments)
            except (*CONNECTION_ERRORS, HTTPStatusError):
                if attempt == TRIES:
                    raise
                with self._lock:
                    self.retried += 1
                time.sleep(RETRY_SECONDS)
            else:
                with self._lock:
                    self.acknowledged[method] += 1
                return answer
        raise AssertionError

    def run(self, number: int) -> None:
        """One client's run; every answer is what follows from what was acknowledged before."""
        chance = random.Random(number)
        name = f"client{number}.example.net"
        client = self.client(name)
        assert self.call(client, "DeclareVersion", f"1.4.{number}") is True
        profile = chance.choice(["basic", "basic", "basic", "large"])
        assert self.call(client, "AssertProfile", profile) is True
        assert "kernel" in self.call(client, "GetProbes")
        for _ in range(2):
            group = chance.choice(["probed", "other"])
            data = f"group:{group}\nnumber {number}"
            upload = f'<ProbeData><probe-data name="kernel" source="Probes">{data}</probe-data></ProbeData>'
            assert self.call(client, "RecvProbeData", upload) is True
            configuration = self.call(client, "GetConfig")
            assert ("/srv/large" in configuration) == (profile == "large"), name
            assert ("/etc/probed" in configuration) == (group == "probed" and profile == "basic"), name
            assert self.call(client, "GetDecisionList", "whitelist") == [["Path", "/etc/*"]]
        assert self.call(client, "RecvStats", STATISTICS.format(name)) is True

    def kill(self, server: LiveServer) -> None:
        """End all processes of a server, as a machine that fails."""
        for pid in process_tree(server.pid):
            os.kill(pid, signal.SIGKILL)
        server.wait()

    def restart(self, which: int) -> None:
        """Start a server that was ended."""
        self.servers[which] = self.sites[which].start()

    def reports(self) -> Counter[str]:
        """How often each report is stored, by the revision that it names."""
        from sqlalchemy import select

        from geventcore.storage.report_tables import CIRCUMSTANCES, INTERACTION

        query = select(CIRCUMSTANCES.c.revision).join_from(
            INTERACTION, CIRCUMSTANCES, CIRCUMSTANCES.c.id == INTERACTION.c.circumstances_id
        )
        return Counter(self.database.read(lambda connection: list(connection.execute(query).scalars())))


@pytest.fixture
def site(tmp_path: Path, postgresql: PostgreSQL) -> Iterator[Site]:
    balancer = shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy")
    if balancer is None:
        pytest.skip("haproxy is not installed")
    config = postgresql.new_config()
    migration.upgrade(config)
    made = Site(tmp_path, config, balancer)
    yield made
    made.close()


# The standard library's ssl does not close a socket that is reset between the connection and the handshake.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_a_server_dies_and_another_joins_while_clients_run(site: Site) -> None:
    with ThreadPoolExecutor(AT_ONCE) as executor:
        runs = [executor.submit(site.run, number) for number in range(CLIENTS)]
        wait_until(lambda: site.acknowledged["RecvStats"] >= CLIENTS // 4, "a quarter of the runs", seconds=120)
        site.kill(site.servers[1])
        wait_until(lambda: site.acknowledged["RecvStats"] >= CLIENTS // 2, "half of the runs", seconds=120)
        site.restart(1)
        wait_until(lambda: site.acknowledged["RecvStats"] >= 3 * CLIENTS // 4, "three quarters", seconds=120)
        site.servers[0].signal(signal.SIGTERM)
        for run in runs:
            run.result()
    assert site.retried > 0, "the kill has hit nobody"
    wanted = {f"client{number}.example.net": number for number in range(CLIENTS)}
    versions = {client.hostname: client.version for client in site.database.read(clients.all_clients)}
    assert {name: versions.get(name) for name in wanted} == {name: f"1.4.{number}" for name, number in wanted.items()}
    for name, number in wanted.items():
        found = site.database.read(lambda connection, name=name: probes.get_probes(connection, name))  # type: ignore[misc]
        assert found.data["kernel"].endswith(f"number {number}"), name
    reports = site.reports()
    assert reports.keys() == wanted.keys()
    # Whose answer was lost has sent it again; nothing else is there twice.
    assert sum(reports.values()) - len(wanted) <= site.retried
    served = [len(re.findall("reported state", server.log_text())) for server in site.servers]
    assert all(served), served
