"""The contract of a template engine."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from geventcore.errors import TemplateError
from geventcore.file_contents import FILE_CONTENTS
from geventcore.included_files import INCLUDED_FILES
from geventcore.python2_code import Finding, findings_in_template
from geventcore.regular_files import read_file, read_text

log = logging.getLogger(__name__)

#: Engine name -> module. A module has ``load_text(path, text, encoding) -> TextTemplate`` and, if the engine makes XML,
#: ``load_xml(path, encoding) -> XMLTemplate``.
ENGINES: dict[str, str] = {
    "cheetah": "geventcore.templating.cheetah",
    "genshi": "geventcore.templating.genshi",
    "genshi-tgenshi": "geventcore.templating.genshi_tgenshi",
    "jinja2": "geventcore.templating.jinja2",
}


class Template(Protocol):
    """The common part of templates.

    Attributes:
        path: the template's file.
        impurity: why the result may depend on more than the variables (`geventcore.templating.purity`); empty if it
            does not.
        names: the variables that a pure template reads.
    """

    path: Path
    impurity: str
    names: frozenset[str]


class TextTemplate(Template, Protocol):
    """A template that makes the content of a file."""

    def render(self, variables: Mapping[str, Any]) -> str:
        """Return the text; `TemplateError` names the file and, where known, the line."""


class XMLTemplate(Template, Protocol):
    """A template that makes an XML document."""

    def render(self, variables: Mapping[str, Any]) -> bytes:
        """Return the document in UTF-8; `TemplateError` names the file and, where known, the line."""

    def element_places(self, variables: Mapping[str, Any]) -> list[tuple[str, str, int]]:
        """Return the local name, the template's file and the line of each element, in document order.

        `TemplateError` as `render`.
        """


def _engine(name: str, path: Path) -> Any:
    if name not in ENGINES:
        raise TemplateError(f"{path}: unknown template engine {name!r}; expected one of {', '.join(ENGINES)}")
    try:
        return importlib.import_module(ENGINES[name])
    except ImportError as err:
        raise TemplateError(f"{path}: template engine {name} is not installed: {err}") from err


def load_text_template(engine: str, path: Path, source: bytes, encoding: str) -> TextTemplate:
    """Compile the template `source` that stands in file `path`; includes are relative to the file.

    `TemplateError` if it does not compile or the engine is missing.
    """
    load = _engine(engine, path).load_text

    def parse(data: bytes) -> TextTemplate:
        template: TextTemplate = load(path, data, encoding)
        return template

    with _python2_reported(engine, path, lambda: source.decode(encoding, "replace")):
        INCLUDED_FILES.read_named_in(path, source)
        return FILE_CONTENTS.parsed(f"{engine} text in {encoding}", path, source, parse)


def load_xml_template(engine: str, path: Path, encoding: str) -> XMLTemplate:
    """Compile the XML template in file `path`; includes are relative to the file.

    `TemplateError` if it does not compile or the engine is missing.
    """
    module = _engine(engine, path)
    with _python2_reported(engine, path, lambda: read_text(path, encoding, "replace")):
        template: XMLTemplate = module.load_xml(path, encoding)
        with suppress(OSError):
            INCLUDED_FILES.read_named_in(path, read_file(path))
    return template


@contextmanager
def _python2_reported(engine: str, path: Path, source: Callable[[], str]) -> Iterator[None]:
    """Log the Python 2 code of a template that the block loads, and add it to the block's `TemplateError`."""
    try:
        yield
    except TemplateError as err:
        errors = [finding for finding in _findings(engine, source) if finding.is_error]
        if errors:
            raise TemplateError(f"{err}; {errors[0]}") from err
        raise
    for finding in _findings(engine, source):
        log.log(logging.WARNING if finding.is_error else logging.INFO, "%s: %s", path, finding)


def _findings(engine: str, source: Callable[[], str]) -> list[Finding]:
    try:
        return findings_in_template(engine, source())
    except OSError:
        return []
