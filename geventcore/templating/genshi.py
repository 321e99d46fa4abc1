"""Genshi: text templates in the new syntax (``${}``, ``{% %}``, ``{# #}``) and XML templates (``py:`` attributes)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import genshi.core
import genshi.template
import genshi.template.eval
from genshi.input import ParseError

from geventcore.errors import TemplateError
from geventcore.templating.genshi_text import compile_text


def _loader(path: Path) -> genshi.template.TemplateLoader:
    return genshi.template.TemplateLoader([str(path.parent)], auto_reload=True, max_cache_size=100)


class _Template:
    """A compiled template."""

    def __init__(self, path: Path, template: Any) -> None:
        self.path = path
        self._template = template

    def _stream(self, variables: Mapping[str, Any]) -> Any:
        return self._template.generate(**variables)

    def _failure(self, err: Exception) -> TemplateError:
        if isinstance(err, genshi.template.TemplateSyntaxError | ParseError):
            return _syntax_error(self.path, err)
        code, path, line = _failed_code(err, self.path)
        if line is not None and code is not None:
            line = _corrected_line(path, code, line)
        message = err.msg if isinstance(err, genshi.template.TemplateError) else f"{type(err).__name__}: {err}"
        return _error(path, line, message)


def _error(path: object, line: int | None, message: object) -> TemplateError:
    return TemplateError(f"{path}: line {line}: {message}" if line else f"{path}: {message}")


def _syntax_error(path: Path, err: genshi.template.TemplateError | ParseError) -> TemplateError:
    name = getattr(err, "filename", None)
    where = Path(name) if name and os.path.isabs(name) else path
    line = getattr(err, "lineno", None)
    cause = err.__context__
    if isinstance(cause, SyntaxError) and cause.text:
        return _error(where, _corrected_line(where, cause.text.strip(), line or 0) or None, cause.msg)
    if isinstance(err, genshi.template.BadDirectiveError):
        directive = err.msg.split('"')[1] if '"' in err.msg else ""
        return _error(path, _corrected_line(path, directive, 0) or None, err.msg)
    return _error(where, line if line and line > 0 else None, err.msg)


def _failed_code(err: Exception, path: Path) -> tuple[str | None, Path, int | None]:
    """What failed: an expression or the first line of a block, the template, the number of the line as Genshi counts.

    Genshi runs blocks of Python from a rewritten copy, so that nothing tells which of their lines failed.
    """
    found: tuple[str | None, Path, int | None] = (None, path, None)
    code = None
    trace = err.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        owner = frame.f_locals.get("self", frame.f_locals.get("expression"))
        if isinstance(owner, genshi.template.eval.Code):
            code = owner
        elif code is not None and frame.f_code.co_filename == code.code.co_filename:
            first_line = code.source.strip().partition("\n")[0]
            found = (first_line, Path(frame.f_code.co_filename), trace.tb_lineno)
        trace = trace.tb_next
    return found


def _corrected_line(path: Path, code: str, line: int) -> int:
    """The line of a piece of code in a template, given where Genshi thinks that it is.

    Genshi miscounts the lines of text templates, by one for some newlines and directives, so the code is looked for:
    of the lines that have it the nearest counts.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return line
    if not any(code in text for text in lines):
        # What a loop goes through is wrapped before it is compiled.
        code = code.removeprefix("iter(").removesuffix(")")
    found = [number for number, text in enumerate(lines, 1) if code in text]
    return min(found, key=lambda number: (abs(number - line), number), default=line)


class _Text(_Template):
    def __init__(self, path: Path, template: Any) -> None:
        super().__init__(path, template)
        self._compiled = compile_text(template)

    def render(self, variables: Mapping[str, Any]) -> str:
        """See `geventcore.templating.base.TextTemplate`."""
        try:
            if self._compiled is not None:
                return self._compiled(variables)
            # Genshi's own serializer does the same, and takes longer than making the text.
            return "".join([data for kind, data, _ in self._stream(variables) if kind is genshi.core.TEXT])
        except Exception as err:  # a site's template may raise anything; it fails this entry only
            raise self._failure(err) from err


class _XML(_Template):
    def render(self, variables: Mapping[str, Any]) -> bytes:
        """See `geventcore.templating.base.XMLTemplate`."""
        try:
            document: bytes = self._stream(variables).render("xml", strip_whitespace=False, encoding="utf-8")
        except Exception as err:  # a site's template may raise anything; it fails this file only
            raise self._failure(err) from err
        return document


def _load(path: Path, source: str | bytes, encoding: str, kind: Any) -> Any:
    try:
        template = kind(source, filepath=str(path), filename=str(path), loader=_loader(path), encoding=encoding)
        # Genshi would compile directives when the template is first rendered, and then it would be too late to refuse.
        template.stream  # noqa: B018 - a property that does it
        return template
    except (genshi.template.TemplateError, ParseError) as err:
        raise _syntax_error(path, err) from err
    except Exception as err:  # Genshi's own parser stumbles over some blocks of Python; it fails this file only
        raise TemplateError(f"{path}: {type(err).__name__}: {err}") from err


def load_text(path: Path, source: bytes, encoding: str) -> _Text:
    """See `geventcore.templating.base.load_text_template`."""
    try:
        # Genshi itself would put replacement characters where bytes make no sense.
        text = source.decode(encoding)
    except UnicodeDecodeError as err:
        raise TemplateError(f"{path}: {err}") from err
    return _Text(path, _load(path, text, encoding, genshi.template.NewTextTemplate))


def load_xml(path: Path, encoding: str) -> _XML:
    """See `geventcore.templating.base.load_xml_template`."""
    try:
        source = path.read_bytes()
    except OSError as err:
        raise TemplateError(f"{path}: cannot read this template: {err.strerror}") from err
    return _XML(path, _load(path, source, encoding, genshi.template.MarkupTemplate))
