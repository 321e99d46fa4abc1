"""Turns are summed up, and servers are set side by side, without changing what they mean."""

from __future__ import annotations

import json
import random

import pytest

from contrib.bench.arena import BenchError, parse_contestant
from contrib.bench.compare import Level, parse_level
from contrib.bench.soak import growth
from geventcore.fleet.load.measurement import Distribution
from geventcore.fleet.load.records import RUN
from geventcore.fleet.load.sampler import Sample
from geventcore.fleet.load.text import comparison, duration, summary
from tests.bench.results import GET_CONFIG, measurement, turn
from tests.peers.server import GeventcoreServer


def test_percentiles_are_values_that_so_many_do_not_exceed() -> None:
    found = Distribution.of([float(number) for number in range(1, 1001)])
    assert found is not None
    assert found.percentiles == {50.0: 500.0, 90.0: 900.0, 99.0: 990.0, 99.9: 999.0}
    assert (found.count, found.mean, found.maximum) == (1000, 500.5, 1000.0)


def test_percentiles_of_few_values_are_among_them() -> None:
    found = Distribution.of([1.0, 2.0, 4.0])
    assert found is not None
    assert found.percentiles == {50.0: 2.0, 90.0: 4.0, 99.0: 4.0, 99.9: 4.0}
    assert Distribution.of([]) is None


def test_percentiles_of_recorded_runs_are_those_of_the_runs() -> None:
    values = [number / 64 for number in range(1, 201)]
    shuffled = random.Random(1).sample(values, len(values))
    measured = measurement(turn(10.0, shuffled[:70]), turn(10.0, shuffled[70:]))
    runs, calls = measured.distribution(RUN), measured.distribution(GET_CONFIG)
    assert runs is not None
    assert calls is not None
    assert runs.percentiles == {50.0: 100 / 64, 90.0: 180 / 64, 99.0: 198 / 64, 99.9: 200 / 64}
    assert calls.percentiles[50.0] == 50 / 64
    curve = measured.curve(RUN)
    assert curve[0] == (0.0, 1 / 64)
    assert [value for _, value in curve] == sorted(value for _, value in curve)
    assert curve[-1][0] <= 99.5


def test_turns_add_up() -> None:
    measured = measurement(
        turn(2.0, [0.5, 0.5], cpu_seconds=1.5, memory=[1_000_000, 3_000_000]),
        turn(3.0, [1.0], cpu_seconds=0.5, memory=[2_000_000]),
    )
    assert measured.per_second("runs_ok") == pytest.approx(3 / 5)
    assert measured.cpu_per("calls") == pytest.approx(2.0 / 3)
    assert (measured.peak_pss, measured.peak_rss) == (3_000_000, 6_000_000)
    assert measured.client_cpu_per_run() == pytest.approx(0.001)


def test_what_is_not_known_is_not_made_up() -> None:
    measured = measurement(turn(2.0, [0.5], cpu_seconds=1.0), turn(2.0, [0.5]))
    assert measured.cpu_per("calls") is None
    assert measured.peak_pss is None
    empty = measurement(turn(2.0, [], cpu_seconds=1.0))
    assert empty.cpu_per("calls") is None
    assert empty.distribution(RUN) is None
    assert " - " in comparison([("16", empty), ("16", measured)])


def test_those_left_waiting_count_with_the_time_they_have_waited() -> None:
    found = measurement(turn(2.0, [0.25, 0.25], unfinished=[2.0, 2.0, 2.0])).distribution(RUN)
    assert found is not None
    assert found.percentiles[50.0] == 2.0


def test_errors_are_counted_by_their_reasons() -> None:
    measured = measurement(turn(2.0, [], reasons=["a", "b", "b"]), turn(2.0, [], reasons=["c", "b"]))
    assert measured.errors() == {"b": 3, "a": 1, "c": 1}


def test_intervals_hold_what_ended_in_them() -> None:
    over_time = measurement(turn(4.0, [1.0] * 4, reasons=["oh"] * 2)).over_time()
    width = over_time.seconds[1] - over_time.seconds[0]
    assert sum(rate * width for rate in over_time.runs_per_second) == pytest.approx(4)
    assert sum(rate * width for rate in over_time.calls_per_second) == pytest.approx(4)
    assert sum(rate * width for rate in over_time.retries_per_second) == pytest.approx(2)
    assert [value for value in over_time.p50 if value is not None] == [1.0] * 4


def test_rates_over_time_are_those_of_one_turn() -> None:
    one, two = (measurement(*[turn(4.0, [1.0] * 4)] * count).over_time() for count in (1, 2))
    assert one.runs_per_second == two.runs_per_second


def test_the_table_divides_the_first_by_the_second() -> None:
    fast, slow = measurement(turn(1.0, [0.1] * 20), label="a"), measurement(turn(1.0, [0.2] * 4), label="b")
    header, first, second, ratio = comparison([("16", fast), ("16", slow)]).splitlines()
    rate = header.index("runs/s") + len("runs/s")
    assert first[:rate].split() == ["16", "a", "20.0"]
    assert second[:rate].split() == ["16", "b", "4.0"]
    assert ratio[:rate].split() == ["first", "/", "this", "x5.00"]


def test_the_summary_names_what_failed() -> None:
    text = summary(measurement(turn(2.0, [0.5, 0.5], reasons=["GetConfig: HTTP status 503"] * 2)))
    assert "2 good, 0 failed, 0 unfinished; 2 calls repeated" in text
    assert "     2  GetConfig: HTTP status 503" in text


def test_the_numbers_are_json() -> None:
    measured = measurement(turn(2.0, [0.25, 0.5], reasons=["oh"], cpu_seconds=1.0, memory=[1000]))
    given = json.loads(json.dumps(measured.as_json()))
    assert given["latency"]["run"]["percentiles"] == {"50": 0.25, "90": 0.5, "99": 0.5, "99.9": 0.5}
    (only,) = given["turns"]
    calls = only["calls"]
    assert [calls["kinds"][kind] for kind in calls["kind"]] == ["GetConfig", "run"] * 2 + ["GetConfig"]
    assert [calls["outcomes"][outcome] for outcome in calls["outcome"]] == ["good"] * 4 + ["oh"]
    assert only["processes"]["over_time"]["pss"] == [1000]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.00123, "1.2 ms"), (0.25, "250 ms"), (1.5, "1.50 s"), (123.4, "123 s")]
)
def test_times_have_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_growth_compares_the_end_with_the_beginning_after_warming_up() -> None:
    samples = [Sample(float(number), 0.0, 1, number * 1_000_000, 10, 4, 1) for number in range(100)]
    rows = {row[0]: row[1:] for row in growth(samples).rows}
    assert rows["memory, PSS in MB"] == ["14.5", "94.5", "+551.7 %"]
    assert rows["threads"] == ["4.0", "4.0", "+0.0 %"]


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
