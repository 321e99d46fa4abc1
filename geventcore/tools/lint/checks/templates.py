"""Genshi and Jinja2: templates that cannot be compiled. TemplateHelper: modules for templates."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from geventcore.crypt import EncryptionError, Passphrases
from geventcore.errors import RepositoryError, TemplateError
from geventcore.plugins.cfg.encrypted import EncryptedGenerator
from geventcore.plugins.cfg.templates import GenshiGenerator, Jinja2Generator, TemplateGenerator
from geventcore.plugins.template_helper import RESERVED, Exports
from geventcore.specfiles.pythonfile import load_python
from geventcore.templating import load_text_template, load_xml_template
from geventcore.tools.lint.base import Check
from geventcore.tools.lint.findings import Finding, Kind, Place

_LINE = re.compile(r"^(?P<file>/[^:]*): (?:line (?P<line>\d+): )?(?P<text>.*)", re.DOTALL)
#: The errors of engines that say that a template's syntax is wrong.
_SYNTAX_ERRORS = frozenset({"TemplateSyntaxError", "BadDirectiveError", "ParseError", "TemplateAssertionError"})


def _loops_of(engine: str) -> Callable[[Any], Sequence[int]]:
    """Return the function that finds loops without a variable; the library of an engine is optional."""
    if engine != "genshi":
        return lambda _: ()
    from geventcore.templating.genshi import loops_without_variable

    return loops_without_variable


class _Templates(Check):
    """Templates of one engine."""

    engine: str
    generator: type[TemplateGenerator]

    def cfg_templates(self) -> Iterator[Finding]:
        """Check the templates of Cfg."""
        if "Cfg" not in self.site.plugins:
            return
        for entry in self.site.cfg.entries.values():
            for file in entry.of_kind(self.generator):
                if not self.site.concerns(file.path):
                    continue
                source = self.site.read(file.path)
                if issubclass(file.handler, EncryptedGenerator):
                    try:
                        source = Passphrases.of(self.site.settings).decrypt_any(source)
                    except EncryptionError:
                        # Crypto and the server say that.
                        continue
                yield from self.check(file.path, partial(self._load, file.path, source))

    def _load(self, path: Path, source: bytes) -> Any:
        # Genshi replaces bytes that are not valid; the server refuses such a file when it loads it.
        if self.engine == "genshi":
            source = source.decode(self.site.encoding, "replace").encode(self.site.encoding, "replace")
        return load_text_template(self.engine, path, source, self.site.encoding)

    def check(self, path: Path, load: Callable[[], Any]) -> Iterator[Finding]:
        """Compile a template and report what fails."""
        try:
            template = load()
            loops_without_variable = _loops_of(self.engine)
            for line in loops_without_variable(template):
                message = "the template cannot be used: a loop needs a name before in"
                yield self.found("genshi-syntax-error", message, Place(path, line, 1))
        except TemplateError as err:
            place, text = _parts(err, path)
            is_syntax = type(err.__cause__).__name__ in _SYNTAX_ERRORS
            name = f"{self.engine}-syntax-error" if is_syntax else f"unknown-{self.engine}-error"
            yield self.found(name, f"the template cannot be used: {text}", place)
        except OSError as err:
            yield self.found(f"unknown-{self.engine}-error", f"the template cannot be read: {err.strerror}", path)


def _parts(err: Exception, path: Path) -> tuple[Place, str]:
    match = _LINE.match(str(err))
    if match is None:
        return Place(path), str(err)
    line = int(match["line"] or 0)
    return Place(Path(match["file"]), line, 1 if line else 0), match["text"]


class Genshi(_Templates):
    """Genshi's templates of Cfg and Bundler."""

    name = "Genshi"
    engine = "genshi"
    generator = GenshiGenerator
    kinds = (
        Kind(
            "genshi-syntax-error",
            "error",
            "A Genshi template cannot be compiled.",
            "Mend the expression or directive; a literal $ is written $$.",
        ),
        Kind(
            "unknown-genshi-error",
            "error",
            "A Genshi template fails in an unusual way.",
            "Simplify the template at this place.",
        ),
    )

    def run(self) -> Iterator[Finding]:
        yield from self.cfg_templates()
        if "Bundler" in self.site.plugins:
            for path in self.site.bundle_files:
                if self.site.concerns(path) and self.site.is_template(path):
                    yield from self.check(path, partial(load_xml_template, "genshi", path, self.site.encoding))


