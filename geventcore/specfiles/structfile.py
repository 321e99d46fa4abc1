"""XML files whose content depends on the client: conditions, templates, encrypted elements.

A file is a template if its name ends in ``.genshi`` or its root binds the prefix ``py`` to Genshi's namespace; it is
then rendered for each client. Two views of the result take the conditions away (docs: reference/repository,
"Conditions"):

* `StructFile.match`: a list in document order; conditions are replaced by their contents where they stand.
* `StructFile.xml_match`: a tree; the contents of conditions go to the end of the parent, depth first. For
  ``a, Group(b, Group(c), d), e`` this gives ``a, e, b, c, d``.
"""

from __future__ import annotations

import copy
import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lxml import etree

from geventcore.errors import RepositoryError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import TemplateDataProvider
from geventcore.specfiles.conditions import condition_holds, is_conditional
from geventcore.specfiles.encrypted_elements import decrypt_elements
from geventcore.specfiles.xmlfile import XMLDocument, XMLFile, repository_parser
from geventcore.templating import XMLTemplate, load_xml_template

log = logging.getLogger(__name__)

#: How many trees for different clients are kept of one file, and how many elements these may have in all.
MAX_VARIANTS = 64
MAX_VARIANT_ELEMENTS = 20_000
#: How many renderings of one template are kept as trees. Many templates give most clients the same.
MAX_RENDERINGS = 8

GENSHI_NAMESPACE = "http://genshi.edgewall.org/"


def match_elements(root: etree._Element, metadata: ClientMetadata) -> list[etree._Element]:
    """The contents of `root`, a tree without comments, for a client: copies in document order, conditions replaced."""
    found: list[etree._Element] = []
    for child in root:
        if is_conditional(child):
            if condition_holds(child, metadata):
                found += match_elements(child, metadata)
        else:
            found.append(_match_copy(child, metadata))
    return found


def _match_copy(element: etree._Element, metadata: ClientMetadata) -> etree._Element:
    if not len(element):
        new = copy.copy(element)
        new.tail = None
        return new
    new = etree.Element(element.tag, dict(element.items()), element.nsmap)  # type: ignore[arg-type]  # None is a prefix
    new.text = element.text
    new.extend(match_elements(element, metadata))
    return new


def xml_match_in_place(
    element: etree._Element, metadata: ClientMetadata, is_condition: Callable[[etree._Element], bool] = is_conditional
) -> None:
    """Take the conditions below an element away, as `StructFile.xml_match` describes it.

    `is_condition` says which elements are conditions, for files in which not every Group is one.
    """
    conditionals = []
    for child in list(element):
        if is_condition(child):
            conditionals.append(child)
            element.remove(child)
        elif len(child):
            xml_match_in_place(child, metadata, is_condition)
    for conditional in conditionals:
        _append_contents(conditional, element, metadata, is_condition)


def _append_contents(
    conditional: etree._Element,
    parent: etree._Element,
    metadata: ClientMetadata,
    is_condition: Callable[[etree._Element], bool],
) -> None:
    if not condition_holds(conditional, metadata):
        return
    if conditional.text:
        parent.text = (parent.text or "") + conditional.text
    for child in list(conditional):
        if is_condition(child):
            _append_contents(child, parent, metadata, is_condition)
        else:
            parent.append(child)
            if len(child):
                xml_match_in_place(child, metadata, is_condition)


