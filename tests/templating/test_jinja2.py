"""Jinja2 text templates."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from geventcore.errors import TemplateError
from geventcore.templating import load_text_template


def render(path: Path, source: str | bytes, encoding: str = "UTF-8", **variables: Any) -> str:
    path.write_bytes(source if isinstance(source, bytes) else source.encode(encoding))
    return load_text_template("jinja2", path, path.read_bytes(), encoding).render(variables)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ a }}-{{ b.c }}", "1-2"),
        ("x\n", "x\n"),
        ("x\n\n\n", "x\n\n\n"),
        ("{% for i in [1, 2] %}{{ i }},{% endfor %}{# gone #}", "1,2,"),
        ("{{ '<&>' }}", "<&>"),
        ("{% do list.append(1) %}{{ list }}", "[1]"),
        ("{{ missing }}|", "|"),
        ("", ""),
    ],
)
def test_rendering(tmp_path: Path, source: str, expected: str) -> None:
    assert render(tmp_path / "t", source, a=1, b={"c": 2}, list=[]) == expected


def test_includes_and_imports_are_relative_to_the_file_that_has_them(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/part.jinja2_include").write_text("{% include '../other' %}+{{ a }}")
    (tmp_path / "other").write_text("other")
    (tmp_path / "macros").write_text("{% macro m(x) %}<{{ x }}>{% endmacro %}")
    source = "{% from 'macros' import m %}{{ m(1) }}{% include 'sub/part.jinja2_include' %}"
    assert render(tmp_path / "t", source, a=1) == "<1>other+1"


def test_a_changed_include_counts_at_once(tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_text("one")
    template = load_text_template("jinja2", tmp_path / "t", b"{% include 'part' %}", "UTF-8")
    assert template.render({}) == "one"
    part.write_text("two")
    os.utime(part, ns=(1, 1))
    assert template.render({}) == "two"
    part.unlink()
    with pytest.raises(TemplateError, match="part: No such file"):
        template.render({})


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("\n{{ 1/0 }}", "{t}: line 2: ZeroDivisionError: division by zero"),
        ("\n{{ a.b.c }}", "{t}: line 2: 'int object' has no attribute 'b'"),
        ("\n\n{% if %}", "{t}: line 3: Expected an expression"),
        ("\n{% nothing %}", "{t}: line 2: Encountered unknown tag 'nothing'"),
        ("\n{{ 'x'|nothing }}", "{t}: line 2: No filter named 'nothing'"),
        ("\n{% include 'gone' %}", "{t}: line 2: {d}/gone: No such file"),
        ("\n{% include 'bad' %}", "{d}/bad: line 3: Expected an expression"),
        ("{% include 'fails' %}", "{d}/fails: line 2: ZeroDivisionError"),
        ("\n{{ f() }}", "{t}: line 2: KeyError: 'k'"),
        ("\n{{ f", "{t}: line 2: unexpected end of template"),
        (b"\xff", "{t}: 'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, source: str | bytes, message: str) -> None:
    (tmp_path / "bad").write_text("\n\n{% if %}")
    (tmp_path / "fails").write_text("\n{{ 1/0 }}")
    with pytest.raises(TemplateError) as caught:
        render(tmp_path / "t", source, a=1, f=lambda: {}["k"])
    assert str(caught.value).startswith(message.format(t=tmp_path / "t", d=tmp_path))


def test_the_encoding_counts_for_includes_too(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes("ü".encode("latin-1"))
    assert render(tmp_path / "t", "ö{% include 'part' %}", "latin-1") == "öü"
