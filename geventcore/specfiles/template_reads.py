"""The reads of metadata in the text of a template, found without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.explanation import Read
from geventcore.regular_files import read_text

#: ``metadata`` with the attributes and items that follow.
_METADATA = re.compile(
    r"""(?<![\w.$])(?:self\.)?metadata(?:\s*\.\s*[A-Za-z_]\w*|\[\s*(?:"[^"\n]*"|'[^'\n]*'|-?\d+)\s*\])+"""
)
_DOLLAR = re.compile(r"\$(?=metadata\b)")
_INCLUDE = re.compile(r"""\{%-?\s*include\s+["']?(?P<file>[^"'\s%]+)""")
#: Attributes of metadata that are never shown.
_HIDDEN = frozenset({"password", "query", "scratch"})
_LONGEST_VALUE = 60
#: The limit on the nesting of includes that are followed.
_DEEPEST_INCLUDE = 5


def reads_in(text: str, file: str, metadata: ClientMetadata, first_line: int = 1) -> Iterator[Read]:
    """Yield the reads in a text that begins at a line of a file, in their order, each once a line."""
    for number, line in enumerate(text.split("\n"), first_line):
        seen = set()
        for match in _METADATA.finditer(_DOLLAR.sub(" ", line)):
            expression = "".join(match.group().split()).removeprefix("self.")
            if expression not in seen:
                seen.add(expression)
                yield Read(file, number, expression, _value(expression, metadata))


def reads_of_template(path: Path, metadata: ClientMetadata, encoding: str, depth: int = 0) -> tuple[Read, ...]:
    """Return the reads of a text template and of the files that it includes by a fixed name."""
    try:
        text = read_text(path, encoding, "replace")
    except OSError:
        return ()
    found = list(reads_in(text, str(path), metadata))
    if depth < _DEEPEST_INCLUDE:
        for match in _INCLUDE.finditer(text):
            included = path.parent / match["file"]
            if included != path and included.is_file():
                found += reads_of_template(included, metadata, encoding, depth + 1)
    return tuple(found)


def _value(expression: str, metadata: ClientMetadata) -> str | None:
    """Return the value of attributes and items of metadata, without calling anything; None if it is not simple."""
    try:
        value = _evaluate(ast.parse(expression, mode="eval").body, metadata)
    # Connectors compute some attributes when they are read, and may raise anything.
    except Exception:  # noqa: BLE001
        return None
    if isinstance(value, set | frozenset):
        value = ", ".join(sorted(map(str, value)))
    if not isinstance(value, str | int | float | bool):
        return None
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _evaluate(node: ast.expr, metadata: ClientMetadata) -> Any:
    if isinstance(node, ast.Name) and node.id == "metadata":
        return metadata
    if isinstance(node, ast.Attribute) and node.attr not in _HIDDEN and not node.attr.startswith("_"):
        return getattr(_evaluate(node.value, metadata), node.attr)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        owner = _evaluate(node.value, metadata)
        key: Any = node.slice.value
        if isinstance(owner, Mapping | list | tuple):
            return owner[key]
    raise ValueError("not a simple value")
