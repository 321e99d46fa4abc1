"""What each type of option accepts, refuses and gives back."""

from __future__ import annotations

import grp
import os
import pwd
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geventcore.options import types

ACCEPTED: list[tuple[types.ValueType[Any], str, object]] = [
    (types.STRING, " as it is ", " as it is "),
    (types.OPTIONAL_STRING, "text", "text"),
    (types.OPTIONAL_STRING, "", None),
    *((types.BOOLEAN, word, True) for word in ("1", "yes", "true", "on", "Yes", " TRUE ")),
    *((types.BOOLEAN, word, False) for word in ("0", "no", "false", "off", "OFF")),
    (types.SWITCH, "enabled", True),
    (types.SWITCH, "Disabled", False),
    (types.SWITCH, "0", False),
    (types.INTEGER, " -12 ", -12),
    (types.integer(1, 65535), "65535", 65535),
    (types.OPTIONAL_INTEGER, "7", 7),
    (types.OPTIONAL_INTEGER, " ", None),
    (types.FLOAT, "1.5e3", 1500.0),
    (types.TIMEOUT, "90", 90.0),
    (types.TIMEOUT, "0", None),
    (types.TIMEOUT, "-1", None),
    (types.SIZE, "1048576", 1048576),
    (types.SIZE, "512m", 512 << 20),
    (types.SIZE, "2 G", 2 << 30),
    (types.SIZE, "3k", 3072),
    (types.SIZE, "1T", 1 << 40),
    (types.size(1 << 16), "64k", 1 << 16),
    (types.number(0.5, 2), "0.5", 0.5),
    (types.number(0.5, 2, or_zero=True), "0", 0.0),
    (types.seconds(), "0", 0.0),
    (types.timeout(0.5), "0.5", 0.5),
    (types.timeout(0.5), "0", None),
    (types.OCTAL, "0077", 0o077),
    (types.OCTAL, "22", 0o022),
    (types.OCTAL, "0o777", 0o777),
    (types.PATH, "/a/../b/", Path("/b")),
    (types.PATH, "~/x", Path.home() / "x"),
    (types.PATH, "rel", Path.cwd() / "rel"),
    (types.OPTIONAL_PATH, "", None),
    (types.OPTIONAL_PATH, "/x", Path("/x")),
    (types.COMMA_LIST, " a , b,c ", ("a", "b", "c")),
    (types.COMMA_LIST, "", ()),
    (types.COMMA_LIST, "a,,b,", ("a", "b")),
    (types.COMMA_LIST, "a,\nb", ("a", "b")),
    (types.COLON_LIST, "a: b:c", ("a", "b", "c")),
    (types.choice("off", "cautious", synonyms={"on": "cautious"}), "On", "cautious"),
    (types.choice("DirectStore"), "directstore", "DirectStore"),
    (types.name({"": "gevent", "best": "gevent"}), "Best", "gevent"),
    (types.name({"": "gevent"}), " ", "gevent"),
    (types.name(), "Builtin", "builtin"),
    (types.name(), "site.cores.Mine", "site.cores.Mine"),
    (types.ENCODING_NAME, "ISO-8859-15", "ISO-8859-15"),
    (types.LITERAL_DICT, "{'a': 1, 'b': [None]}", {"a": 1, "b": [None]}),
    (types.LITERAL_DICT, "", {}),
    (types.USER, "12345", 12345),
    (types.USER, pwd.getpwuid(os.getuid()).pw_name, os.getuid()),
    (types.GROUP, grp.getgrgid(0).gr_name, 0),
    (types.URL, "https://bcfg2.example.com:6789", types.ServerURL("https", "bcfg2.example.com", 6789)),
    (types.URL, "https://Host/", types.ServerURL("https", "host", 6789)),
    (types.URL, "http://[::1]:0", types.ServerURL("http", "::1", 0)),
]

