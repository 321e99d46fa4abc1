"""The traces of a whole client run, and the log lines that belong to them, from a real server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from geventcore.simulation import Load, Pace, RetryPolicy, SimulatedClient, Target, make_runs
from geventcore.testing.contract_repository import HOSTS
from geventcore.testing.live_site import GLOBAL_PASSWORD, LiveSite
from tests.support.otlp_collector import Collector

CALLS = ["DeclareVersion", "GetProbes", "RecvProbeData", "GetConfig", "RecvStats"]


@pytest.fixture(scope="module", params=["gevent", "builtin"])
def traced(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], str]:
    """The spans of one run, and the log of the server."""
    directory = tmp_path_factory.mktemp("traced")
    collector = Collector()
    site = LiveSite(directory / "site", request.param, {"gevent": {"workers": "1"}})
    site.options["tracing"] = {"endpoint": collector.endpoint, "sample": "1", "service": "site"}
    site.options["metadata"] = {"use_database": "true"}
    site.options["logging"] = {"format": "json", "syslog": "false"}
    site.server_site.write()
    with site.launch() as server:
        server.wait_for_log("listens on")
        clients = [SimulatedClient(HOSTS[0], HOSTS[0])]
        target = Target("127.0.0.1", site.port)
        result = make_runs(Load(target, site.ca, GLOBAL_PASSWORD, clients, Pace(), 120.0, RetryPolicy()))
        assert result.counts.runs_ok == 1
        # The end of the server sends the last spans.
        assert server.stop() == 0
        log = server.log_text()
    collector.close()
    assert {resource["service.name"] for resource in collector.resources} == {"site"}
    return collector.spans, log


def attributes(span: Any) -> dict[str, str]:
    return {attribute.key: attribute.value.string_value for attribute in span.attributes}


def children(spans: list[Any], parent: Any) -> list[Any]:
    return [span for span in spans if span.parent_span_id == parent.span_id]


def test_every_call_has_a_span_with_its_phases(traced: tuple[list[Any], str]) -> None:
    spans, _ = traced
    roots = sorted((span for span in spans if not span.parent_span_id), key=lambda span: span.start_time_unix_nano)
    assert [attributes(root)["rpc.method"] for root in roots] == CALLS
    for root in roots:
        assert attributes(root)["client"] in (HOSTS[0], "")
        names = {child.name for child in children(spans, root)}
        assert {"head", "authenticate", "body", "dispatch", "write"} <= names
        for child in children(spans, root):
            assert child.trace_id == root.trace_id
            assert root.start_time_unix_nano <= child.end_time_unix_nano <= root.end_time_unix_nano


def test_steps_plugins_and_statements_are_nested(traced: tuple[list[Any], str]) -> None:
    spans, _ = traced
    by_id = {span.span_id: span for span in spans}

    def path(span: Any) -> list[str]:
        names = [span.name]
        while span.parent_span_id:
            span = by_id[span.parent_span_id]
            names.append(span.name)
        return names[::-1]

    paths = [path(span) for span in spans]
    steps = [each for each in paths if each[-1].startswith("step ")]
    assert steps
    assert all(each[:2] == ["request", "dispatch"] for each in steps)
    bundler = [each for each in paths if each[-1] == "Bundler.build_structures"]
    assert bundler
    assert bundler[0][-2].startswith("step ")
    statements = [span for span in spans if span.name.startswith("statement ")]
    assert {by_id[span.parent_span_id].name for span in statements} <= {"database read", "database write"}
    assert any("SELECT" in attributes(span)["db.statement"] for span in statements)


def test_json_lines_have_the_request_and_its_trace(traced: tuple[list[Any], str]) -> None:
    spans, log = traced
    records = [json.loads(line) for line in log.splitlines()]
    assert {"time", "level", "logger", "process", "worker", "message"} <= set(records[0])
    generated = next(record for record in records if record["message"].startswith("Generated configuration"))
    assert generated["client"] == HOSTS[0]
    assert generated["method"] == "GetConfig"
    assert generated["duration_seconds"] > 0
    root = next(span for span in spans if attributes(span).get("rpc.method") == "GetConfig" and not span.parent_span_id)
    assert generated["trace_id"] == root.trace_id.hex()
    assert generated["span_id"] == root.span_id.hex()


def test_a_missing_library_stops_the_start(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    (hidden / "opentelemetry").mkdir(parents=True)
    (hidden / "opentelemetry/__init__.py").write_text("")
    site = LiveSite(tmp_path / "site", "builtin")
    site.options["tracing"] = {"endpoint": "http://127.0.0.1:9/v1/traces"}
    starter = ["env", f"PYTHONPATH={hidden}:{site.environ()['PYTHONPATH']}"]
    with site.launch(starter=starter) as server:
        assert server.wait() == 1
        assert "pip install 'geventcore[otel]'" in server.log_text()
