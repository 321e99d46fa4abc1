"""What values of Bcfg2's database mean, and what is no value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from geventcore.bcfg2_import import values
from geventcore.bcfg2_import.values import UnreadableError

BERLIN = ZoneInfo("Europe/Berlin")


def utc(*numbers: int) -> int:
    return int(datetime(*numbers, tzinfo=timezone.utc).timestamp() * 1000)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2014-03-01 13:00:00", utc(2014, 3, 1, 12)),
        ("2014-07-01T14:00:00.250000", utc(2014, 7, 1, 12) + 250),
        # The offset is that of a connection.
        ("2014-03-01 13:00:00+00", utc(2014, 3, 1, 12)),
        ("2014-03-01 13:00:00-03:30", utc(2014, 3, 1, 12)),
        ("2014-03-01", utc(2014, 2, 28, 23)),
        (b"2014-03-01 13:00:00", utc(2014, 3, 1, 12)),
        # An hour that no clock showed.
        ("2014-03-30 02:30:00", utc(2014, 3, 30, 1, 30)),
    ],
)
def test_times_are_those_of_a_clock(text: str, expected: int) -> None:
    assert values.local_milliseconds(text, BERLIN) == expected


def test_a_time_that_comes_twice_is_that_which_the_client_knows() -> None:
    first, second = utc(2014, 10, 26, 0, 30), utc(2014, 10, 26, 1, 30)
    assert values.local_milliseconds("2014-10-26 02:30:00", BERLIN) == first
    assert values.local_milliseconds("2014-10-26 02:30:00", BERLIN, [first - 9000]) == first
    assert values.local_milliseconds("2014-10-26 02:30:00", BERLIN, [second + 9000, second]) == second


def test_the_clock_of_this_machine_is_meant_without_a_zone() -> None:
    expected = int(datetime(2014, 3, 1, 13).astimezone().timestamp() * 1000)
    assert values.local_milliseconds("2014-03-01 13:00:00", None) == expected


@pytest.mark.parametrize(
    ("convert", "value", "expected"),
    [
        (values.text, "Grüße", "Grüße"),
        (values.text, b"Gr\xc3\xbc\xc3\x9fe", "Grüße"),
        (values.text, 7, "7"),
        (values.text, "x" * 5000, "x" * 4095 + "…"),
        (values.long_text, None, ("", True)),
        (values.long_text, "ab\udcfc", ("ab\ufffd", False)),
        (values.long_text, "a\0", ("a\ufffd", False)),
        (values.count, None, 0),
        (values.count, -1, 0),
        (values.count, 1 << 40, values.MAX_COUNT),
        (values.flag, 1, True),
        (values.flag, "f", False),
        (values.epoch_milliseconds, Decimal("1393675190.1250000000000000"), 1393675190_125),
    ],
)
def test_values(convert: Callable[[Any], Any], value: Any, expected: Any) -> None:
    assert convert(value) == expected


@pytest.mark.parametrize(
    ("convert", "value", "reason"),
    [
        (values.text, None, "is missing"),
        (values.text, "ab\udcfc", "is not UTF-8"),
        (values.text, "a\0", "is not UTF-8"),
        (values.name, "  ", "is empty"),
        (values.integer, "x", "is not a number"),
        (values.integer, float("inf"), "is not a number"),
        (values.flag, "perhaps", "is neither true nor false"),
        (values.epoch_milliseconds, float("nan"), "is not a time"),
        (values.epoch_milliseconds, -1, "is not a time"),
        (values.epoch_milliseconds, Decimal("1e99"), "is not a time"),
        *(
            (lambda text: values.local_milliseconds(text, BERLIN), text, "is not a time")
            for text in (
                "infinity",
                "",
                "2014-02-30 00:00:00",
                "2014-03-01 25:00:00",
                "0001-01-01 00:00:00",
                1393675200,
            )
        ),
    ],
)
def test_what_is_no_value_says_why(convert: Callable[[Any], Any], value: Any, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        convert(value)
