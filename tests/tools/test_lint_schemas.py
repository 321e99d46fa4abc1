"""The XML Schemas of ``geventcore lint``: each kind of files has a valid one, and a broken one gets line and column."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from geventcore.tools.lint.checks.validate import FILE_KINDS
from geventcore.tools.lint.schema_table import SCHEMAS
from geventcore.tools.lint.schema_writer import SCHEMA_DIRECTORY
from tests.support.lint_cases import CASES, LintCase, lint, write_site

#: For each schema, a file that uses what the kind has.
VALID = {path.with_suffix(".xsd").name: path for path in (CASES.parent / "schemas").iterdir()}


def test_every_kind_of_files_has_a_schema() -> None:
    assert FILE_KINDS.keys() == SCHEMAS.keys() == VALID.keys()


def _path(name: str) -> str:
    directory, pattern, is_deep = FILE_KINDS[name][0]
    return f"{directory}/{'etc/x/' if is_deep and directory == 'Cfg' else ''}{pattern.replace('*', 'x')}"


@pytest.mark.parametrize("name", sorted(VALID))
def test_what_a_kind_has_is_valid(name: str) -> None:
    schema = etree.XMLSchema(etree.parse(SCHEMA_DIRECTORY / name))
    schema.assertValid(etree.parse(VALID[name]))


@pytest.mark.parametrize("name", sorted(VALID))
def test_a_broken_file_gets_line_and_column(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = etree.parse(VALID[name]).getroot()
    tag = str(root.tag)
    attributes = "".join(f' {key}="{value}"' for key, value in root.items() if "}" not in key)
    text = f'<!-- one -->\n<{tag}{attributes}>\n   <Odd name="x"/></{tag}>'
    files = {_path(name): text}
    config = write_site(tmp_path, LintCase(files, [], config="[lint]\nplugins = Validate\n"))
    found = lint(config, capsys, monkeypatch)
    assert found.status == 2
    # A public key is an empty element, so the fault is the root's.
    place = "2:1" if name == "pubkey.xsd" else "3:4"
    assert found.places() == [f"xml-failed-to-verify error {_path(name)}:{place}"]
    assert "odd" not in found.findings[0]["message"].lower() or "belong" in found.findings[0]["message"]
