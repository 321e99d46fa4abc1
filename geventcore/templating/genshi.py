"""Genshi: text templates in the new syntax (``${}``, ``{% %}``, ``{# #}``) and XML templates (``py:`` attributes)."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import genshi.core
import genshi.template
import genshi.template.base
import genshi.template.eval
from genshi.input import ParseError
from genshi.template.directives import ForDirective

from geventcore.errors import TemplateError
from geventcore.included_files import INCLUDED_FILES
from geventcore.regular_files import read_file, read_text
from geventcore.templating.genshi_purity import names_if_pure
from geventcore.templating.genshi_text import compile_text
from geventcore.templating.purity import ImpureError


def _loader(path: Path) -> genshi.template.TemplateLoader:
    return genshi.template.TemplateLoader([_open_in(path.parent)], auto_reload=True, max_cache_size=100)


def _open_in(directory: Path) -> Callable[[str], tuple[str, str, io.BytesIO, Callable[[], bool]]]:
    """Return a function with which Genshi's loader opens included files: regular files only."""

    def open_file(name: str) -> tuple[str, str, io.BytesIO, Callable[[], bool]]:
        path = os.path.join(directory, name)
        included = INCLUDED_FILES.read(path)
        return path, name, io.BytesIO(included.data), lambda: INCLUDED_FILES.is_current(path, included)

    return open_file


class _Template:
    """A compiled template."""

    def __init__(self, path: Path, template: Any) -> None:
        self.path = path
        self._template = template
        self.impurity = ""
        self.names: frozenset[str] = frozenset()
        try:
            self.names = names_if_pure(template)
        except ImpureError as err:
            self.impurity = str(err)

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
    """Return the code that failed, its template's path, and Genshi's line number.

    The code is an expression or the first line of a block of Python. Genshi runs blocks from a rewritten copy, so the
    exact line in a block is not known.
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
    """Correct Genshi's line number for a piece of code in a template.

    Genshi miscounts the lines of text templates, by one for some newlines and directives. So return the line nearest to
    Genshi's that contains the code.
    """
    try:
        lines = read_text(path, errors="replace").split("\n")
    except OSError:
        return line
    if not any(code in text for text in lines):
        # Genshi wraps the expression of a loop in iter() before it compiles it.
        code = code.removeprefix("iter(").removesuffix(")")
    found = [number for number, text in enumerate(lines, 1) if code in text]
    return min(found, key=lambda number: (abs(number - line), number), default=line)


class GenshiText(_Template):
    """A text template."""

    def __init__(self, path: Path, template: Any) -> None:
        super().__init__(path, template)
        self._compiled = compile_text(template)

    def render(self, variables: Mapping[str, Any]) -> str:
        """See `geventcore.templating.base.TextTemplate`."""
        try:
            if self._compiled is not None:
                return self._compiled(variables)
            # Genshi's own serializer gives the same text, but takes longer than making the pieces.
            return "".join([data for kind, data, _ in self._stream(variables) if kind is genshi.core.TEXT])
        except Exception as err:  # a site's template may raise anything; it fails this entry only
            raise self._failure(err) from err


class GenshiXML(_Template):
    """An XML template."""

    def render(self, variables: Mapping[str, Any]) -> bytes:
        """See `geventcore.templating.base.XMLTemplate`."""
        try:
            document: bytes = self._stream(variables).render("xml", strip_whitespace=False, encoding="utf-8")
        except Exception as err:  # a site's template may raise anything; it fails this file only
            raise self._failure(err) from err
        return document

    def element_places(self, variables: Mapping[str, Any]) -> list[tuple[str, str, int]]:
        """See `geventcore.templating.base.XMLTemplate`."""
        try:
            events = [event for event in self._stream(variables) if event[0] is genshi.core.START]
        except Exception as err:  # a site's template may raise anything; it fails this file only
            raise self._failure(err) from err
        return [
            (data[0].localname, str(self.path.parent / (file or self.path.name)), line)
            for _, data, (file, line, _) in events
        ]


def loops_without_variable(template: Any) -> list[int]:
    """Return the lines of loops in a loaded template whose target is not a name, so that Genshi drops the values."""
    return sorted(_bad_loops(template._template.stream))


def _bad_loops(stream: Iterable[Any]) -> Iterator[int]:
    for kind, data, position in stream:
        if kind is genshi.template.base.SUB:
            directives, content = data
            for directive in directives:
                # The names are the default of the function that assigns the values.
                if isinstance(directive, ForDirective) and _lacks_name(directive.assign.__defaults__[0]):
                    yield max(position[1], 1)
            yield from _bad_loops(content)


def _lacks_name(names: Any) -> bool:
    return any(map(_lacks_name, names)) if isinstance(names, tuple) else names is None


def load_template(path: Path, source: str | bytes, encoding: str, kind: Any) -> Any:
    """Compile a template with Genshi's class `kind`; `TemplateError` if that fails."""
    try:
        template = kind(source, filepath=str(path), filename=str(path), loader=_loader(path), encoding=encoding)
        # Genshi compiles directives on the first rendering. Compile them here, so that errors show when the file loads.
        template.stream  # noqa: B018 - a property that compiles
        return template
    except (genshi.template.TemplateError, ParseError) as err:
        raise _syntax_error(path, err) from err
    except Exception as err:  # Genshi's own parser fails on some blocks of Python; it fails this file only
        raise TemplateError(f"{path}: {type(err).__name__}: {err}") from err


def load_text(path: Path, source: bytes, encoding: str) -> GenshiText:
    """See `geventcore.templating.base.load_text_template`."""
    try:
        # Genshi itself would replace invalid bytes silently.
        text = source.decode(encoding)
    except UnicodeDecodeError as err:
        raise TemplateError(f"{path}: {err}") from err
    return GenshiText(path, load_template(path, text, encoding, genshi.template.NewTextTemplate))


def load_xml(path: Path, encoding: str) -> GenshiXML:
    """See `geventcore.templating.base.load_xml_template`."""
    try:
        source = read_file(path)
    except OSError as err:
        raise TemplateError(f"{path}: cannot read the template: {err.strerror}") from err
    return GenshiXML(path, load_template(path, source, encoding, genshi.template.MarkupTemplate))
