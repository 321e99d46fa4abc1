"""Numbers with units."""

from __future__ import annotations

import pytest

from geventcore.options import types
from geventcore.units import counted, size_text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1 KB"),
        (1536, "1.5 KB"),
        (15_900, "16 KB"),
        (256 << 20, "256 MB"),
        (3 << 29, "1.5 GB"),
        (1 << 40, "1 TB"),
    ],
)
def test_sizes(size_bytes: int, text: str) -> None:
    assert size_text(size_bytes) == text


@pytest.mark.parametrize("text", ["512k", "256m", "3g", "2t"])
def test_a_size_is_shown_in_the_unit_that_options_take(text: str) -> None:
    """What an administrator has set comes back with the same number."""
    assert size_text(types.SIZE.parse(text)) == f"{text[:-1]} {text[-1].upper()}B"


def test_one_of_something_has_no_plural() -> None:
    assert [counted(number, "report") for number in (0, 1, 2)] == ["0 reports", "1 report", "2 reports"]
