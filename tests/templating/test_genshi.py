"""Genshi templates: text and XML."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from geventcore.errors import TemplateError
from geventcore.templating import load_text_template, load_xml_template
from geventcore.templating.base import ENGINES

PY = 'xmlns:py="http://genshi.edgewall.org/"'


def render(path: Path, source: str | bytes, encoding: str = "UTF-8", **variables: Any) -> str:
    path.write_bytes(source if isinstance(source, bytes) else source.encode(encoding))
    return load_text_template("genshi", path, path.read_bytes(), encoding).render(variables)


def render_xml(path: Path, source: str, **variables: Any) -> bytes:
    path.write_text(source)
    return load_xml_template("genshi", path, "UTF-8").render(variables)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("$a-${b['c']} ${b.c} $$5", "1-2 2 $5"),
        ("x\n\n", "x\n\n"),
        ("x\r\ny", "x\r\ny"),
        ("{% for i in [1, 2] %}\\\n* $i\n{% end %}{# gone #}|", "* 1\n* 2\n|"),
        ("{% python\nx = 3\n%}$x", "3"),
        ("${'<&>'} ☃", "<&> ☃"),
        ("", ""),
    ],
)
def test_text(tmp_path: Path, source: str, expected: str) -> None:
    assert render(tmp_path / "t", source, a=1, b={"c": 2}) == expected


def test_includes_are_relative_and_change_at_once(tmp_path: Path) -> None:
    (tmp_path / "part").write_text("one $a\n")
    template = load_text_template("genshi", tmp_path / "t", b"{% include part %}", "UTF-8")
    assert template.render({"a": 1}).strip() == "one 1"
    (tmp_path / "part").write_text("two $a\n")
    os.utime(tmp_path / "part", ns=(1, 1))
    assert template.render({"a": 1}).strip() == "two 1"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("\n\n${1/0}", "{t}: line 3: ZeroDivisionError: division by zero"),
        ("a\nb\n$nothing", '{t}: line 3: "nothing" not defined'),
        ("a\n{% if a %}\nb\n{% for x in [1] %}x\n\n${x/0}{% end %}{% end %}", "{t}: line 6: ZeroDivisionError"),
        ("\n{% for x in nothing %}{% end %}", '{t}: line 2: "nothing" not defined'),
        ("\n{% for x in iter(nothing) %}{% end %}", '{t}: line 2: "nothing" not defined'),
        ("\n{% python y = 1/0 %}\n\n", "{t}: line 2: ZeroDivisionError"),
        ("\n\n${1 +}", "{t}: line 3: invalid syntax"),
        ("\n{% python\nif 1 x:\n  pass\n%}", "{t}: line 3: invalid syntax"),
        ("\n{% python\nif 1 x:\n%}", "{t}: IndexError"),
        ("\n\n{% nothing %}{% end %}", '{t}: line 3: bad directive "nothing"'),
        ("\n${f()}", "{t}: line 2: KeyError: 'k'"),
        ("\n{% include fails %}", "{d}/fails: line 2: ZeroDivisionError"),
        ("\n{% include bad %}", "{d}/bad: line 3: invalid syntax"),
        (b"\xff", "{t}: 'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_errors_in_text_name_file_and_line(tmp_path: Path, source: str | bytes, message: str) -> None:
    (tmp_path / "bad").write_text("\n\n${1 +}")
    (tmp_path / "fails").write_text("\n${1/0}")
    with pytest.raises(TemplateError) as caught:
        render(tmp_path / "t", source, a=1, f=lambda: {}["k"])
    assert str(caught.value).startswith(message.format(t=tmp_path / "t", d=tmp_path))


def test_xml(tmp_path: Path) -> None:
    source = f'<a {PY}><b py:for="x in xs" n="$x">${{x + 1}} &lt;</b><!-- kept --></a>'
    assert (
        render_xml(tmp_path / "t", source, xs=[1, 2]) == b'<a><b n="1">2 &lt;</b><b n="2">3 &lt;</b><!-- kept --></a>'
    )


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (f'<a {PY}>\n<b py:if="nothing"/>\n</a>', '{t}: line 2: "nothing" not defined'),
        (f'<a {PY}>\n<b x="${{1/0}}"/>\n</a>', "{t}: line 2: ZeroDivisionError"),
        (f"<a {PY}>\n<b>\n${{1/}}</b>\n</a>", "{t}: line 3: invalid syntax"),
        (f"<a {PY}>\n<b>\n</a>", "{t}: line 3: mismatched tag"),
        (f'<a {PY}>\n<b py:nothing="x"/></a>', '{t}: line 2: bad directive "nothing"'),
        ("", "{t}: line 1: no element found"),
    ],
)
def test_errors_in_xml_name_file_and_line(tmp_path: Path, source: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render_xml(tmp_path / "t", source)
    assert str(caught.value).startswith(message.format(t=tmp_path / "t"))


def test_an_xml_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="gone: cannot read"):
        load_xml_template("genshi", tmp_path / "gone", "UTF-8")


def test_an_engine_that_is_not_installed_fails_only_its_templates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENGINES, "cheetah", "geventcore.templating.no_such_module")
    with pytest.raises(TemplateError, match="engine cheetah is not installed"):
        load_text_template("cheetah", tmp_path / "t", b"", "UTF-8")
    with pytest.raises(TemplateError, match="unknown template engine 'mako'"):
        load_text_template("mako", tmp_path / "t", b"", "UTF-8")


def test_python_2_code_is_told_when_a_template_is_loaded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "t.genshi"
    load_text_template("genshi", path, b"a\n{% for k in d.iterkeys() %}x{% end %}\n", "UTF-8")
    assert f"{path}: line 2: .iterkeys() does not work in Python 3: keys" in caplog.text
    with pytest.raises(TemplateError, match=r"line 3: print does not work in Python 3: the function print"):
        load_text_template("genshi", path, b"a\n{% python\nprint 'x'\n%}\n", "UTF-8")
