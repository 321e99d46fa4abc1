"""The page of servers, from what admin listeners answer: every figure, and servers that do not answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from geventcore.web.live import LiveReader, ServerView
from geventcore.web.resources import methods_table
from tests.web.application import LOCAL, database_config, make_app, make_services

READY = "database: ok\nrepository: ok, but 1 file is broken: Rules/<b>.xml\n"
METRICS = """\
# TYPE geventcore_info gauge
geventcore_info{core="gevent",python="3.11",version="1.0"} 1
# TYPE geventcore_repository_info gauge
geventcore_repository_info{revision="abc<script>"} 1
# TYPE geventcore_processes gauge
geventcore_processes{state="answered"} 2
geventcore_processes{state="silent"} 1
# TYPE geventcore_requests_total counter
geventcore_requests_total{method="GetConfig",outcome="ok"} %(calls)s
geventcore_requests_total{method="GetConfig",outcome="fault"} 3
# TYPE geventcore_method_seconds histogram
geventcore_method_seconds_bucket{method="GetConfig",le="0.1"} 50
geventcore_method_seconds_bucket{method="GetConfig",le="0.5"} 100
geventcore_method_seconds_bucket{method="GetConfig",le="+Inf"} 100
geventcore_method_seconds_count{method="GetConfig"} 100
geventcore_method_seconds_sum{method="GetConfig"} 20
# TYPE geventcore_pool_limit gauge
geventcore_pool_limit{pool="requests"} 20
# TYPE geventcore_pool_used gauge
geventcore_pool_used{pool="requests"} 20
# TYPE geventcore_pool_waiting gauge
geventcore_pool_waiting{pool="requests"} 7
# TYPE geventcore_accept_queue gauge
geventcore_accept_queue 5
# TYPE geventcore_render_step_seconds histogram
geventcore_render_step_seconds_bucket{step="bind_entries",le="+Inf"} 4
geventcore_render_step_seconds_count{step="bind_entries"} 4
geventcore_render_step_seconds_sum{step="bind_entries"} 2
# TYPE geventcore_cache_requests_total counter
geventcore_cache_requests_total{cache="client_metadata",result="hit"} 90
geventcore_cache_requests_total{cache="client_metadata",result="miss"} 10
# TYPE geventcore_hub_blocked_seconds_total counter
geventcore_hub_blocked_seconds_total{plugin="Ldap"} 2.5
# TYPE geventcore_hub_blocks_total counter
geventcore_hub_blocks_total{plugin="Ldap"} 3
# TYPE geventcore_plugin_failures_total counter
geventcore_plugin_failures_total{plugin="Ohai",hook="bind_entry"} 11
# TYPE geventcore_file_event_failures_total counter
geventcore_file_event_failures_total 2
# TYPE geventcore_database_available gauge
geventcore_database_available{database="main"} 0
# TYPE geventcore_reports_waiting_files gauge
geventcore_reports_waiting_files{place="journal"} 4
# TYPE geventcore_reports_waiting_bytes gauge
geventcore_reports_waiting_bytes{place="journal"} 4000
# TYPE geventcore_reports_waiting_limit_bytes gauge
geventcore_reports_waiting_limit_bytes{place="journal"} 8000
# TYPE geventcore_reports_oldest_seconds gauge
geventcore_reports_oldest_seconds{place="journal"} 180
# TYPE geventcore_process_resident_memory_bytes gauge
geventcore_process_resident_memory_bytes{process="17"} 50000000
# TYPE geventcore_tls_handshake_failures_total counter
geventcore_tls_handshake_failures_total{reason="timeout"} 6
"""


class Servers:
    """Two servers that answer, and one that does not."""

    def __init__(self) -> None:
        self.calls = 100

    def addresses(self) -> Sequence[str]:
        return ["10.0.0.1:6780", "10.0.0.2:6780", "10.0.0.3:6780"]

    def ask(self, address: str, path: str) -> tuple[int, str]:
        if address.startswith("10.0.0.3"):
            raise ConnectionRefusedError(111, "Connection refused")
        if path == "/readyz":
            return (200, READY) if address.startswith("10.0.0.1") else (503, "database: it is gone\n")
        return 200, METRICS % {"calls": self.calls}


@pytest.fixture
def views() -> list[ServerView]:
    return LiveReader(Servers()).servers()


def test_a_server_is_read_from_its_metrics(views: list[ServerView]) -> None:
    first, second, third = views
    assert (first.ready, second.ready, third.ready) == (True, False, False)
    assert second.checks == {"database": "it is gone"}
    assert third.error == "Connection refused"
    assert first.notes == {"repository": "1 file is broken: Rules/<b>.xml"}
    method = first.methods[0]
    assert (method.name, method.calls, method.errors) == ("GetConfig", 103, 3)
    assert method.percentiles[0] == pytest.approx(0.1)
    assert method.percentiles[1] == pytest.approx(0.46)
    assert [(cache.hits, cache.misses) for cache in first.caches] == [(90, 10)]
    assert [(block.plugin, block.times, block.seconds) for block in first.blocks] == [("Ldap", 3, 2.5)]
    assert first.steps == {"bind_entries": (4, 0.5)}
    assert first.databases == {"main": False}
    assert first.broken_files == 2
    assert [(each.files, each.oldest_seconds) for each in first.spool] == [(4, 180)]


def test_methods_are_a_table(views: list[ServerView]) -> None:
    row = methods_table(views).rows[0]
    assert (row["server"], row["method"], row["calls"], row["errors"]) == ("10.0.0.1:6780", "GetConfig", 103, 3)
    assert row["p50_seconds"] == pytest.approx(0.1)


def test_an_answer_that_is_no_metrics_is_an_error() -> None:
    class Wrong(Servers):
        def ask(self, address: str, path: str) -> tuple[int, str]:
            return 404, "not found"

    assert {view.error for view in LiveReader(Wrong()).servers()} == {"/metrics answers with status 404"}


def test_the_page_shows_every_figure_of_all_machines(tmp_path: Path) -> None:
    services = make_services(database_config(tmp_path))
    services.live = LiveReader(Servers())
    answer = make_app(services).test_client().get("/servers", environ_overrides=LOCAL)
    assert answer.status_code == 200
    text = " ".join(re.sub(r"<[^>]*>", " ", answer.text).split())
    for words in (
        "All 3 servers",
        "1 / 3 ready",
        "206 requests",
        "not ready 10.0.0.2:6780",
        "database: it is gone",
        "No server answers there: Connection refused",
        "repository: 1 file is broken: Rules/&lt;b&gt;.xml",
        "20 of 20 , 7 waiting",
        "5 wait to be accepted",
        "90 % of 100",
        "Ldap 3 2.5 s",
        "Ohai 11",
        "bind entries 4 500 ms",
        "fails database: main",
        "4 files with reports wait",
        "timeout 6",
        "abc&lt;script&gt;",
    ):
        assert words in text or words.replace(" ,", ",") in text, words
