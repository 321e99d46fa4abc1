"""Files that are text templates.

Variables: ``metadata``, ``name`` (the requested name of the entry), ``source_path`` (the template file), ``repo``,
``path`` (what that is depends on the engine), and what plugins that provide template data add; of several the first one
counts, and none replaces the five.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, ClassVar

from lxml import etree

from geventcore.errors import PluginExecutionError, RepositoryError
from geventcore.filemonitor import FileEvent
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import TemplateDataProvider
from geventcore.plugins.cfg.content import Content
from geventcore.plugins.cfg.handlers import CfgGenerator
from geventcore.plugins.cfg.names import requested_name
from geventcore.specfiles.specificity import Specificity
from geventcore.templating import TextTemplate, load_text_template

log = logging.getLogger(__name__)


class TemplateGenerator(CfgGenerator):
    """The content that a template makes.

    Class attributes:
        engine: its name in the table of template engines.
    """

    engine: ClassVar[str]

    def __init__(self, path: Path, specificity: Specificity, context: PluginContext) -> None:
        super().__init__(path, specificity, context)
        self._template: TextTemplate | None = None
        self._problem = "it has not been read"
        self._reported: set[str] = set()

    def handle_event(self, event: FileEvent) -> None:
        try:
            self._template = load_text_template(self.engine, self.path, self.read(), self.context.encoding)
        except RepositoryError as err:
            self._problem = str(err)
            raise

    def get_content(self, entry: etree._Element, metadata: ClientMetadata) -> Content:
        if self._template is None:
            raise PluginExecutionError(f"{self.path}: this template is unusable: {self._problem}")
        text = self._template.render(self._variables(entry, metadata))
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
                    log.warning("%s: template variable %s is provided twice; the first one is used", source, variable)
        return variables


class GenshiGenerator(TemplateGenerator):
    """``<base>….genshi``: Genshi's text templates."""

    engine = "genshi"
    extensions: ClassVar[tuple[str, ...]] = ("genshi",)
    ignored_extensions: ClassVar[tuple[str, ...]] = ("genshi_include",)

    def path_variable(self, name: str) -> str:
        return str(self.path)


class Jinja2Generator(TemplateGenerator):
    """``<base>….jinja2``."""

    engine = "jinja2"
    extensions: ClassVar[tuple[str, ...]] = ("jinja2",)
    ignored_extensions: ClassVar[tuple[str, ...]] = ("jinja2_include",)
