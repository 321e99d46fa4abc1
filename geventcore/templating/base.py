"""The contract of a template engine."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from geventcore.errors import TemplateError

#: Engine name -> module. A module has ``load_text(path, text, encoding) -> TextTemplate`` and, if the engine makes XML,
#: ``load_xml(path, encoding) -> XMLTemplate``.
ENGINES: dict[str, str] = {
    "genshi": "geventcore.templating.genshi",
    "jinja2": "geventcore.templating.jinja2",
}


class TextTemplate(Protocol):
    """A template that makes the content of a file.

    Attributes:
        path: the template's file.
    """

    path: Path

    def render(self, variables: Mapping[str, Any]) -> str:
        """The text; `TemplateError` names the file and, where known, the line."""


class XMLTemplate(Protocol):
    """A template that makes an XML document.

    Attributes:
        path: the template's file.
    """

    path: Path

    def render(self, variables: Mapping[str, Any]) -> bytes:
        """The document in UTF-8; `TemplateError` names the file and, where known, the line."""


def _engine(name: str, path: Path) -> Any:
    if name not in ENGINES:
        raise TemplateError(f"{path}: no template engine has the name {name!r}; there are {', '.join(ENGINES)}")
    try:
        return importlib.import_module(ENGINES[name])
    except ImportError as err:
        raise TemplateError(f"{path}: template engine {name} is not installed ({err})") from err


def load_text_template(engine: str, path: Path, source: bytes, encoding: str) -> TextTemplate:
    """Compile the template `source` that stands in file `path`; includes are relative to the file.

    `TemplateError` if it does not compile or the engine is missing.
    """
    template: TextTemplate = _engine(engine, path).load_text(path, source, encoding)
    return template


def load_xml_template(engine: str, path: Path, encoding: str) -> XMLTemplate:
    """Compile the XML template in file `path`; includes are relative to the file.

    `TemplateError` if it does not compile or the engine is missing.
    """
    template: XMLTemplate = _engine(engine, path).load_xml(path, encoding)
    return template
