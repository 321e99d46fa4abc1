"""Cfg: the forms of a file's content, and how much of it is kept."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geventcore.errors import PluginExecutionError
from geventcore.plugins.cfg.content import Content


def forms(content: Content) -> list[object]:
    """The big objects that a content keeps."""
    kept = (content.text, content._bytes, content._base64)
    return [form for form in kept if form is not None]


@given(st.binary(), st.sampled_from(["utf-8", "latin-1", "utf-16", "utf-7", "utf-8-sig", "iso2022_jp"]))
def test_every_form_is_the_same_content(data: bytes, encoding: str) -> None:
    content = Content.of_bytes(data, encoding, "f")
    assert content.as_bytes() == data
    if content.text is not None:
        text = content.text if isinstance(content.text, str) else content.text.decode("ascii")
        assert text == data.decode(encoding)
    assert base64.b64decode(content.base64) == data
    assert content.as_bytes() == data


@pytest.mark.parametrize("data", [b"ascii", "Füße".encode(), b"\0\xff", b""])
def test_a_file_is_kept_once(data: bytes) -> None:
    assert len(forms(Content.of_bytes(data, "utf-8", "f"))) == 1


def test_binary_data_give_way_to_base64() -> None:
    content = Content.of_bytes(b"\0\xff", "utf-8", "f")
    assert content.base64 == "AP8="
    assert forms(content) == ["AP8="]
    assert content.as_bytes() == b"\0\xff"
    with pytest.raises(PluginExecutionError, match="byte 0xff"):
        content.decode()


def test_text_that_the_encoding_does_not_know() -> None:
    content = Content.of_text("☃", "latin-1", "f.jinja2")
    assert content.text == "☃"
    with pytest.raises(PluginExecutionError, match=r"f\.jinja2: cannot encode '☃' in latin-1"):
        content.as_bytes()
    with pytest.raises(PluginExecutionError, match="cannot encode '☃' in latin-1"):
        Content.of_text("☃\x01", "latin-1", "f")


def test_unusual_bytes_are_still_text() -> None:
    """UTF-7 has several spellings of one text; the bytes are kept, and the text is made when it is asked for."""
    content = Content.of_bytes(b"+AGE-", "utf-7", "f")
    assert content.text is None
    assert content.decode() == "a"
    assert content.as_bytes() == b"+AGE-"
