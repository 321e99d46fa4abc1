"""The benchmarks' own decisions: which server, how much load, and what grew."""

from __future__ import annotations

import pytest

from contrib.bench.all import Row, site_rows
from contrib.bench.candidates import SERVERS, BenchError, parse_candidate
from contrib.bench.compare import Level, parse_level
from contrib.bench.soak import growth
from geventcore.errors import GeventcoreError
from geventcore.simulation.sampler import Sample


def test_growth_compares_the_end_with_the_beginning_after_warming_up() -> None:
    samples = [Sample(float(number), 0.0, 1, number * 1_000_000, 10, 4, 1) for number in range(100)]
    rows = {row[0]: row[1:] for row in growth(samples).rows}
    assert rows["memory, PSS in MB"] == ["14.5", "94.5", "+551.7 %"]
    assert rows["threads"] == ["4.0", "4.0", "+0.0 %"]


def test_options_are_given_with_the_name() -> None:
    candidate = parse_candidate("geventcore-builtin,server.workers=2,caching.client_metadata=on")
    assert candidate.command is SERVERS["geventcore"].command
    assert candidate.options == {"server": {"core": "builtin", "workers": "2"}, "caching": {"client_metadata": "on"}}


@pytest.mark.parametrize("text", ["apache", "geventcore,workers=2", "geventcore,server.workers"])
def test_a_server_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(GeventcoreError):
        parse_candidate(text)


def test_levels_have_a_time_each() -> None:
    assert parse_level("256:40") == Level(256, 40.0)


@pytest.mark.parametrize("text", ["256", "x:1", "0:1", "1:0", "1:-1", "1:nan", "1:inf"])
def test_a_level_without_bounds_is_refused(text: str) -> None:
    with pytest.raises(BenchError):
        parse_level(text)


def test_figures_are_compared_with_their_targets() -> None:
    figures = {
        "beside_nginx": {"ecdsa": {"unchanged": [1.0, 3.0, 1.5], "edited": [3.5]}},
        "milliseconds": {"cold": 7.123},
        "answer_bytes": 25_000,
    }
    assert site_rows(figures) == [
        Row("GetConfig of an unchanged client beside nginx, ecdsa", "≤ 2 x", "1.50 x", True),
        Row("GetConfig after one file changed beside nginx, ecdsa", "≤ 3 x", "3.50 x", False),
        Row("a configuration, cold", "", "7.12 ms", None),
        Row("memory of a kept answer, besides what is its own", "≤ 20 KB", "25.0 KB", False),
    ]
