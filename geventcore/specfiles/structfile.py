"""XML files whose content depends on the client: conditions, templates, encrypted elements.

A file is a template if its name ends in ``.genshi`` or its root binds the prefix ``py`` to Genshi's namespace; it is
then rendered for each client. There are two views of the result, both without the conditions (docs:
reference/repository, "Conditions"):

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
from geventcore.options import Settings
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import TemplateDataProvider
from geventcore.plugin.recording import ADDRESS, RECORDER, Recorder, note_untracked, recorder_of
from geventcore.plugin.result_store import Results
from geventcore.repository.derived import Derived
from geventcore.specfiles.conditions import condition_holds, is_conditional
from geventcore.specfiles.encrypted_elements import decrypt_elements
from geventcore.specfiles.xmlfile import XMLDocument, XMLFile, repository_parser
from geventcore.templating import XMLTemplate, load_xml_template

log = logging.getLogger(__name__)

#: The number of trees for different clients that are cached for one file, and the number of their elements in all.
MAX_VARIANTS = 64
MAX_VARIANT_ELEMENTS = 20_000
#: The number of renderings of one template that are cached as trees. Many templates give most clients the same text.
MAX_RENDERINGS = 8

GENSHI_NAMESPACE = "http://genshi.edgewall.org/"


def match_elements(root: etree._Element, metadata: ClientMetadata) -> list[etree._Element]:
    """Return the contents of `root`, a tree without comments, for a client.

    The elements are copies in document order; each condition is replaced by its contents.
    """
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
    """Resolve the conditions below an element in place, in the order of `StructFile.xml_match`.

    `is_condition` identifies the conditions, for files in which not every Group is one.
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
    """One version of a structured file: a tree without comments, and the names in its conditions."""

    root: etree._Element
    conditional: bool
    _group_names: frozenset[str | None]
    _client_names: frozenset[str | None]
    _variants: dict[tuple[object, object], etree._Element] = field(default_factory=dict)

    @classmethod
    def of(cls, root: etree._Element) -> Struct:
        """Create a version from a tree, which the caller must not use afterwards."""
        etree.strip_tags(root, etree.Comment, etree.ProcessingInstruction)
        groups = frozenset(element.get("name") for element in root.iter("Group"))
        clients = frozenset(element.get("name") for element in root.iter("Client"))
        return cls(root, bool(groups or clients), groups, clients)

    def xml_match(self, metadata: ClientMetadata) -> etree._Element:
        """Return a fresh tree for a client."""
        if not self.conditional:
            return copy.deepcopy(self.root)
        # Clients that meet the same conditions get copies of the same tree.
        hostname = metadata.hostname if metadata.hostname in self._client_names else None
        holding = (metadata.groups_among(self._group_names), hostname)
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
        """The number of cached trees, which is lower for a large file, so that its cache stays small."""
        return max(1, min(MAX_VARIANTS, MAX_VARIANT_ELEMENTS // sum(1 for _ in self.root.iter())))


def _size(struct: Struct) -> int:
    return 300 * sum(1 for _ in struct.root.iter()) + 500


class StructFile(XMLFile):
    """A structured file of the repository, which is reloaded whenever it changes."""

    def __init__(
        self,
        path: Path,
        context: PluginContext,
        on_load: Callable[[XMLDocument], None] | None = None,
        monitor_self: bool = True,
        default: bytes | None = None,
    ) -> None:
        """See `XMLFile`; `default` is the content of a missing file that a read-only command does not create."""
        self.context = context
        self._load_hook = on_load
        self._static: Struct | None = None
        if default is not None and context.read_only and not path.exists():
            self._static = Struct.of(etree.fromstring(default))
        self._template: XMLTemplate | None = None
        self._rendered: Derived[Settings, dict[bytes, Struct]] = Derived(lambda _: {})
        self._results = Results(context.results)
        self._settings_version: Derived[Settings, object] = Derived(lambda _: object())
        super().__init__(path, context.file_monitor, self._prepare, monitor_self)

    def _prepare(self, document: XMLDocument) -> None:
        root = document.root
        template = None
        if self.path.suffix == ".genshi" or root.nsmap.get("py") == GENSHI_NAMESPACE:
            template = load_xml_template("genshi", self.path, self.context.encoding)
        # A template is decrypted when it is rendered, but its errors are reported when it is loaded.
        self._decrypt(root, skip_plain=template is not None)
        # A file without comments needs no second tree: neither tree is ever changed.
        comment = next(root.iter(etree.Comment, etree.ProcessingInstruction), None)
        static = Struct.of(root if comment is None else copy.deepcopy(root))
        if self._load_hook is not None:
            self._load_hook(document)
        self._template, self._static = template, static
        self._results = Results(self.context.results)

    def _decrypt(self, root: etree._Element, skip_plain: bool = False) -> None:
        decrypt_elements(root, self.path, self.context.settings, self.context.encoding, skip_plain=skip_plain)

    @property
    def is_template(self) -> bool:
        """Return true if the content is rendered for each client."""
        return self._template is not None

    @property
    def static(self) -> Struct | None:
        """The content before conditions are evaluated; None for a template."""
        return self._static if self._template is None else None

    @property
    def root(self) -> etree._Element:
        """The root of the file with includes resolved; `RepositoryError` if no version of the file was valid."""
        if self.document is None:
            raise RepositoryError(f"{self.path}: there is no usable version of this file")
        return self.document.root

    def template_variables(self, metadata: ClientMetadata) -> dict[str, Any]:
        """Return the variables of an XML template: ``metadata``, ``repo``, and those of providers; the first wins."""
        variables: dict[str, Any] = {"metadata": metadata, "repo": str(self.context.repository)}
        for provider in self.context.plugins_by_type(TemplateDataProvider):
            for name, value in provider.get_xml_template_data(self, metadata).items():
                if name in variables:
                    log.warning("%s: two plugins provide the template variable %s; using the first", self.path, name)
                else:
                    variables[name] = value
        return variables

    def struct(self, metadata: ClientMetadata) -> Struct:
        """Return the content for a client before conditions are evaluated; `RepositoryError` or `TemplateError`.

        A template is rendered once for each metadata object.
        """
        template, static = self._template, self._static
        if template is None:
            if static is None:
                raise RepositoryError(f"{self.path}: there is no usable version of this file")
            return static
        outer = recorder_of(metadata)
        kept: tuple[Struct, Recorder] | None = metadata.scratch.get(template)
        if kept is None:
            own = Recorder()
            metadata.scratch[RECORDER] = own
            try:
                kept = metadata.scratch[template] = self._render(template, metadata), own
            finally:
                if outer is None:
                    del metadata.scratch[RECORDER]
                else:
                    metadata.scratch[RECORDER] = outer
                    outer.add(own)
        elif outer is not None:
            outer.add(kept[1])
        return kept[0]

    def _render(self, template: XMLTemplate, metadata: ClientMetadata) -> Struct:
        settings = self.context.settings

        def render(client: ClientMetadata) -> Struct:
            text = template.render({**variables, "metadata": client})
            if ADDRESS.search(text.decode("utf-8", "replace")):
                note_untracked(client, f"{self.path}: it shows the address of an object")
            return self._parse_rendered(text)

        variables = self.template_variables(metadata)
        reason = template.impurity
        if not reason and template.names.intersection(variables) - {"metadata", "repo"}:
            reason = "it uses variables of a plugin"
        if not reason:
            return self._results.get(self._settings_version.get(settings), metadata, render, _size)
        note_untracked(metadata, f"{self.path}: {reason}")
        return render(metadata)

    def _parse_rendered(self, text: bytes) -> Struct:
        """Parse the text of a rendered template; equal texts share a tree."""
        kept = self._rendered.get(self.context.settings)
        rendered = kept.get(text)
        if rendered is None:
            if len(kept) > MAX_RENDERINGS:
                kept.clear()
            try:
                root = etree.fromstring(text, repository_parser(remove_comments=True))
            except etree.XMLSyntaxError as err:
                raise RepositoryError(f"{self.path}: the rendered template is not well-formed: {err.msg}") from err
            self._decrypt(root)
            rendered = kept[text] = Struct.of(root)
        return rendered

    def element_places(self, metadata: ClientMetadata) -> list[tuple[str, str, int]]:
        """Return the local name, the file and the line of each element that a template makes, in document order.

        The list is empty if the file is no template. `TemplateError` if the template fails.
        """
        template = self._template
        return [] if template is None else template.element_places(self.template_variables(metadata))

    def match(self, metadata: ClientMetadata) -> list[etree._Element]:
        """Return the file's content for a client, as a list of fresh elements in document order."""
        return match_elements(self.struct(metadata).root, metadata)

    def xml_match(self, metadata: ClientMetadata) -> etree._Element:
        """Return the file's content for a client, as a fresh tree."""
        return self.struct(metadata).xml_match(metadata)
