"""From the runs of a fleet to its numbers, and to what a person reads."""

from __future__ import annotations

import json

import pytest

from geventcore.fleet import Attempt, FleetResult, RunResult
from geventcore.fleet.observation import observe
from geventcore.fleet.report import format_summary
from geventcore.fleet.result import Latency, percentile

CONFIGURATION = (
    '<Configuration version="2.0" revision="-1"><Bundle name="b">{}<Path name="/n" type="nonexistent"/></Bundle>'
    "</Configuration>"
)


def attempt(method: str, seconds: float, number: int = 1, error: str | None = None) -> Attempt:
    return Attempt(method, number, 1000.0, 0.25, seconds, error)


def run(hostname: str, *attempts: Attempt, reason: str | None = None, entries: str = "") -> RunResult:
    seen = None if reason else observe(CONFIGURATION.format(entries))
    return RunResult(hostname, 1 if reason else 0, reason, 1000.0, 2.0, attempts, 0, seen)


@pytest.mark.parametrize(
    ("percent", "value"), [(0, 1.0), (1, 1.0), (50, 50.0), (50.5, 51.0), (90, 90.0), (99, 99.0), (100, 100.0)]
)
def test_percentiles_are_values_that_occurred(percent: float, value: float) -> None:
    assert percentile([float(n) for n in range(1, 101)], percent) == value
    assert percentile([7.0], percent) == 7.0


def test_latency_of_nothing_is_none() -> None:
    assert Latency.of([]) is None
    assert Latency.of([3.0, 1.0, 2.0]) == Latency(3, 2.0, 3.0, 3.0, 3.0)


def test_methods_are_summed_up_in_the_order_of_a_run() -> None:
    result = FleetResult(
        [
            run("a", attempt("GetConfig", 0.5, 1, "HTTP status 500"), attempt("GetConfig", 0.3, 2)),
            run("b", attempt("RecvStats", 0.2), attempt("GetConfig", 0.1)),
        ],
        wall_seconds=4.0,
    )
    summary = result.summary()
    assert [method.method for method in summary.methods] == ["GetConfig", "RecvStats"]
    configs = summary.methods[0]
    assert configs.latency == Latency(2, 0.1, 0.3, 0.3, 0.3), "only answers count"
    assert (configs.failed_attempts, configs.retries) == (1, 1)
    assert (summary.clients, summary.runs_ok, summary.runs_failed, summary.retries) == (2, 2, 0, 1)
    assert summary.runs_per_second == 0.5
    assert summary.connect == Latency(4, 0.25, 0.25, 0.25, 0.25)
    assert summary.run == Latency(2, 2.0, 2.0, 2.0, 2.0)


def test_failures_of_many_clients_for_one_reason_are_one_line() -> None:
    reason = "GetConfig: fault -32500: Critical failure: no profile for {}"
    result = FleetResult([run(name, reason=reason.format(name)) for name in ("a1.net", "a2.net", "a3.net")])
    result.runs.append(run("a4.net", reason="GetProbes: HTTP status 500"))
    summary = result.summary()
    assert summary.failures == {reason.format("HOST"): 3, "GetProbes: HTTP status 500": 1}
    assert list(summary.failures.values()) == [3, 1], "the most frequent one first"
    assert summary.example is None


def test_the_example_is_the_client_with_the_most_entries_and_bad_ones_are_summed_up() -> None:
    broken = '<Path name="/x" failure="no file"/>'
    result = FleetResult([run("a"), run("c", entries=broken + broken), run("b", entries=broken + broken)])
    summary = result.summary()
    assert summary.example is not None
    assert summary.example.hostname == "b"
    assert (summary.example.total, summary.example.good) == (3, 1)
    assert summary.bad_entries == 4


def test_an_empty_result_has_a_summary() -> None:
    summary = FleetResult().summary()
    assert summary.runs_per_second == 0.0
    assert "0 clients made 0 runs" in format_summary(summary)


def test_everything_is_in_the_json() -> None:
    result = FleetResult([run("a", attempt("GetConfig", 0.5)), run("b", reason="GetProbes: HTTP status 500")], 2.0)
    data = json.loads(json.dumps(result.as_json()))
    assert data["summary"]["runs_ok"] == 1
    assert data["summary"]["runs_per_second"] == 1.0
    assert data["summary"]["methods"][0]["latency"]["p50"] == 0.5
    assert data["runs"][0]["attempts"][0]["method"] == "GetConfig"
    assert data["runs"][0]["total"] == 1
    assert data["runs"][1]["reason"] == "GetProbes: HTTP status 500"


def test_a_person_reads_what_happened() -> None:
    failing = [
        run(f"h{n}", attempt("GetConfig", 1.5, 1, f"reason {n % 12:02d}"), reason=f"reason {n % 12:02d}")
        for n in range(30)
    ]
    good = run("good", attempt("GetProbes", 0.0123), entries='<Path name="/x" failure="no file"/>')
    text = format_summary(FleetResult([*failing, good], 10.0).summary())
    assert "31 clients made 31 runs in 10.0 s (3.1 runs/s): 1 good, 30 failed, 0 calls repeated" in text
    assert "12.3 ms" in text
    assert "good got 2 entries, 1 of them good:" in text
    assert "bad: Path /x: no file" in text
    assert "     3  reason 00" in text
    assert "and 2 more kinds" in text
