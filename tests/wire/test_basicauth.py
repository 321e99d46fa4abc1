"""Basic authentication: what credentials a header has, and what is refused."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geventcore.errors import RequestError
from geventcore.wire.basicauth import Credentials, format_authorization, parse_authorization


def encoded(text: bytes) -> str:
    return base64.b64encode(text).decode("ascii")


@pytest.mark.parametrize(
    ("header", "user", "password"),
    [
        ("Basic " + encoded(b"root:secret"), "root", "secret"),
        ("Basic " + encoded(b"root:a:b:c"), "root", "a:b:c"),
        ("Basic " + encoded(b"root:"), "root", ""),
        ("Basic " + encoded(b":secret"), "", "secret"),
        ("Basic " + encoded(b"no colon"), "no colon", ""),
        ("Anything " + encoded(b"root:secret"), "root", "secret"),
        ("basic   " + encoded(b"root:secret") + " ", "root", "secret"),
        ("Basic " + encoded("root:pässwörd".encode()), "root", "pässwörd"),
    ],
)
def test_credentials(header: str, user: str, password: str) -> None:
    assert parse_authorization(header) == Credentials(user, password)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        encoded(b"root:secret"),
        "Basic not*base64",
        "Basic cm9vdA",
        "Basic cm9\xe9",
        "Basic " + encoded(b"root:\xff\xfe"),
    ],
)
def test_unusable_header_is_unauthorised(header: str | None) -> None:
    with pytest.raises(RequestError) as caught:
        parse_authorization(header)
    assert caught.value.status == 401


@pytest.mark.parametrize("secret", ["Basic c2VjcmV0*", "Basic " + encoded(b"root:secret\xff")])
def test_error_does_not_tell_the_password(secret: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_authorization(secret)
    assert "secret" not in str(caught.value)
    assert "c2VjcmV0" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_password_is_not_in_the_repr() -> None:
    assert "secret" not in repr(Credentials("root", "secret"))


@given(user=st.text().filter(lambda text: ":" not in text), password=st.text())
def test_round_trip(user: str, password: str) -> None:
    try:
        header = format_authorization(user, password)
    except UnicodeEncodeError:
        return  # a lone surrogate
    assert parse_authorization(header) == Credentials(user, password)


def test_user_with_colon_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="colon"):
        format_authorization("a:b", "secret")
