"""Cheetah: text templates, with the package CT3. Paths of includes are relative to the template's directory.

Variables are attributes of the template, ``$self.metadata``, and names, ``$metadata``. A variable whose name Cheetah's
own class has is only a name.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geventcore.errors import TemplateError
from geventcore.included_files import INCLUDED_FILES

with warnings.catch_warnings():
    # Cheetah imports the module cgi for a function that is not used here.
    warnings.simplefilter("ignore", DeprecationWarning)
    from Cheetah.NameMapper import NotFound
    from Cheetah.Parser import ParseError
    from Cheetah.Template import Template

#: As in Bcfg2: a template does not see the variables of the functions that call it.
_SETTINGS = {"useStackFrames": False}
#: The comment that Cheetah writes behind generated code.
_SOURCE_LINE = re.compile(r"line (\d+), col \d+")


class _SiteTemplate(Template):  # type: ignore[misc]  # the package has no types
    """The base class of compiled templates."""

    def serverSidePath(  # noqa: N802 - Cheetah's name for the function that finds included files
        self, path: str | None = None, normpath: Any = os.path.normpath, abspath: Any = os.path.abspath
    ) -> str:
        source: str = self.getVar("source_path", "")
        return str(normpath(os.path.join(os.path.dirname(source), path or source)))

    def _handleCheetahInclude(self, source: Any, **options: Any) -> None:  # noqa: N802 - Cheetah's name; an include
        if options.get("includeFrom", "file") == "file" and isinstance(source, str):
            source = INCLUDED_FILES.read(self.serverSidePath(source)).data.decode()
            options["includeFrom"] = "str"
        super()._handleCheetahInclude(source, **options)


class _Text:
    """A compiled template."""

    impurity = "Cheetah's templates are not examined"
    names: frozenset[str] = frozenset()

    def __init__(self, path: Path, template: Any) -> None:
        self.path = path
        self._template = template
        # Cheetah registers a module for each template, which would stay after a reload.
        weakref.finalize(self, sys.modules.pop, template.__module__, None)

    def render(self, variables: Mapping[str, Any]) -> str:
        """See `geventcore.templating.base.TextTemplate`."""
        try:
            template = self._template(searchList=[dict(variables)])
            for name, value in variables.items():
                if not hasattr(self._template, name):
                    setattr(template, name, value)
            return str(template.respond())
        except ParseError as err:
            # It is in an included file.
            raise TemplateError(f"{self.path}: {_parse_message(err)}") from err
        except Exception as err:  # a site's template may raise anything; it fails this entry only
            raise TemplateError(f"{self._position(err)}: {_message(err)}") from err

    def _position(self, err: Exception) -> str:
        """Return the innermost line of the template in a traceback."""
        place = str(self.path)
        code = str(self._template._CHEETAH_generatedModuleCode).splitlines()
        trace = err.__traceback__
        while trace is not None:
            if trace.tb_frame.f_globals.get("__name__") == self._template.__module__:
                match = _SOURCE_LINE.search(code[trace.tb_lineno - 1]) if trace.tb_lineno <= len(code) else None
                if match is not None:
                    place = f"{self.path}: line {match[1]}"
            trace = trace.tb_next
        return place


def _message(err: Exception) -> str:
    return str(err) if isinstance(err, NotFound) else f"{type(err).__name__}: {err}"


def _parse_message(err: ParseError) -> str:
    """Return Cheetah's message in one line, without the excerpt of the template."""
    text = str(err).split("\nLine|", 1)[0]
    message, _, position = text.strip().rpartition("\nLine ")
    line = position.partition(",")[0]
    return f"line {line}: {' '.join(message.split())}" if message else " ".join(text.split())


def load_text(path: Path, source: bytes, encoding: str) -> _Text:
    """See `geventcore.templating.base.load_text_template`."""
    try:
        template = _SiteTemplate.compile(
            source=source.decode(encoding),
            baseclass=_SiteTemplate,
            compilerSettings=_SETTINGS,
            cacheCompilationResults=False,
        )
    except ParseError as err:
        raise TemplateError(f"{path}: {_parse_message(err)}") from err
    except SyntaxError as err:
        # The Python code that Cheetah generated; its lines are not those of the template.
        raise TemplateError(f"{path}: invalid expression: {err.msg}: {(err.text or '').strip()}") from err
    except UnicodeDecodeError as err:
        raise TemplateError(f"{path}: {err}") from err
    except Exception as err:  # compiling executes imports, attributes and defaults, which may raise anything
        raise TemplateError(f"{path}: {_message(err)}") from err
    return _Text(path, template)
