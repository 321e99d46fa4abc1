"""Jinja2: text templates. Paths of includes and imports are relative to the including file."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from geventcore.errors import TemplateError
from geventcore.included_files import INCLUDED_FILES
from geventcore.templating.jinja2_purity import names_if_pure
from geventcore.templating.purity import ImpureError


class _Environment(jinja2.Environment):
    """An environment that names templates by their absolute paths."""

    def join_path(self, template: str, parent: str) -> str:
        return os.path.normpath(os.path.join(os.path.dirname(parent), template))


@functools.lru_cache(maxsize=8)
def _environment(encoding: str) -> _Environment:
    return _Environment(
        loader=jinja2.FunctionLoader(functools.partial(_load_include, encoding)),
        keep_trailing_newline=True,
        extensions=["jinja2.ext.do"],
    )


def _load_include(encoding: str, name: str) -> tuple[str, str, Any]:
    """Return the source of an included file, its name, and a function that returns true while it is unchanged."""
    try:
        included = INCLUDED_FILES.read(name)
    except OSError as err:
        raise jinja2.TemplateNotFound(name, f"{name}: {err.strerror}") from err
    return included.data.decode(encoding), name, lambda: INCLUDED_FILES.is_current(name, included)


class _Text:
    """A compiled template."""

    def __init__(self, path: Path, template: jinja2.Template, source: str) -> None:
        self.path = path
        self._template = template
        self.impurity = ""
        self.names: frozenset[str] = frozenset()
        try:
            self.names = names_if_pure(template.environment, source)
        except ImpureError as err:
            self.impurity = str(err)

    def render(self, variables: Mapping[str, Any]) -> str:
        """See `geventcore.templating.base.TextTemplate`."""
        try:
            return self._template.render(variables)
        except jinja2.TemplateSyntaxError as err:
            raise _syntax_error(self.path, err) from err
        except Exception as err:  # a site's template may raise anything; it fails this entry only
            raise TemplateError(f"{_position(self.path, err)}: {_message(err)}") from err


def _message(err: Exception) -> str:
    return str(err) if isinstance(err, jinja2.TemplateError) else f"{type(err).__name__}: {err}"


def _syntax_error(path: Path, err: jinja2.TemplateSyntaxError) -> TemplateError:
    return TemplateError(f"{err.filename or path}: line {err.lineno}: {err.message}")


def _position(path: Path, err: Exception) -> str:
    """Return the innermost template line of a traceback, in this template or in one that it includes.

    Jinja2 gives the frames of templates their files' names, and marks their globals.
    """
    place = str(path)
    trace = err.__traceback__
    while trace is not None:
        if "__jinja_exception__" in trace.tb_frame.f_globals:
            place = f"{trace.tb_frame.f_code.co_filename}: line {trace.tb_lineno}"
        trace = trace.tb_next
    return place


def load_text(path: Path, source: bytes, encoding: str) -> _Text:
    """See `geventcore.templating.base.load_text_template`."""
    environment = _environment(encoding)
    try:
        text = source.decode(encoding)
        code = environment.compile(text, name=str(path), filename=str(path))
        template = environment.template_class.from_code(environment, code, environment.make_globals(None))
    except jinja2.TemplateSyntaxError as err:
        raise _syntax_error(path, err) from err
    except UnicodeDecodeError as err:
        raise TemplateError(f"{path}: {err}") from err
    return _Text(path, template, text)