class Jinja2(_Templates):
    """Jinja2's templates of Cfg."""

    name = "Jinja2"
    engine = "jinja2"
    generator = Jinja2Generator
    kinds = (
        Kind("jinja2-syntax-error", "error", "A Jinja2 template cannot be compiled.", "Mend the template."),
        Kind(
            "unknown-jinja2-error",
            "error",
            "A Jinja2 template fails in an unusual way.",
            "Check the encoding of the file: it must be that of [components] encoding.",
        ),
    )

    def run(self) -> Iterator[Finding]:
        yield from self.cfg_templates()


#: The attributes that the helper objects of Bcfg2 have themselves. An export of this name would be hidden.
RESERVED_EXPORTS = frozenset(
    (
        *("HandleEvent", "core", "debug_flag", "debug_log", "defaults", "logger", "name", "options"),
        *("reserved_defaults", "set_debug", "toggle_debug", "_attrs", "_module_name", "__rmi__", "__child_rmi__"),
        *dir(Exports),
    )
)


class TemplateHelper(Check):
    """The modules of TemplateHelper, which are executed for the check."""

    name = "TemplateHelper"
    plugin = "TemplateHelper"
    kinds = (
        Kind("templatehelper-import-error", "error", "A module cannot be imported.", "Mend the module."),
        Kind(
            "templatehelper-no-export",
            "error",
            "A module has no list __export__.",
            "List the names that templates may use: __export__ = ['function'].",
        ),
        Kind(
            "templatehelper-nonlist-export",
            "error",
            "__export__ is not a list.",
            "Write it as a list of names in square brackets.",
        ),
        Kind(
            "templatehelper-nonexistent-export",
            "error",
            "A module exports a name that it does not define.",
            "Correct the name in the list, or define it.",
        ),
        Kind(
            "templatehelper-reserved-export",
            "error",
            "A module exports a name that every helper object has already.",
            "Give it another name.",
        ),
        Kind(
            "templatehelper-underscore-export",
            "warning",
            "A module exports a name that begins with an underscore.",
            "Give it a name without an underscore: such names are private in Python.",
        ),
        Kind(
            "templatehelper-reserved-default",
            "error",
            "A default variable has the name of a variable that every template has already.",
            "Give it another name.",
        ),
        Kind(
            "templatehelper-export-and-default",
            "warning",
            "A name is in __export__ and in __default__.",
            "Keep it in one of the two lists.",
        ),
    )

    def run(self) -> Iterator[Finding]:
        for path in self.site.below("TemplateHelper", "*.py", deep=False):
            if self.site.concerns(path) and not self.site.is_ignored(path.name):
                yield from self._check(path)

    def _check(self, path: Path) -> Iterator[Finding]:
        try:
            module = vars(load_python(path, f"geventcore_template_helper_{path.stem}"))
        except (RepositoryError, OSError) as err:
            place, text = _parts(err, path)
            yield self.found("templatehelper-import-error", text, place)
            return
        exported = module.get("__export__")
        if exported is None:
            yield self.found("templatehelper-no-export", f"{path.name} has no list __export__", path)
            return
        if not isinstance(exported, list):
            message = f"__export__ is of type {type(exported).__name__}, not a list"
            yield self.found("templatehelper-nonlist-export", message, self._place(path, "__export__"))
            return
        given = module.get("__default__")
        # The server says if that is something else.
        defaults = given if isinstance(given, list | tuple) else []
        for name in exported:
            place = self._place(path, str(name))
            if not isinstance(name, str) or name not in module:
                message = f"{name} is exported, but not defined"
                yield self.found("templatehelper-nonexistent-export", message, place, str(name))
            elif name in RESERVED_EXPORTS:
                message = f"{name} is exported, but every helper has an attribute of this name"
                yield self.found("templatehelper-reserved-export", message, place, name)
            elif name.startswith("_"):
                message = f"{name} is exported, but begins with an underscore"
                yield self.found("templatehelper-underscore-export", message, place, name)
            if name in defaults:
                message = f"{name} is exported, and a default variable"
                yield self.found("templatehelper-export-and-default", message, place, str(name))
        for name in defaults:
            if name in RESERVED:
                message = f"{name} cannot be a default variable: every template has it already"
                place = self._place(path, "__default__")
                yield self.found("templatehelper-reserved-default", message, place, str(name))

    def _place(self, path: Path, word: str) -> Place:
        """Return the place of a word, preferably in a list of names."""
        lines = self.site.read(path).decode("utf-8", "replace").splitlines()
        for wanted in ("__export__", "__default__", ""):
            for number, line in enumerate(lines, 1):
                if wanted in line and word in line:
                    return Place(path, number, line.index(word) + 1)
        return Place(path)
