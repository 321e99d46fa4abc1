"""Texts of clients as values: nothing that they contain makes a template fail that reads them."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from geventcore.plugins.client_values import parse_json, parse_xml, parse_yaml
from geventcore.plugins.probes.probe_data import ProbeData
from geventcore.specfiles.xmltext import illegal_position

YAML_ALIASES = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
YAML_MERGES = "a0: &a0 {k: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 12)
)
BAD_YAML = [
    *("!!timestamp x", "!!int ''", "!!float ''", "!!bool x", "!!binary ü", "!!null [", "!!python/object:os.system {}"),
    *("? [a]\n: b", "{[]: 1}", "!!set [a]", "!!omap 1", "!!pairs x", "!!str {}", "!!int x", "!!timestamp 2026-99-99"),
    *(
        "a: &a [*a]",
        "&a {b: *a}",
        "*unknown",
        "[" * 5000,
        "- " * 3000,
        "{a: " * 500,
        "\x00",
        "!<tag> x",
        "!e x",
        "%YAML 9",
    ),
    *(YAML_ALIASES, YAML_MERGES, "0x" + "f" * 20_000, "'" + "x" * 1_100_000 + "'", "a: b: c", "\t- x", "--- a\n--- b"),
]
BAD_JSON = ["[" * 100_000, "{" * 5, "[" * 200 + "]" * 200, "1" * 5000, '{"a": NaN', "", "\ud800"]
BAD_XML = [
    "<a", "", "<a/><b/>", "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
    "<!DOCTYPE a [<!ATTLIST a b CDATA 'x'>]><a/>", "<a>&e;</a>", "<a>\x00</a>", "<a>&#0;</a>", "<a>" * 1000,
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_YAML, ids=lambda text: text[:20].encode("unicode_escape").decode())
def test_unusable_yaml_is_none(text: str) -> None:
    assert ProbeData(text).yaml is None


@pytest.mark.parametrize("text", BAD_JSON, ids=lambda text: ascii(text[:20]))
def test_unusable_json_is_none(text: str) -> None:
    assert ProbeData(text).json is None


@pytest.mark.parametrize("text", BAD_XML, ids=lambda text: ascii(text[:20]))
def test_unusable_xml_is_none(text: str) -> None:
    assert ProbeData(text).xdata is None


def test_usable_values() -> None:
    assert ProbeData('{"a": [1, 2.5, "x", null, true]}').json == {"a": [1, 2.5, "x", None, True]}
    assert ProbeData("base: &b {x: 1}\nmore: {<<: *b, y: [1]}\n").yaml == {"base": {"x": 1}, "more": {"x": 1, "y": [1]}}
    assert ProbeData("").yaml is None
    root = ProbeData("<?xml version='1.0' encoding='latin-1'?><!-- c --><a>t<!-- c --><?pi x?><b c='ü'/></a>").xdata
    assert root is not None
    assert [element.tag for element in root.iter()] == ["a", "b"]
    assert root[0].get("c") == "ü"


def assert_harmless(value: Any) -> None:
    """As templates use values."""
    copy.deepcopy(value)
    element = etree.Element("x")
    element.text = str(value) if illegal_position(str(value)) is None else None
    for text in strings(value):
        element.text = text
    etree.tostring(element)


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in strings(part)]
    if isinstance(value, list | tuple | set):
        return [text for part in value for text in strings(part)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("text", ['"\\u0000\\u001b\\ud800"', '{"\\u0001": ["\\uffff"]}'])
def test_characters_that_xml_does_not_allow_are_replaced(text: str) -> None:
    assert_harmless(ProbeData(text).json)
    assert_harmless(ProbeData(text).yaml)
    assert all("\ufffd" in found for found in strings(ProbeData(text).json))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_is_read(value: Any) -> None:
    assert_harmless(parse_json(json.dumps(value)))


@given(st.text(alphabet="!&*<>[]{}:,-?|'\"%@` \n\tabtimesponru/0x1.\\\x00ü", max_size=60))
def test_any_text_is_a_value_or_a_value_error(text: str) -> None:
    for parse in (parse_json, parse_yaml, parse_xml):
        try:
            value = parse(text)
        except ValueError:
            continue
        if not isinstance(value, etree._Element):
            assert_harmless(value)
