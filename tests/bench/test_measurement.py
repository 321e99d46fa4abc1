"""Turns are summed up, and two servers are set side by side, without changing what they mean."""

from __future__ import annotations

import json

import pytest
from contrib.bench.measurement import Measurement, table

from contrib.bench.compare import BenchError, Level, parse_contestant, parse_level, report
from contrib.bench.meter import Peak
from tests.peers.server import GeventcoreServer


def turn(runs: int, seconds: float, durations: list[float], unfinished: list[float]) -> dict[str, object]:
    return {
        "concurrency": 16,
        "seconds": seconds,
        "runs_ok": runs,
        "runs_failed": 1,
        "runs_cut": 2,
        "calls": runs * 5,
        "errors": {"GetConfig: timeout": 3},
        "durations": {"run": durations},
        "unfinished": {"run": unfinished},
        "bad_entries": 0,
    }


def measured(runs: int) -> Measurement:
    measurement = Measurement()
    measurement.add(turn(runs, 2.0, [0.1, 0.2], []), 1.5, Peak(2_000_000, 1_000_000, 3))
    measurement.add(turn(runs, 3.0, [0.3], []), 0.5, Peak(1_000_000, 1_500_000, 1))
    return measurement


def test_turns_add_up() -> None:
    measurement = measured(50)
    assert measurement.per_second("runs_ok") == 20
    assert measurement.cpu_per_call() == pytest.approx(0.004)
    assert measurement.errors == {"GetConfig: timeout": 6}
    assert measurement.percentile("run", 0.5) == 0.2
    assert measurement.percentile("run", 0.99) == 0.3
    assert measurement.peak == Peak(2_000_000, 1_500_000, 3)


def test_a_server_that_finished_nothing_has_no_latency() -> None:
    measurement = Measurement()
    measurement.add(turn(0, 2.0, [], []), 1.0, Peak())
    assert measurement.percentile("run", 0.5) is None
    assert measurement.cpu_per_call() is None
    assert " - " in table([(16, "a", measurement), (16, "b", measured(5))])


def test_those_left_waiting_count_with_the_time_they_have_waited() -> None:
    measurement = Measurement()
    measurement.add(turn(2, 2.0, [0.1, 0.1], [2.0, 2.0, 2.0]), 1.0, Peak())
    assert measurement.percentile("run", 0.5) == 2.0


def test_the_table_divides_the_first_by_the_second() -> None:
    header, first, second, ratio = table([(16, "a", measured(50)), (16, "b", measured(10))]).splitlines()
    rate = header.index("runs/s") + len("runs/s")
    assert first[:rate].split() == ["16", "a", "20.0"]
    assert second[:rate].split() == ["16", "b", "4.0"]
    assert ratio[:rate].split() == ["first", "/", "this", "x5.00"]


def test_the_report_is_json() -> None:
    text = json.dumps(report([(16, "a", measured(50))], {"rounds": 2}))
    row = json.loads(text)["measurements"][0]
    assert row["latency"]["run"] == {"p50": 0.2, "p90": 0.3, "p99": 0.3, "p100": 0.3}
    assert row["runs_failed"] == 2


def test_options_are_given_with_the_name() -> None:
    contestant = parse_contestant("geventcore-builtin,server.workers=2,caching.client_metadata=on")
    assert contestant.server == GeventcoreServer("builtin")
    assert contestant.options == {"server": {"workers": "2"}, "caching": {"client_metadata": "on"}}


@pytest.mark.parametrize("text", ["apache", "geventcore,workers=2", "geventcore,server.workers"])
def test_a_server_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(BenchError):
        parse_contestant(text)


def test_levels_have_a_time_each() -> None:
    assert parse_level("256:40") == Level(256, 40.0)


@pytest.mark.parametrize("text", ["256", "x:1", "0:1", "1:0", "1:-1", "1:nan", "1:inf"])
def test_a_level_without_bounds_is_refused(text: str) -> None:
    with pytest.raises(BenchError):
        parse_level(text)
