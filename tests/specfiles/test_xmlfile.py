"""XML files of the repository: parsing and includes."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from lxml import etree

from geventcore.errors import RepositoryError
from geventcore.specfiles.xmlfile import load_document

XI = 'xmlns:xi="http://www.w3.org/2001/XInclude"'


def load(directory: Path, **files: str) -> list[str]:
    for name, content in files.items():
        path = directory / name.replace("__", "/").replace("_xml", ".xml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    root = load_document(directory / "main.xml").root
    return [element.get("name") or str(element.tag) for element in root]


def test_included_elements_go_to_the_end_of_the_parent(tmp_path: Path) -> None:
    names = load(
        tmp_path,
        main_xml=f'<r {XI}><xi:include href="parts/*.xml"/><a name="own"/></r>',
        parts__b_xml='<a name="b"/>',
        parts__a_xml='<a name="a"/>',
    )
    assert names == ["own", "a", "b"]


def test_includes_inside_included_files_stay_where_they_stand(tmp_path: Path) -> None:
    load(
        tmp_path,
        main_xml=f'<r {XI}><xi:include href="sub/one.xml"/></r>',
        sub__one_xml=f'<one {XI}><xi:include href="two.xml"/><a name="last"/></one>',
        sub__two_xml='<a name="two"/>',
    )
    one = load_document(tmp_path / "main.xml").root[0]
    assert [child.get("name") for child in one] == ["two", "last"]


def test_all_files_are_known(tmp_path: Path) -> None:
    load(
        tmp_path,
        main_xml=f'<r {XI}><xi:include href="one.xml"/><xi:include href="missing.xml"/></r>',
        one_xml=f'<one {XI}><xi:include href="two.xml"/></one>',
        two_xml="<two/>",
    )
    document = load_document(tmp_path / "main.xml")
    assert set(document.includes) == {tmp_path / "one.xml", tmp_path / "two.xml"}
    assert tmp_path / "missing.xml" in document.watch
    assert document.is_current(tmp_path / "two.xml")
    (tmp_path / "two.xml").write_text("<two><changed/></two>")
    assert not document.is_current(tmp_path / "two.xml")
    assert document.is_current(tmp_path / "unrelated.xml")


def test_a_file_that_a_glob_matches_only_now_is_noticed(tmp_path: Path) -> None:
    load(tmp_path, main_xml=f'<r {XI}><xi:include href="parts/*.xml"/></r>', parts__a_xml="<a/>")
    document = load_document(tmp_path / "main.xml")
    assert tmp_path / "parts" in document.watch
    assert not document.is_current(tmp_path / "parts" / "b.xml")
    assert document.is_current(tmp_path / "parts" / "b.txt")


def test_what_matches_nothing_is_an_error_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert load(tmp_path, main_xml=f'<r {XI}>\n<xi:include href="nothing-*.xml"/><a name="own"/></r>') == ["own"]
    assert "main.xml: line 2: include of nothing-*.xml matches no file" in caplog.text


def test_a_fallback_counts_if_nothing_matches(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    include = '<xi:include href="no.xml"><xi:fallback><a name="instead"/></xi:fallback></xi:include>'
    assert load(tmp_path, main_xml=f"<r {XI}>{include}</r>") == ["instead"]
    assert not caplog.records


def test_a_file_does_not_include_itself(tmp_path: Path) -> None:
    assert load(tmp_path, main_xml=f'<r {XI}><xi:include href="*.xml"/><a name="own"/></r>') == ["own"]


def test_text_and_xpointer(tmp_path: Path) -> None:
    names = load(
        tmp_path,
        main_xml=f'<r {XI}><xi:include href="o.xml" xpointer="xpointer(/o/b)"/>'
        '<xi:include href="words" parse="text"/></r>',
        o_xml='<o><a name="a"/><b name="b"/></o>',
        words="two words",
    )
    assert names == ["b"]
    assert load_document(tmp_path / "main.xml").root.text == "two words"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("<r>", "main.xml: not well-formed"),
        ("", "main.xml: not well-formed"),
        (f'<r {XI}><xi:include href="a.xml"/></r>', ".xml: includes are nested more than 40 deep"),
        (f'<r {XI}><xi:include href="broken.xml"/></r>', "broken.xml: not well-formed"),
        (f'<xi:include {XI} href="a.xml"/>', "the root element cannot be an include"),
        (f'<r {XI}><xi:include href="good.xml" xpointer="element(/1)"/></r>', "expected xpointer"),
        (f'<r {XI}><xi:include href="good.xml" xpointer="xpointer([)"/></r>', "invalid xpointer"),
        (f'<r {XI}><xi:include href="binary" parse="text"/></r>', "binary: cannot include this file as text"),
    ],
)
def test_what_cannot_be_loaded_names_the_file(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(RepositoryError) as caught:
        load(
            tmp_path,
            main_xml=content,
            a_xml=f'<r {XI}><xi:include href="b.xml"/></r>',
            b_xml=f'<r {XI}><xi:include href="a.xml"/></r>',
            broken_xml="<broken",
            good_xml="<good/>",
        )
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="cannot read the XML file: No such file"):
        load_document(tmp_path / "none.xml")


def test_entities_of_other_files_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    path = tmp_path / "main.xml"
    path.write_text(f'<!DOCTYPE r [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]><r>&x;</r>')
    try:
        text = etree.tostring(load_document(path).root)
    except RepositoryError:
        return
    assert b"secret</r>" not in text
