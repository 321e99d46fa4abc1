"""The JSON API, from its own description."""

from __future__ import annotations

import csv
import io
from typing import Any

import hypothesis
import pytest
import schemathesis
from flask import Flask

from geventcore.simulation.report_history import fleet_hosts
from geventcore.web.api.description import description
from geventcore.web.tables import Table
from tests.web.application import KNOWN_HOST, LOCAL, database_config, fill_database, make_app, make_services
from tests.web.reports import ATTACK, ATTACK_HOST


class _Local:
    """The application, for which every request comes from this machine."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self._app({**environ, **LOCAL, "HTTP_HOST": "localhost"}, start_response)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    config = database_config(tmp_path_factory.mktemp("api"))
    fill_database(config)
    return make_app(make_services(config))


@pytest.fixture(scope="module")
def schema(app: Flask) -> Any:
    return schemathesis.openapi.from_wsgi("/api/openapi.json", _Local(app))


@pytest.mark.parametrize("path", description()["paths"])
def test_answers_are_as_described(schema: Any, path: str) -> None:
    operation = schema[path]["GET"]

    @hypothesis.given(case=operation.as_strategy())
    @hypothesis.settings(
        max_examples=20,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        derandomize=True,
        database=None,
    )
    def check(case: Any) -> None:
        case.call_and_validate()

    check()


def ask(app: Flask, address: str, status: int = 200) -> Any:
    answer = app.test_client().get(address, environ_overrides=LOCAL)
    assert answer.status_code == status, answer.text
    return answer.json if answer.mimetype == "application/json" else answer.text


TABLES = (
    "hosts",
    "breakdown?by=group",
    "hours?count=5",
    f"hosts/{KNOWN_HOST}/runs",
    f"hosts/{KNOWN_HOST}/probes",
    f"hosts/{KNOWN_HOST}/configuration",
    "entries",
    "search?q=etc",
    "entry?tag=Path&name=/etc/ssh/sshd_config",
    f"hosts/{KNOWN_HOST}/entry?tag=Path&name=/etc/motd",
)


@pytest.mark.parametrize("address", TABLES)
def test_every_table_is_json_and_csv(app: Flask, address: str) -> None:
    found = ask(app, f"/api/v1/{address}")
    text = ask(app, f"/api/v1/{address}{'&' if '?' in address else '?'}format=csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(found["rows"]) == found["total"]
    assert found["rows"], "an empty table shows nothing"
    assert list(rows[0]) == list(found["rows"][0])


def test_cells_are_no_formulas(app: Flask) -> None:
    table = Table("t", ("a", "b", "c"), [{"a": "=1+1", "b": -5, "c": ["@x", "y"]}])
    assert table.as_csv() == "a,b,c\r\n'=1+1,-5,'@x y\r\n"
    assert table.as_object()["rows"] == [{"a": "=1+1", "b": -5, "c": ["@x", "y"]}]


def test_a_host_has_its_run_and_entries(app: Flask) -> None:
    found = ask(app, "/api/v1/hosts/" + ATTACK_HOST.replace("/", "%2F"))
    entries = {entry["name"]: entry for entry in found["run"]["entries"]}
    assert entries[f"/etc/{ATTACK}"]["diff"] == f"- {ATTACK}\n+ good\n"
    assert entries["/etc/secret"]["sensitive"] is True
    assert entries["/etc/secret"]["differences"] == [{"attribute": "mode", "expected": "", "found": ""}]
    assert entries["/etc/image"]["diff"] is None


def test_hidden_probes_are_null(app: Flask) -> None:
    rows = ask(app, f"/api/v1/hosts/{KNOWN_HOST}/probes")["rows"]
    assert rows == [{"name": "os", "result": "debian"}, {"name": "root-password", "result": None}]


def test_the_fleet_of_an_earlier_moment_has_no_later_reports(app: Flask) -> None:
    now = ask(app, "/api/v1/summary")
    # Besides the fleet: the attacker, and a client that never reported.
    assert now["hosts"] == len(fleet_hosts(30)) + 2
    assert now["states"]["never"] == 1
    runs = ask(app, f"/api/v1/hosts/{KNOWN_HOST}/runs")["rows"]
    third = runs[2]["reported"].replace("+", "%2B")
    at = ask(app, f"/api/v1/hosts/{KNOWN_HOST}?at={third}")
    assert at["run"]["reported"] <= runs[2]["reported"]
    assert ask(app, "/api/v1/summary?at=0")["hosts"] == 0


@pytest.mark.parametrize(
    "address",
    [
        "hosts?state=good",
        "hosts?at=yesterday",
        "hosts?at=99999999999999999999999",
        "hosts?sort=color",
        "hosts?limit=0",
        "hosts?limit=x",
        "hosts?format=xml",
        "hours?count=100000",
        "entries?kind=ugly",
        "entry?tag=Path",
        "breakdown?by=color",
        "search",
    ],
)
def test_a_wrong_parameter_is_named(app: Flask, address: str) -> None:
    error = ask(app, f"/api/v1/{address}", 400)["error"]
    assert "expected" in error


@pytest.mark.parametrize("address", ["/api/", "/api/v1/nothing", "/api/v1/hosts/nobody.example.com"])
def test_nothing_is_there(app: Flask, address: str) -> None:
    assert "error" in ask(app, address, 404)


def test_the_api_changes_nothing(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api"):
            assert rule.methods is not None
            assert rule.methods <= {"GET", "HEAD", "OPTIONS"}
