"""Pages when something is missing: each says what to do."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from flask import Flask

from geventcore.errors import DatabaseUnavailable, GeventcoreError
from geventcore.storage import migration
from geventcore.storage.config import DatabaseConfig
from geventcore.web.services import Services
from geventcore.web.site import Site
from tests.support.report_database import locked
from tests.web.application import KNOWN_HOST, LOCAL, database_config, fill_database, make_app, make_services

PAGES = ("/", "/hosts", "/entries", "/calendar/", "/search?q=x", "/entry?tag=Path&name=x")


def ask(app: Flask, address: str) -> tuple[int, str]:
    answer = app.test_client().get(address, environ_overrides=LOCAL)
    return answer.status_code, answer.text


@pytest.mark.parametrize("address", PAGES)
def test_before_the_first_report_pages_say_what_is_needed(tmp_path: Path, address: str) -> None:
    app = make_app(make_services(database_config(tmp_path)))
    status, text = ask(app, address)
    assert status == 200
    assert "There are no reports yet" in text
    assert "Reporting" in text
    assert list(tmp_path.iterdir()) == [], "looking makes no database"


def test_pages_appear_with_the_first_report(tmp_path: Path) -> None:
    config = database_config(tmp_path)
    app = make_app(make_services(config))
    assert "There are no reports yet" in ask(app, "/")[1]
    migration.upgrade(config)
    # The database exists, and nobody but a silent client is known.
    assert "There are no reports yet" in ask(app, "/")[1]
    fill_database(config, 10, 10)
    assert "hosts are as they should be" in ask(make_app(make_services(config)), "/")[1]


@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize(
    ("version", "says"), [("0003", "geventcore db upgrade"), ("9999", "install the newer geventcore")]
)
def test_tables_of_another_version_are_told_with_the_way_out(
    tmp_path: Path, address: str, version: str, says: str
) -> None:
    config = database_config(tmp_path)
    migration.upgrade(config)
    with sqlite3.connect(config.name) as connection:
        connection.execute("UPDATE geventcore_schema SET version_num = ?", (version,))
    connection.close()
    status, text = ask(make_app(make_services(config)), address)
    assert status == 503
    assert "The database has the tables of another version" in text
    assert says in text
    assert "Traceback" not in text


def test_a_database_that_is_gone_is_told_and_comes_back(tmp_path: Path) -> None:
    config = database_config(tmp_path)
    fill_database(config, 10, 10)
    services = make_services(config)
    app = make_app(services)
    assert ask(app, "/")[0] == 200
    services.database.close()
    services.fleet.forget()
    os.rename(config.name, f"{config.name}.away")
    os.mkdir(config.name)
    status, text = ask(app, "/")
    assert status == 503
    assert "geventcore db check" in text
    os.rmdir(config.name)
    os.rename(f"{config.name}.away", config.name)
    assert ask(app, "/")[0] == 200


def test_an_unreachable_server_is_told() -> None:
    config = DatabaseConfig("postgresql", "none", host="127.0.0.1", port=1, timeout=0.3)
    app = make_app(make_services(config))
    status, text = ask(app, "/")
    assert status == 503
    assert "The database cannot be reached" in text
    assert "their reports wait on the server" in text
    answer = app.test_client().get("/api/v1/hosts", environ_overrides=LOCAL)
    assert answer.status_code == 503
    assert "cannot be reached" in answer.json["error"]  # type: ignore[index]


def test_pages_read_while_the_collector_writes(tmp_path: Path) -> None:
    config = database_config(tmp_path)
    fill_database(config, 10, 10)
    app = make_app(make_services(config))
    with locked(Path(config.name)):
        assert ask(app, "/")[0] == 200
        status, text = ask(app, f"/hosts/{KNOWN_HOST}")
        assert (status, KNOWN_HOST in text) == (200, True)


class _Broken:
    def clients(self) -> list[str]:
        raise GeventcoreError("clients.xml: line 3: it is broken")

    def configuration(self, host: str) -> None:
        raise GeventcoreError("Bundler/base.xml: line 9: it is broken")

    def broken_files(self) -> list[str]:
        return ["Rules/<b>.xml: line 4: it is broken"]

    def probes(self, host: str) -> None:
        raise GeventcoreError("probed.xml: it is broken")


@pytest.fixture
def broken_site(tmp_path: Path) -> Services:
    config = database_config(tmp_path)
    fill_database(config, 10, 10)
    services = make_services(config)
    services.site = Site(_Broken(), ())  # type: ignore[arg-type]
    services.fleet._clients = services.site.clients
    return services


def test_a_broken_repository_leaves_the_reports(broken_site: Services) -> None:
    app = make_app(broken_site)
    assert "clients.xml: line 3: it is broken" in ask(app, "/")[1]
    status, text = ask(app, f"/hosts/{KNOWN_HOST}/probes")
    assert (status, "probed.xml: it is broken" in text) == (200, True)
    assert ask(app, f"/hosts/{KNOWN_HOST}")[0] == 200
    assert "Rules/&lt;b&gt;.xml: line 4: it is broken" in ask(app, "/servers/files")[1]
    assert "Bundler/base.xml: line 9" in ask(app, f"/hosts/{KNOWN_HOST}/configuration")[1]
    answer = app.test_client().get(f"/api/v1/hosts/{KNOWN_HOST}/configuration", environ_overrides=LOCAL)
    assert answer.status_code == 503


def test_a_mistake_of_a_page_is_no_traceback(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = database_config(tmp_path)
    fill_database(config, 10, 10)
    services = make_services(config)
    services.page_size = 0
    status, text = ask(make_app(services), "/hosts")
    assert status == 500
    assert "This page has failed" in text
    assert "Traceback" not in text
    assert "the page /hosts failed" in caplog.text


def test_the_outage_is_no_other_error() -> None:
    assert issubclass(DatabaseUnavailable, GeventcoreError)
