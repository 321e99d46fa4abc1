"""What the admin listener tells while the database is gone, and when it is back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from geventcore.admin.client import Reply, ask
from geventcore.options.listen_address import parse_address
from geventcore.storage import migration
from geventcore.testing.contract_repository import HOSTS
from geventcore.testing.live_site import LiveSite, wait_until
from geventcore.testing.site_files import PLUGINS
from tests.support.metric_values import values_in
from tests.support.postgresql import PostgreSQL, database_section
from tests.support.uploads import START, upload

pytestmark = pytest.mark.live


class Site:
    """A server whose reports are in a PostgreSQL, and its clients if `with_clients`."""

    def __init__(self, directory: Path, postgresql: PostgreSQL, *, with_clients: bool) -> None:
        config = postgresql.new_config()
        migration.upgrade(config)
        self.name = config.name
        options = {
            "database": {**database_section(config), "timeout": "1"},
            "metadata": {"use_database": str(with_clients)},
            "gevent": {"workers": "2"},
            "admin": {"listen": f"unix:{directory}/admin.sock"},
        }
        self.live = LiveSite(directory / "site", "gevent", options, (*PLUGINS, "Reporting"))
        self._address = parse_address(f"unix:{directory}/admin.sock")

    def ask(self, path: str) -> Reply:
        """What the admin listener answers."""
        return ask(self._address, path)

    def is_ready(self, times: int = 8) -> set[bool]:
        """What the processes say that are reached by so many questions."""
        return {self.ask("/readyz").status == 200 for _ in range(times)}

    def values(self) -> Callable[..., float]:
        """The metrics of now."""
        return values_in(self.ask("/metrics").text)

    def report(self, number: int) -> None:
        """A client reports."""
        self.live.client(HOSTS[0]).call("RecvStats", upload(started=START / 1000 + number * 10))


def test_nobody_calls_a_server_while_its_database_is_gone(tmp_path: Path, postgresql: PostgreSQL) -> None:
    """A balancer asks, and nobody else: each process finds out by itself, both times."""
    site = Site(tmp_path, postgresql, with_clients=True)
    with site.live.start() as server:
        assert site.is_ready() == {True}
        postgresql.stop()
        try:
            wait_until(lambda: site.is_ready() == {False}, "no process is ready")
            answer = site.ask("/readyz")
            assert f"database: the last attempt to use the postgresql database {site.name} on " in answer.text
            assert "serving: ok" in answer.text
            assert site.values()("geventcore_ready", check="database") == 0
        finally:
            postgresql.start()
        wait_until(lambda: site.is_ready() == {True}, "every process is ready again")
        assert "database: ok" in site.ask("/readyz").text
        assert "Traceback" not in server.log_text()


def test_reports_that_wait_are_in_the_metrics(tmp_path: Path, postgresql: PostgreSQL) -> None:
    site = Site(tmp_path, postgresql, with_clients=False)
    with site.live.start():
        site.report(0)
        values = site.values()
        assert values("geventcore_reports_total", outcome="stored") == 1
        assert values("geventcore_reports_waiting_files", place="journal") == 0
        assert values("geventcore_reports_oldest_seconds", place="journal") == 0
        assert values("geventcore_reports_waiting_limit_bytes", place="journal") == 1 << 30
        postgresql.stop()
        try:
            site.report(1)
            waiting = site.values()
            assert waiting("geventcore_reports_total", outcome="kept") == 1
            assert waiting("geventcore_reports_waiting_files", place="journal") == 1
            assert waiting("geventcore_reports_waiting_bytes", place="journal") > 100
            assert site.is_ready() == {True}, "clients are served meanwhile"
            age = waiting("geventcore_reports_oldest_seconds", place="journal")
            assert age > 0
            wait_until(
                lambda: site.values()("geventcore_reports_oldest_seconds", place="journal") > age, "it becomes older"
            )
        finally:
            postgresql.start()
        wait_until(lambda: site.values()("geventcore_reports_total", outcome="delivered") == 1, "it is delivered")
        wait_until(lambda: site.values()("geventcore_reports_waiting_files", place="journal") == 0, "it is removed")
        values = site.values()
        assert values("geventcore_reports_waiting_bytes", place="journal") == 0
        for outcome in ("failed", "refused"):
            assert values("geventcore_reports_total", outcome=outcome) == 0
