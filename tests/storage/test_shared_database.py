"""A server and a shared database that fails over: what its checks say, and an old primary that comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from geventcore.admin.client import Reply, ask
from geventcore.options.listen_address import ListenAddress
from geventcore.storage import migration
from geventcore.storage.database import Database
from geventcore.testing.live_site import LiveSite, wait_until
from tests.support.postgresql import PostgreSQL, database_section, make_cluster

pytestmark = pytest.mark.live


@pytest.fixture
def primary() -> Iterator[PostgreSQL]:
    cluster = make_cluster()
    try:
        yield cluster
    finally:
        cluster.remove()


def test_failover_and_the_return_of_the_old_primary(primary: PostgreSQL, tmp_path: Path) -> None:
    name = primary.new_database()
    migration.upgrade(primary.config(name))
    standby = primary.copy_as_standby()
    # The address that clients of the database use moves from one machine to the other.
    address = tmp_path / "address"
    address.symlink_to(primary.directory)
    admin = ListenAddress(path=tmp_path / "admin")
    site = LiveSite(tmp_path / "site", "gevent", {"gevent": {"workers": "1"}})
    site.options["admin"] = {"listen": str(admin), "control": "none"}
    site.options["metadata"] = {"use_database": "true"}
    site.options["database"] = {**database_section(primary.config(name)), "host": str(address), "timeout": "2"}

    def get(path: str) -> Reply:
        return ask(admin, path)

    def wait_for(status: int, text: str) -> None:
        def is_so() -> bool:
            reply = get("/readyz")
            return reply.status == status and text in reply.text

        wait_until(is_so, f"{status}: {text}")
        # Whatever is with the database: this machine is in order.
        assert get("/readyz/local").status == 200

    def move_to(cluster: PostgreSQL) -> None:
        address.unlink()
        address.symlink_to(cluster.directory)

    try:
        with site.start() as server:
            wait_for(200, "database: ok")
            assert '/1"} 1.0' in _line(get("/metrics").text, "geventcore_database_info")
            primary.stop("fast")
            wait_for(503, "database: the last attempt")
            move_to(standby)
            wait_for(503, "accepts no writes: it is a standby, or read-only")
            standby.promote()
            wait_for(200, "database: ok")
            wait_until(lambda: '/2"} 1.0' in _line(get("/metrics").text, "geventcore_database_info"), "the generation")
            # Somebody starts the old primary, and its address comes back with it.
            standby.stop("fast")
            primary.start()
            move_to(primary)
            wait_for(503, "split brain: ")
            assert any(line.level == "CRITICAL" and "split brain" in line.message for line in server.log())
            primary.stop("fast")
            standby.start()
            move_to(standby)
            wait_for(200, "database: ok")
            primary.start()
    finally:
        standby.remove()


def _line(text: str, beginning: str) -> str:
    return next((line for line in text.splitlines() if line.startswith(beginning)), "")


def test_a_list_of_hosts_leads_to_the_one_that_accepts_writes(primary: PostgreSQL) -> None:
    name = primary.new_database()
    migration.upgrade(primary.config(name))
    standby = primary.copy_as_standby()
    try:
        options = {"target_session_attrs": "read-write", "connect_timeout": 3}
        hosts = f"{standby.directory},{primary.directory}"
        with closing(Database.open(replace(primary.config(name), host=hosts, options=options))) as database:
            assert (database.check().timeline, database.check().is_read_only) == (1, False)
            primary.stop("fast")
            standby.promote()
            assert (database.check().timeline, database.check().is_read_only) == (2, False)
        primary.start()
    finally:
        standby.remove()
