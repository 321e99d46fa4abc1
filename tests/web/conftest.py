"""A site whose fifty simulated hosts have run, its pages, and a browser: each is started once."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from geventcore.cli.demo import demo_clients, make_demo_site
from geventcore.simulation import Load, RunPlan
from geventcore.simulation.measurement import Measurement, measure_load
from geventcore.simulation.test_bed import HOST, ServerProcess, free_port, geventcore_server
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database
from geventcore.storage.report_writing import store_interactions
from tests.web.browsing import Browser, get
from tests.web.reports import ATTACK, attacking_reports

PASSWORD = "correct-horse-battery-staple"


@dataclass(frozen=True)
class Pages:
    """A running site: the address of its pages, its configuration file and its database."""

    url: str
    configuration: Path
    database: DatabaseConfig


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """A server with fifty hosts that made two runs, and its web pages."""
    directory = tmp_path_factory.mktemp("pages")
    port, web_port, site = free_port(), free_port(), directory / "site"
    configuration = make_demo_site(site, port, web_port)
    # A client of the list that never reports.
    clients = site / "repository" / "Metadata" / "clients.xml"
    text = clients.read_text().replace(
        "</Clients>", '  <Client name="silent.example.com" profile="web-server"/>\n</Clients>'
    )
    clients.write_text(text)
    server = ServerProcess(geventcore_server(configuration), directory / "server.log", port)
    web = None
    try:
        server.wait_until_serving(site / "tls" / "ca.crt")
        answers = {"hardware": ATTACK}
        plan = RunPlan(checks_answers=True, deviations=0, probe_answers=answers)
        load = Load(server.target, site / "tls" / "ca.crt", PASSWORD, demo_clients(50), plan=plan)
        for seed in (0, 1):
            measurement = Measurement("gevent", "")
            measure_load(measurement, replace(load, plan=replace(plan, deviations=seed)))
            assert measurement.total("runs_failed") == 0
        config = DatabaseConfig("sqlite3", str(site / "state" / "etc" / "bcfg2.sqlite"))
        database = Database(config)
        database.write(lambda connection: store_interactions(connection, attacking_reports()))
        database.close()
        web = ServerProcess(
            [sys.executable, "-m", "geventcore", "web", "-C", str(configuration)], directory / "web.log", web_port
        )
        url = f"http://{HOST}:{web_port}"
        wait_for(url, web)
        yield Pages(url, configuration, config)
    finally:
        if web is not None:
            web.kill()
        server.kill()


def wait_for(url: str, process: ServerProcess) -> None:
    """Wait until pages answer."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.process.poll() is None, process.log_tail()
        try:
            get(f"{url}/healthz")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(process.log_tail())


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium."""
    started = Browser(tmp_path_factory.mktemp("browser"))
    try:
        yield started
    finally:
        started.quit()
