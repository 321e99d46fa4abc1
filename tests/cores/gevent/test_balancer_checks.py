"""HAProxy with the configuration of the manual: a broken machine leaves, a shared database that is gone takes none."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from geventcore.admin.client import ask
from geventcore.options.listen_address import ListenAddress
from geventcore.storage import migration
from geventcore.testing.live_site import LiveSite, wait_until
from geventcore.testing.site_files import free_port
from geventcore.testing.wire_client import CONNECTION_ERRORS, Client
from tests.support.postgresql import PostgreSQL, database_section, make_cluster
from tests.support.project import PROJECT

pytestmark = pytest.mark.live

CONFIGURATION = PROJECT / "contrib/haproxy/haproxy.cfg"
CALLS = 30


@pytest.fixture
def cluster() -> Iterator[PostgreSQL]:
    made = make_cluster()
    try:
        yield made
    finally:
        made.remove()


def serves(client: Client) -> bool:
    try:
        return client.call("ping") == []
    except CONNECTION_ERRORS:
        return False


def status(site: LiveSite, path: str) -> int:
    port = int(site.options["admin"]["listen"].rpartition(":")[2])
    return ask(ListenAddress(host="127.0.0.1", port=port), path).status


def test_clients_are_served_as_long_as_a_machine_can(cluster: PostgreSQL, tmp_path: Path) -> None:
    balancer = shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy")
    if balancer is None:
        pytest.skip("haproxy is not installed")
    name = cluster.new_database()
    migration.upgrade(cluster.config(name))
    sites = []
    port = free_port()
    text = CONFIGURATION.read_text().replace("bind :6789", f"bind 127.0.0.1:{port}")
    text = text.replace("send-proxy-v2 port 6780", "send-proxy-v2")
    for server in ("one", "two"):
        site = LiveSite(tmp_path / server, "gevent", {"gevent": {"workers": "1"}})
        check = free_port()
        site.options["admin"] = {"listen": f"127.0.0.1:{check}", "control": "none"}
        site.options["server"]["proxy_protocol"] = "127.0.0.1"
        site.options["probes"] = {"use_database": "true"}
        site.options["database"] = {**database_section(cluster.config(name)), "timeout": "1"}
        text = re.sub(rf"server {server} 192\S+", f"server {server} 127.0.0.1:{site.port} port {check}", text)
        sites.append(site)
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text(text)
    authorities = tmp_path / "authorities.pem"
    authorities.write_bytes(b"".join(site.ca.read_bytes() for site in sites))
    client = sites[0].client("somebody").with_changes(port=port, ca=authorities)
    command = [balancer, "-q", "-db", "-f", str(configuration)]
    with sites[0].start() as one, sites[1].start(), subprocess.Popen(command) as running:
        try:
            wait_until(lambda: serves(client), "an answer through the balancer")
            cluster.stop("fast")
            wait_until(lambda: all(status(site, "/readyz") == 503 for site in sites), "both miss the database")
            assert all(status(site, "/readyz/local") == 200 for site in sites)
            # A call that comes while the balancer changes its mind may fail: real clients try again.
            wait_until(lambda: all(serves(client) for _ in range(CALLS)), "calls without the database")
            assert one.stop() == 0
            wait_until(lambda: all(serves(client) for _ in range(CALLS)), "calls to the other machine")
            cluster.start()
            wait_until(lambda: status(sites[1], "/readyz") == 200, "the database is back")
            assert all(serves(client) for _ in range(CALLS))
        finally:
            running.terminate()