REFUSED: list[tuple[types.ValueType[Any], str]] = [
    *((types.BOOLEAN, text) for text in ("", "maybe", "2", "enabled")),
    *((types.INTEGER, text) for text in ("", "1.0", "1_000", "0x10", "\u0663", "9" * 5000)),
    *((types.integer(1, 5), text) for text in ("0", "6")),
    *((types.FLOAT, text) for text in ("", "nan", "inf", "1_0", "five")),
    *((types.number(0.5, 2), text) for text in ("0", "0.49", "2.1", "-1")),
    *((types.number(0.5, 2, or_zero=True), text) for text in ("0.49", "-1")),
    *((types.seconds(), text) for text in ("-0.1", "1e300", "")),
    *((types.timeout(0.5), text) for text in ("0.1", "1e300", "")),
    *((types.TIMEOUT, text) for text in ("", "nan", "5 minutes", "1e300")),
    *((types.size(1 << 16), text) for text in ("0", "63k")),
    *((types.SIZE, text) for text in ("", "m", "-1", "1.5m", "10 potatoes")),
    *((types.OCTAL, text) for text in ("", "0999", "rwx", "77777", "-1")),
    *((types.PATH, text) for text in ("", "  ", "a\0b", "~no-such-user/x")),
    *((types.choice("a", "b"), text) for text in ("", "c")),
    *((types.ENCODING_NAME, text) for text in ("", "latin-77", "base64", "a\0b")),
    *((types.ANCHORED_REGEXES, text) for text in ("[", "ok (", "*")),
    *((types.LITERAL_DICT, text) for text in ("[]", "{1: 2}", "open('x')", "{", "1 +", "(" * 500)),
    *((types.USER, text) for text in ("", "no such user", "-1")),
    *((types.GROUP, text) for text in ("", "no such group")),
    *((types.URL, text) for text in ("", "localhost:6789", "ftp://x", "https://", "https://u:p@x", "https://x?y=1")),
    *((types.URL, text) for text in ("https://x:65536", "https://x:abc", "https://[::1", "https://a b")),
]


@pytest.mark.parametrize(("type_", "text", "value"), ACCEPTED)
def test_accepted(type_: types.ValueType[Any], text: str, value: object) -> None:
    assert type_.parse(text) == value


@pytest.mark.parametrize(("type_", "text"), REFUSED)
def test_refused(type_: types.ValueType[Any], text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text is the caller's
        type_.parse(text)


@pytest.mark.parametrize(("type_", "text", "value"), ACCEPTED)
def test_a_formatted_value_is_read_as_the_same_value(type_: types.ValueType[Any], text: str, value: object) -> None:
    assert type_.parse(type_.format(value)) == value


@given(st.integers(0, 1 << 50))
def test_sizes_are_formatted_without_loss(size: int) -> None:
    assert types.SIZE.parse(types.SIZE.format(size)) == size


@given(st.floats(min_value=1e-9, max_value=types.LONGEST_SECONDS))
def test_timeouts_are_formatted_without_loss(seconds: float) -> None:
    assert types.TIMEOUT.parse(types.TIMEOUT.format(seconds)) == seconds


@given(st.text())
def test_no_type_fails_in_another_way(text: str) -> None:
    for type_ in {id(type_): type_ for type_, _ in REFUSED}.values():
        with suppress(ValueError):
            type_.parse(text)


def test_regexes_match_whole_texts() -> None:
    web, either, anycase = types.ANCHORED_REGEXES.parse("web-.* a|bc\t(?i)mail")
    assert web.search("web-1")
    assert not web.search("my-web-1")
    assert either.match("a")
    assert not either.match("ab")
    assert not either.search("xbc")
    assert not web.match("web-1\nx")
    assert anycase.match("MAIL")
    assert not anycase.match("MAILS")
    assert types.ANCHORED_REGEXES.format((web, either, anycase)) == "web-.* a|bc (?i)mail"


def test_a_close_choice_is_suggested() -> None:
    with pytest.raises(ValueError, match="did you mean cautious"):
        types.choice("off", "cautious").parse("cautios")


def test_bounds_are_named() -> None:
    assert types.integer(1, 5).accepts == "a whole number from 1 to 5"
    assert types.integer(minimum=1).accepts == "a whole number of at least 1"
    assert types.integer(maximum=5).accepts == "a whole number of at most 5"
    assert types.optional(types.integer(1, 5)).accepts == "a whole number from 1 to 5, or nothing"


def test_urls_as_text() -> None:
    assert str(types.URL.parse("https://[::1]:7000")) == "https://[::1]:7000"
    assert str(types.URL.parse("http://host")) == "http://host:6789"
