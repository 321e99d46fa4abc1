"""Addresses that the option ``[admin] listen`` accepts and refuses."""

from __future__ import annotations

import pytest

from geventcore.admin.options import LISTEN


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("none", "none"),
        ("AUTO", "auto"),
        ("unix:/run/a.sock", "unix:/run/a.sock"),
        ("localhost:1, [::1]:2", "127.0.0.1:1, [::1]:2"),
    ],
)
def test_addresses(text: str, shown: str) -> None:
    assert LISTEN.type.format(LISTEN.type.parse(text)) == shown  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text", ["", "127.0.0.1", "host.example.com:80", "127.0.0.1:99999", "unix:relative", "::1:80", "unix:/" + 120 * "x"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the reason is added by whoever reads the option
        LISTEN.type.parse(text)
