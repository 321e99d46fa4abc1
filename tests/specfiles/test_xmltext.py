"""Which text XML can hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from geventcore.errors import RepositoryError
from geventcore.specfiles.xmltext import decode_text, illegal_position, replace_illegal


def lxml_takes(text: str) -> bool:
    try:
        etree.Element("x").text = text
    except (ValueError, UnicodeEncodeError):
        return False
    return True


@given(st.text(alphabet=st.characters(exclude_categories=()) | st.sampled_from("\0\x08\x0b\x1f￾￿\ud800\r")))
def test_what_is_legal_here_is_what_lxml_takes(text: str) -> None:
    assert (illegal_position(text) is None) == lxml_takes(text)
    assert lxml_takes(replace_illegal(text))
    assert len(replace_illegal(text)) == len(text)


def test_the_position_is_that_of_the_first() -> None:
    assert illegal_position("ab\x01c\x02") == 2
    assert replace_illegal("ab\x01c\ud800") == "ab�c�"


@pytest.mark.parametrize(
    ("data", "encoding", "message"),
    [
        (b"a\nb\n\xe9", "UTF-8", "f: line 3: byte 0xe9 is not valid UTF-8"),
        (b"\xe9", "ascii", "f: line 1: byte 0xe9 is not valid ascii"),
        (b"a\n\x00", "UTF-8", "f: line 2: XML does not allow the character U+0000"),
    ],
)
def test_errors_name_file_and_line(data: bytes, encoding: str, message: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        decode_text(data, encoding, "f")
    assert str(caught.value).startswith(message)
