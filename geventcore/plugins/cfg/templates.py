"""Text templates, which generate the content of files.

Variables: ``metadata``, ``name`` (the requested name of the entry), ``source_path`` (the template file), ``repo``,
``path`` (it depends on the engine), and the variables of plugins that provide template data. Of several plugins with
one variable the first wins; plugins cannot override the five variables named here.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from lxml import etree

from geventcore.errors import PluginExecutionError, RepositoryError
from geventcore.filemonitor import FileEvent
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import TemplateDataProvider
from geventcore.plugin.recording import ADDRESS, UntrackableError, frozen, note_untracked
from geventcore.plugin.result_store import Results
from geventcore.plugin.specificity import Specificity
from geventcore.plugins.cfg.content import Content
from geventcore.plugins.cfg.handlers import CfgGenerator
from geventcore.plugins.cfg.names import requested_name
from geventcore.templating import TextTemplate, load_text_template

log = logging.getLogger(__name__)


#: The variables that depend on the client, the entry and the file only.
_OWN_VARIABLES = frozenset({"metadata", "name", "source_path", "repo", "path"})


def _size(content: Content) -> int:
    return len(content.text or "") + 200


class TemplateGenerator(CfgGenerator):
    """A generator that renders a template.

    Class attributes:
        engine: its name in the table of template engines.
    """

    engine: ClassVar[str]

    def __init__(self, path: Path, specificity: Specificity, context: PluginContext) -> None:
        super().__init__(path, specificity, context)
        self._template: TextTemplate | None = None
        self._results = Results(context.results)
        self._problem = "the file has not been read"
        self._reported: set[str] = set()

    def handle_event(self, event: FileEvent) -> None:
        try:
            self._template = load_text_template(self.engine, self.path, self.read(), self.context.encoding)
        except RepositoryError as err:
            self._problem = str(err)
            raise
        self._results = Results(self.context.results)

    def get_content(self, entry: etree._Element, metadata: ClientMetadata) -> Content:
        template = self._template
        if template is None:
            raise PluginExecutionError(f"{self.path}: cannot use this template: {self._problem}")
        variables = self._variables(entry, metadata)
        reason, key = self._key(template, variables)
        if not reason:
            return self._results.get(key, metadata, partial(self._render, template, variables), _size)
        note_untracked(metadata, f"{self.path}: {reason}")
        return self._render(template, variables, metadata)

    def tracked_content(self, entry: etree._Element, metadata: ClientMetadata) -> Content | None:
        template = self._template
        if template is None:
            return None
        if template.impurity:
            note_untracked(metadata, f"{self.path}: {template.impurity}")
            return None
        variables = self._variables(entry, metadata)
        reason, key = self._key(template, variables)
        if reason:
            note_untracked(metadata, f"{self.path}: {reason}")
            return None
        return self._results.get(key, metadata, partial(self._render, template, variables), _size)

    def _key(self, template: TextTemplate, variables: Mapping[str, Any]) -> tuple[str, Hashable]:
        """Return why the result may depend on more than the client, else an empty text; and on what it depends."""
        if template.impurity:
            return template.impurity, None
        others = template.names.intersection(variables) - _OWN_VARIABLES
        try:
            given = tuple((name, frozen(variables[name], name)) for name in sorted(others))
        except UntrackableError:
            return f"it uses the variables {', '.join(sorted(others))} of a plugin", None
        return "", (variables["name"], self.context.encoding, given)

    def _render(self, template: TextTemplate, variables: Mapping[str, Any], metadata: ClientMetadata) -> Content:
        text = template.render({**variables, "metadata": metadata})
        if ADDRESS.search(text):
            note_untracked(metadata, f"{self.path}: it shows the address of an object")
        return Content.of_text(text, self.context.encoding, self.path)

    def path_variable(self, name: str) -> str:
        """The variable ``path``."""
        return name

    def _variables(self, entry: etree._Element, metadata: ClientMetadata) -> dict[str, Any]:
        name = requested_name(entry)
        source = str(self.path)
        variables: dict[str, Any] = {
            "metadata": metadata,
            "name": name,
            "source_path": source,
            "repo": str(self.context.repository),
            "path": self.path_variable(name),
        }
        for provider in self.context.plugins_by_type(TemplateDataProvider):
            for variable, value in provider.get_template_data(entry, metadata, source).items():
                if variable not in variables:
                    variables[variable] = value
                elif variable not in self._reported:
                    self._reported.add(variable)
                    log.warning("%s: two plugins provide the template variable %s; using the first", source, variable)
        return variables


class GenshiGenerator(TemplateGenerator):
    """``<base>….genshi``: Genshi's text templates."""

    engine = "genshi"
    extensions: ClassVar[tuple[str, ...]] = ("genshi",)
    ignored_extensions: ClassVar[tuple[str, ...]] = ("genshi_include",)

    def path_variable(self, name: str) -> str:
        return str(self.path)


class CheetahGenerator(TemplateGenerator):
    """``<base>….cheetah``."""

    engine = "cheetah"
    extensions: ClassVar[tuple[str, ...]] = ("cheetah",)
    ignored_extensions: ClassVar[tuple[str, ...]] = ("cheetah_include",)


class Jinja2Generator(TemplateGenerator):
    """``<base>….jinja2``."""

    engine = "jinja2"
    extensions: ClassVar[tuple[str, ...]] = ("jinja2",)
    ignored_extensions: ClassVar[tuple[str, ...]] = ("jinja2_include",)