@dataclass(frozen=True, eq=False)
class Struct:
    """One state of a structured file: a tree without comments, and the names that its conditions ask for."""

    root: etree._Element
    conditional: bool
    _group_names: frozenset[str | None]
    _client_names: frozenset[str | None]
    _variants: dict[tuple[object, object], etree._Element] = field(default_factory=dict)

    @classmethod
    def of(cls, root: etree._Element) -> Struct:
        """Takes the tree over: the caller must not use it any more."""
        etree.strip_tags(root, etree.Comment, etree.ProcessingInstruction)
        groups = frozenset(element.get("name") for element in root.iter("Group"))
        clients = frozenset(element.get("name") for element in root.iter("Client"))
        return cls(root, bool(groups or clients), groups, clients)

    def xml_match(self, metadata: ClientMetadata) -> etree._Element:
        """A fresh tree for a client."""
        if not self.conditional:
            return copy.deepcopy(self.root)
        # Clients of which the same conditions hold get the same.
        hostname = metadata.hostname if metadata.hostname in self._client_names else None
        holding = (self._group_names.intersection(metadata.groups), hostname)
        matched = self._variants.get(holding)
        if matched is None:
            matched = copy.deepcopy(self.root)
            xml_match_in_place(matched, metadata)
            if len(self._variants) >= self._most_variants:
                self._variants.clear()
            self._variants[holding] = matched
        return copy.deepcopy(matched)

    @functools.cached_property
    def _most_variants(self) -> int:
        """How many are kept, so that a file with many conditions takes little more than one with few."""
        return max(1, min(MAX_VARIANTS, MAX_VARIANT_ELEMENTS // sum(1 for _ in self.root.iter())))


class StructFile(XMLFile):
    """A structured file of the repository, loaded again whenever it changes."""

    def __init__(
        self,
        path: Path,
        context: PluginContext,
        on_load: Callable[[XMLDocument], None] | None = None,
        monitor_self: bool = True,
    ) -> None:
        self.context = context
        self._load_hook = on_load
        self._static: Struct | None = None
        self._template: XMLTemplate | None = None
        self._rendered: dict[bytes, Struct] = {}
        self._rendered_with: object = None
        super().__init__(path, context.file_monitor, self._prepare, monitor_self)

    def _prepare(self, document: XMLDocument) -> None:
        root = document.root
        template = None
        if self.path.suffix == ".genshi" or root.nsmap.get("py") == GENSHI_NAMESPACE:
            template = load_xml_template("genshi", self.path, self.context.encoding)
        # A template is decrypted when it is rendered; but what is wrong with it is said now.
        self._decrypt(root, skip_plain=template is not None)
        # Only what has comments is kept twice; the two are trees that nobody changes.
        comment = next(root.iter(etree.Comment, etree.ProcessingInstruction), None)
        static = Struct.of(root if comment is None else copy.deepcopy(root))
        if self._load_hook is not None:
            self._load_hook(document)
        self._template, self._static = template, static

    def _decrypt(self, root: etree._Element, skip_plain: bool = False) -> None:
        decrypt_elements(root, self.path, self.context.settings, self.context.encoding, skip_plain=skip_plain)

    @property
    def is_template(self) -> bool:
        """Whether the content is rendered for each client."""
        return self._template is not None

    @property
    def static(self) -> Struct | None:
        """The content if it is the same for every client, conditions apart; None for a template."""
        return self._static if self._template is None else None

    @property
    def root(self) -> etree._Element:
        """The root as it stands in the file, includes resolved; `RepositoryError` if the file was never good."""
        if self.document is None:
            raise RepositoryError(f"{self.path}: there is no usable version of this file")
        return self.document.root

    def template_variables(self, metadata: ClientMetadata) -> dict[str, Any]:
        """The variables of an XML template: ``metadata``, ``repo``, and what providers give; the first one wins."""
        variables: dict[str, Any] = {"metadata": metadata, "repo": str(self.context.repository)}
        for provider in self.context.plugins_by_type(TemplateDataProvider):
            for name, value in provider.get_xml_template_data(self, metadata).items():
                if name in variables:
                    log.warning("%s: template variable %s is provided twice; the first one is used", self.path, name)
                else:
                    variables[name] = value
        return variables

    def struct(self, metadata: ClientMetadata) -> Struct:
        """The content for a client before conditions are evaluated; `RepositoryError` or `TemplateError` if none.

        A template is rendered once for each metadata object.
        """
        template, static = self._template, self._static
        if template is None:
            if static is None:
                raise RepositoryError(f"{self.path}: there is no usable version of this file")
            return static
        rendered = metadata.scratch.get(template)
        if rendered is None:
            rendered = self._parse_rendered(template.render(self.template_variables(metadata)))
            metadata.scratch[template] = rendered
        result: Struct = rendered
        return result

    def _parse_rendered(self, text: bytes) -> Struct:
        """What a template has become, as a tree; the same text gives the same one."""
        settings = self.context.settings
        if self._rendered_with is not settings or len(self._rendered) > MAX_RENDERINGS:
            self._rendered_with, self._rendered = settings, {}
        rendered = self._rendered.get(text)
        if rendered is None:
            try:
                root = etree.fromstring(text, repository_parser(remove_comments=True))
            except etree.XMLSyntaxError as err:
                raise RepositoryError(f"{self.path}: the rendered template is not well-formed: {err.msg}") from err
            self._decrypt(root)
            rendered = self._rendered[text] = Struct.of(root)
        return rendered

    def match(self, metadata: ClientMetadata) -> list[etree._Element]:
        """What the file holds for a client, as a list of fresh elements in document order."""
        return match_elements(self.struct(metadata).root, metadata)

    def xml_match(self, metadata: ClientMetadata) -> etree._Element:
        """What the file holds for a client, as a fresh tree."""
        return self.struct(metadata).xml_match(metadata)
