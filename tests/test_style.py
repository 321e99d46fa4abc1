"""Plain English: the worst habits in docstrings, found by the syntax tree (docs: development/style)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "geventcore"

#: A summary that opens with one of these is a noun clause, which says neither what the code does nor what it is.
QUESTION_WORDS = {
    *("what", "whatever", "which", "who", "whoever", "whom", "whose", "whether"),
    *("how", "why", "when", "where", "if", "as"),
}

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def package_of(path: Path) -> str:
    """Return the package, or the module, directly below ``geventcore``."""
    return path.relative_to(PACKAGE).parts[0]


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every docstring."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Documented) and (text := ast.get_docstring(node)):
            yield node.body[0].lineno, text


def opening(text: str) -> str:
    """Return the first word of a docstring in lower case, without punctuation."""
    words = text.split(maxsplit=1)
    return words[0].rstrip(",.:;").lower() if words else ""


def noun_clauses(path: Path) -> list[str]:
    """List the docstrings of a file that open with a question word."""
    found = docstrings(path.read_text(encoding="utf-8"))
    return [f"{path}:{line}: {text.splitlines()[0]}" for line, text in found if opening(text) in QUESTION_WORDS]


def modules() -> dict[str, list[Path]]:
    """Return package -> its files."""
    files: dict[str, list[Path]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        files.setdefault(package_of(path), []).append(path)
    return files


@pytest.mark.parametrize("package", sorted(modules()))
def test_docstrings_open_with_an_imperative_or_a_noun_phrase(package: str) -> None:
    found = [line for path in modules()[package] for line in noun_clauses(path)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('"""What the module does."""', 1),
        ('"""Whether, or not."""', 1),
        ('def f():\n    """How many there are."""', 1),
        ('class A:\n    """The options."""\n    async def f(self):\n        """Where it stands."""', 1),
        ('"""Return what is left."""\ndef f():\n    pass', 0),
        ('"""Whether"""', 1),
        ('"""The clients, and how they call."""', 0),
    ],
)
def test_noun_clauses_are_found(source: str, lines: int, tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(source, encoding="utf-8")
    assert len(noun_clauses(path)) == lines
