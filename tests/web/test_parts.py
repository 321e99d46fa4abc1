"""The parts of pages that need neither a server nor a database."""

from __future__ import annotations

import difflib
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database
from geventcore.storage.fleet_queries import newest_runs, period
from geventcore.web.charts import nice_top, stacked
from geventcore.web.differences import diff_lines
from geventcore.web.fleet import State
from geventcore.web.live import percentile
from geventcore.web.options import LISTEN
from geventcore.web.texts import duration_text, number_text, percent_text
from tests.web.application import database_config, fill_database


def test_a_difference_has_signs_and_marks() -> None:
    text = "".join(difflib.ndiff(["a\n", "Port 22\n", "z\n"], ["a\n", "Port 2222\n", "z\n"]))
    lines = diff_lines(text)
    assert [(line.kind, line.text) for line in lines] == [
        ("same", "a"),
        ("removed", "Port 22"),
        ("added", "Port 2222"),
        ("same", "z"),
    ]
    assert [piece for changed, piece in lines[2].pieces() if changed] == ["22"]


def test_unchanged_lines_far_from_changes_are_left_out() -> None:
    text = "".join(f"  line {number}\n" for number in range(50)) + "+ new\n"
    lines = diff_lines(text)
    assert [line.kind for line in lines] == ["skipped", "same", "same", "same", "added"]
    assert lines[0].text == "47 unchanged lines"


@given(st.text(max_size=200))
def test_any_text_can_be_shown_as_a_difference(text: str) -> None:
    for line in diff_lines(text):
        assert "".join(piece for _, piece in line.pieces()) == line.text


def test_a_percentile_lies_in_its_bucket() -> None:
    buckets = {0.1: 50.0, 0.5: 90.0, 1.0: 100.0, math.inf: 100.0}
    assert percentile(buckets, 0.5) == pytest.approx(0.1)
    assert percentile(buckets, 0.95) == pytest.approx(0.75)
    assert percentile({0.1: 0.0, math.inf: 0.0}, 0.5) is None
    assert percentile({0.1: 0.0, math.inf: 5.0}, 0.5) == 0.1


@given(st.dictionaries(st.sampled_from(State), st.integers(0, 100_000)))
def test_a_bar_is_full_and_shows_every_state(counts: dict[State, int]) -> None:
    parts = stacked(counts)
    assert {part.name for part in parts} == {state.value for state, number in counts.items() if number}
    if parts:
        assert sum(part.width for part in parts) == pytest.approx(1000, abs=1)
        assert all(part.width >= 5 for part in parts)


@given(st.floats(0, 1e9))
def test_the_axis_ends_at_a_round_number(largest: float) -> None:
    top = nice_top(largest)
    assert largest <= top <= max(1.0, largest * 2)


def test_numbers_for_people() -> None:
    assert duration_text(950) == "950 ms"
    assert duration_text(9500) == "9.5 s"
    assert duration_text(90_000) == "90 s"
    assert duration_text(7_300_000) == "2 h"
    assert duration_text(None) == "\N{EN DASH}"
    assert number_text(1234567) == "1\N{NARROW NO-BREAK SPACE}234\N{NARROW NO-BREAK SPACE}567"
    assert percent_text(1, 1000) == "< 1 %"
    assert percent_text(999, 1000) == "> 99 %"


@pytest.mark.parametrize("text", ["", "example.com:80", "127.0.0.1", "127.0.0.1:99999", "unix:relative", "[::1]"])
def test_wrong_addresses_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the option adds the words
        LISTEN.type.parse(text)


def test_addresses_are_read_and_written() -> None:
    text = "127.0.0.1:6782, [::1]:6782, unix:/run/geventcore/web.sock"
    addresses = LISTEN.type.parse(text)
    assert LISTEN.type.format(addresses) == text
    assert all(address.is_local for address in addresses)
    assert not LISTEN.type.parse("0.0.0.0:80")[0].is_local


def _plan(config: DatabaseConfig, read: object) -> list[str]:
    """The steps by which SQLite answers the queries of a function."""
    statements: list[tuple[str, object]] = []
    database = Database.open(config)

    def collect(connection: object) -> list[str]:
        from sqlalchemy import event

        def note(_connection: object, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
            statements.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", note)
        read(connection)  # type: ignore[operator]
        event.remove(connection, "before_cursor_execute", note)
        return [
            row[3]
            for statement, parameters in statements
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[attr-defined]
        ]

    try:
        return database.read(collect)
    finally:
        database.close()


def test_pages_read_reports_by_an_index(tmp_path: Path) -> None:
    config = database_config(tmp_path)
    fill_database(config, 10, 100)
    for read in (
        newest_runs,
        lambda connection: newest_runs(connection, 1),
        lambda connection: period(connection, 0, 2**50),
    ):
        steps = _plan(config, read)
        assert not [step for step in steps if step.startswith("SCAN geventcore_report_interaction")], steps
        assert not [step for step in steps if step.startswith("SCAN newest")], steps
