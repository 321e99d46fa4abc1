"""Turns are summed up, and servers are set side by side, without changing what they mean."""

from __future__ import annotations

import json
import random

import pytest

from geventcore.simulation.load import GET_CONFIG
from geventcore.simulation.measurement import Distribution, percentile
from geventcore.simulation.observation import observe
from geventcore.simulation.records import GOOD, RUN
from geventcore.simulation.report_text import comparison, duration, summary
from tests.support.measurements import measurement, turn

CONFIGURATION = (
    '<Configuration version="2.0"><Bundle name="b">{}<Path name="/n" type="nonexistent"/></Bundle></Configuration>'
)


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


@pytest.mark.parametrize(
    ("percent", "value"), [(0, 1.0), (1, 1.0), (50, 50.0), (50.5, 51.0), (90, 90.0), (99, 99.0), (100, 100.0)]
)
def test_percentiles_are_values_that_occurred(percent: float, value: float) -> None:
    assert percentile([float(n) for n in range(1, 101)], percent) == value
    assert percentile([7.0], percent) == 7.0


def test_methods_have_their_attempts_counted() -> None:
    one = turn(4.0, [])
    records = one.result.records
    failed = records.reason("GetConfig: HTTP status 500")
    records.add(0, GET_CONFIG, 1, failed, 0.0, 0.25, 0.5)
    records.add(0, GET_CONFIG, 2, GOOD, 0.5, 0.25, 0.3)
    records.add(0, RUN, 1, GOOD, 0.0, -1.0, 0.8)
    records.add(1, GET_CONFIG, 1, GOOD, 0.0, 0.25, 0.1)
    records.add(1, RUN, 1, records.reason("RecvStats: HTTP status 500"), 0.0, -1.0, 0.8)
    measured = measurement(one)
    assert measured.attempts(GET_CONFIG) == (2, 1, 1)
    assert list(measured.durations(GET_CONFIG)) == pytest.approx([0.1, 0.3]), "only answers count"
    assert measured.clients_seen() == 2
    assert measured.reasons(of_runs=True) == {"RecvStats: HTTP status 500": 1}
    assert measured.errors() == {"GetConfig: HTTP status 500": 1}
    connected = measured.connects()
    assert connected is not None
    assert (connected.count, connected.maximum) == (3, 0.25)


def test_the_example_is_the_client_with_the_most_entries() -> None:
    broken = '<Path name="/x" failure="no file"/>'
    one = turn(4.0, [1.0])
    for name, entries in (("a", ""), ("c", broken * 2), ("b", broken * 2)):
        one.result.observed[name] = observe(CONFIGURATION.format(entries))
    one.result.counts.bad_entries = 4
    measured = measurement(one)
    example = measured.example()
    assert example is not None
    assert (example[0], example[1].total, example[1].good) == ("b", 3, 1)
    text = summary(measured)
    assert "b got 3 entries, 1 of them good:" in text
    assert "bad: Path /x: no file" in text
    assert "4 bad entries" in text
    given = json.loads(json.dumps(measured.as_json()))
    assert given["configurations"]["a"] == {"total": 1, "good": 1, "problems": []}


def test_a_person_reads_what_happened() -> None:
    one = turn(10.0, [0.5], reasons=[f"reason {number % 12:02d}" for number in range(30)])
    text = summary(measurement(one))
    assert "1 client made 1 run in 10.0 s (0.1 runs/s): 1 good, 0 failed, 0 unfinished; 30 calls repeated" in text
    assert "     3  reason 00" in text
    assert "and 2 more kinds" in text


def test_an_empty_measurement_has_a_summary() -> None:
    assert "0 clients made 0 runs in 0.0 s" in summary(measurement(turn(0.0, [])))
