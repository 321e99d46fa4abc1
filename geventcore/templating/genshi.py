"""Genshi: text templates in the new syntax (``${}``, ``{% %}``, ``{# #}``) and XML templates (``py:`` attributes)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import genshi.core
import genshi.template
from genshi.input import ParseError

from geventcore.errors import TemplateError


def _loader(path: Path) -> genshi.template.TemplateLoader:
    return genshi.template.TemplateLoader([str(path.parent)], auto_reload=True, max_cache_size=100)


def _position(path: Path, err: genshi.template.TemplateError | ParseError) -> str:
    line = getattr(err, "lineno", -1)
    name = getattr(err, "filename", None) or path
    return f"{name}: line {line}" if line and line > 0 else str(name)


class _Template:
    """A compiled template."""

    def __init__(self, path: Path, template: Any) -> None:
        self._path = path
        self._template = template

    def _stream(self, variables: Mapping[str, Any]) -> Any:
        return self._template.generate(**variables)

    def _failure(self, err: Exception) -> TemplateError:
        if isinstance(err, genshi.template.TemplateSyntaxError | ParseError):
            return TemplateError(f"{_position(self._path, err)}: {err.msg}")
        line = _line_in_template(err, self._path)
        where = f"{self._path}: line {line}" if line else str(self._path)
        message = err.msg if isinstance(err, genshi.template.TemplateError) else f"{type(err).__name__}: {err}"
        return TemplateError(f"{where}: {message}")


def _line_in_template(err: Exception, path: Path) -> int | None:
    """The line of the template in which an expression failed: Genshi compiles expressions under the file's name."""
    line = None
    trace = err.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


class _Text(_Template):
    def render(self, variables: Mapping[str, Any]) -> str:
        """See `geventcore.templating.base.TextTemplate`."""
        try:
            text: str = self._stream(variables).render("text", encoding=None)
        except Exception as err:  # a site's template may raise anything; it fails this entry only
            raise self._failure(err) from err
        return text


class _XML(_Template):
    def render(self, variables: Mapping[str, Any]) -> bytes:
        """See `geventcore.templating.base.XMLTemplate`."""
        try:
            document: bytes = self._stream(variables).render("xml", strip_whitespace=False, encoding="utf-8")
        except Exception as err:  # a site's template may raise anything; it fails this file only
            raise self._failure(err) from err
        return document


def _load(path: Path, source: bytes, encoding: str, kind: Any) -> Any:
    try:
        return kind(source, filepath=str(path), filename=str(path), loader=_loader(path), encoding=encoding)
    except (genshi.template.TemplateError, ParseError) as err:
        raise TemplateError(f"{_position(path, err)}: {err.msg}") from err
    except (SyntaxError, UnicodeDecodeError) as err:
        raise TemplateError(f"{path}: {err}") from err


def load_text(path: Path, source: bytes, encoding: str) -> _Text:
    """See `geventcore.templating.base.load_text_template`."""
    return _Text(path, _load(path, source, encoding, genshi.template.NewTextTemplate))


def load_xml(path: Path, encoding: str) -> _XML:
    """See `geventcore.templating.base.load_xml_template`."""
    try:
        source = path.read_bytes()
    except OSError as err:
        raise TemplateError(f"{path}: cannot read this template: {err.strerror}") from err
    return _XML(path, _load(path, source, encoding, genshi.template.MarkupTemplate))
