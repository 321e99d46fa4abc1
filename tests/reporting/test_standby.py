"""PostgreSQL that accepts no writes is an outage: reports are kept, and delivered when it accepts writes again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select

from geventcore.storage import migration
from geventcore.storage.database import Database
from geventcore.storage.report_tables import INTERACTION
from geventcore.testing.live_site import LiveSite, wait_until
from geventcore.testing.site_files import PLUGINS
from tests.support.postgresql import PostgreSQL, database_section, make_cluster
from tests.support.uploads import START, upload

pytestmark = pytest.mark.live


@pytest.fixture
def primary() -> Iterator[PostgreSQL]:
    cluster = make_cluster()
    try:
        yield cluster
    finally:
        cluster.remove()


def site(tmp_path: Path, core: str, section: dict[str, str]) -> LiveSite:
    return LiveSite(tmp_path / "site", core, {"database": section}, plugins=(*PLUGINS, "Reporting"))


def report(number: int) -> str:
    return upload(started=START / 1000 + number * 100, bad=f'<Path name="/etc/{number}" type="file"/>')


def stored(cluster: PostgreSQL, name: str) -> int:
    with closing(Database.open(cluster.config(name))) as database:
        return int(database.read(lambda connection: connection.execute(select(func.count(INTERACTION.c.timestamp))))
                   .scalar() or 0)  # fmt: skip


@pytest.mark.parametrize("core", ["gevent", "builtin"])
def test_failing_over_to_a_standby_loses_no_report(primary: PostgreSQL, tmp_path: Path, core: str) -> None:
    name = primary.new_database()
    migration.upgrade(primary.config(name))
    standby = primary.copy_as_standby()
    is_primary_running = True
    try:
        # The address that clients of the database use moves from one machine to the other.
        address = tmp_path / "address"
        address.symlink_to(primary.directory)
        section = {**database_section(primary.config(name)), "host": str(address), "timeout": "2"}
        with site(tmp_path, core, section).start() as server:
            client = server.site.client("plain")
            assert client.call("RecvStats", report(0)) is True
            wait_until(lambda: stored(standby, name) == 1, "the report on the standby")
            primary.stop("fast")
            is_primary_running = False
            address.unlink()
            address.symlink_to(standby.directory)
            for number in range(1, 4):
                assert client.call("RecvStats", report(number)) is True
            assert stored(standby, name) == 1
            standby.promote()
            wait_until(lambda: stored(standby, name) == 4, "all reports")
            assert client.call("RecvStats", report(4)) is True
            wait_until(lambda: stored(standby, name) == 5, "the last report")
    finally:
        standby.remove()
        if not is_primary_running:
            primary.start()


@pytest.mark.parametrize("core", ["gevent", "builtin"])
def test_a_read_only_database_is_an_outage(primary: PostgreSQL, tmp_path: Path, core: str) -> None:
    name = primary.new_database()
    config = primary.config(name)
    migration.upgrade(config)
    with site(tmp_path, core, {**database_section(config), "timeout": "2"}).start() as server:
        client = server.site.client("plain")
        assert client.call("RecvStats", report(0)) is True
        primary.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        primary.end_connections(name)
        assert client.call("RecvStats", report(1)) is True
        assert stored(primary, name) == 1
        assert any("read-only" in line.message for line in server.grave())
        primary.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off")
        wait_until(lambda: stored(primary, name) == 2, "the kept report")
