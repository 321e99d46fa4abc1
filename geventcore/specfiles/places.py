"""The places of elements in structured files: file and line, and the conditions around them.

lxml copies the line of an element with it, but not its file. So an included element is looked up in the files that
were included: the one that has an equal element at its line. The elements of a template have the places that the
engine reports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lxml import etree

from geventcore.errors import GeventcoreError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.explanation import Condition, Obstacle, Read, Source
from geventcore.regular_files import read_text
from geventcore.specfiles.conditions import condition_holds, is_conditional
from geventcore.specfiles.structfile import StructFile
from geventcore.specfiles.template_reads import reads_in
from geventcore.specfiles.xmlfile import XMLDocument, repository_parser

_PY = "{http://genshi.edgewall.org/}"

Place = tuple[str, int | None]


def line_of(element: etree._Element) -> int | None:
    """Return the line of an element in its file; None if it is unknown."""
    line = element.sourceline
    return line if isinstance(line, int) else None


class DocumentPlaces:
    """The places of the elements of a document, includes resolved."""

    def __init__(self, document: XMLDocument) -> None:
        self._path = str(document.path)
        self._includes = [str(path) for path in document.includes]
        self._found: dict[str, dict[int, list[etree._Element]]] = {}

    def of(self, element: etree._Element) -> Place:
        """Return the file and the line of an element, or of a copy of it."""
        line = line_of(element)
        if line is not None and self._includes:
            for path in (self._path, *self._includes):
                if any(_is_equal(found, element) for found in self._lines(path).get(line, ())):
                    return path, line
        return self._path, line

    def _lines(self, path: str) -> dict[int, list[etree._Element]]:
        lines = self._found.get(path)
        if lines is None:
            lines = self._found[path] = {}
            try:
                root = etree.parse(path, repository_parser()).getroot()
            except (OSError, etree.XMLSyntaxError):
                return lines
            for element in root.iter(etree.Element):
                lines.setdefault(line_of(element) or 0, []).append(element)
        return lines


def _is_equal(one: etree._Element, other: etree._Element) -> bool:
    return one.tag == other.tag and dict(one.items()) == dict(other.items())


def source_of_child(child: etree._Element, parent: Source) -> Source:
    """Return the source of an element that was copied from a place, given the source of the element around it."""
    line = line_of(child)
    if parent.file and line is not None:
        try:
            root = etree.parse(parent.file, repository_parser()).getroot()
        except (OSError, etree.XMLSyntaxError):
            return parent
        if any(line_of(found) == line and _is_equal(found, child) for found in root.iter(str(child.tag))):
            return replace(parent, line=line)
    return parent


@dataclass(frozen=True)
class Node:
    """An element that a client gets, or would get if the conditions held.

    Attributes:
        element: the element in the file; it must not be changed.
        conditions: the conditional elements around it, outermost first.
        children: its own contents for the client.
    """

    element: etree._Element
    conditions: tuple[etree._Element, ...]
    children: tuple[Node, ...] = ()


def matched_nodes(
    parent: etree._Element,
    metadata: ClientMetadata,
    is_condition: Callable[[etree._Element], bool] = is_conditional,
    conditions: tuple[etree._Element, ...] = (),
) -> list[Node]:
    """Return the contents of an element for a client, in the order of `StructFile.xml_match`."""
    nodes, conditionals = [], []
    for child in parent.iterchildren(etree.Element):
        if is_condition(child):
            conditionals.append(child)
        else:
            nodes.append(Node(child, conditions, tuple(matched_nodes(child, metadata, is_condition, conditions))))
    for conditional in conditionals:
        nodes += _contents(conditional, metadata, is_condition, conditions)
    return nodes


def _contents(
    conditional: etree._Element,
    metadata: ClientMetadata,
    is_condition: Callable[[etree._Element], bool],
    conditions: tuple[etree._Element, ...],
) -> list[Node]:
    if not condition_holds(conditional, metadata):
        return []
    inner = (*conditions, conditional)
    nodes = []
    for child in conditional.iterchildren(etree.Element):
        if is_condition(child):
            nodes += _contents(child, metadata, is_condition, inner)
        else:
            nodes.append(Node(child, inner, tuple(matched_nodes(child, metadata, is_condition, inner))))
    return nodes


def all_nodes(parent: etree._Element, conditions: tuple[etree._Element, ...] = ()) -> Iterator[Node]:
    """Yield every element below another one with the conditions around it, whether they hold or not."""
    for child in parent.iterchildren(etree.Element):
        if is_conditional(child):
            yield from all_nodes(child, (*conditions, child))
        else:
            yield Node(child, conditions)
            yield from all_nodes(child, conditions)


class StructPlaces:
    """The places of the elements of a structured file for one client.

    Attributes:
        root: the tree for the client before conditions are evaluated. It must not be changed.
    """

    def __init__(self, file: StructFile, metadata: ClientMetadata, plugin: str) -> None:
        """`RepositoryError` or `TemplateError` if the file has no content for the client."""
        self._file = file
        self._metadata = metadata
        self._plugin = plugin
        self.root = file.struct(metadata).root
        document = file.document
        self._document = DocumentPlaces(document) if document is not None else None
        self._rendered: dict[etree._Element, Place] | None = None
        if file.is_template:
            self._rendered = self._rendered_places()

    def _rendered_places(self) -> dict[etree._Element, Place]:
        try:
            places = self._file.element_places(self._metadata)
        except GeventcoreError:
            return {}
        elements = list(self.root.iter(etree.Element))
        tags = [etree.QName(element).localname for element in elements]
        # A template that gives something else each time has no places.
        if tags != [tag for tag, _, _ in places]:
            return {}
        return {element: (file, line) for element, (_, file, line) in zip(elements, places, strict=True)}

    def of(self, element: etree._Element) -> Place:
        """Return the file and the line of an element in `root`."""
        if self._rendered is not None:
            return self._rendered.get(element, (str(self._file.path), None))
        return self._document.of(element) if self._document is not None else (str(self._file.path), None)

    def condition(self, element: etree._Element) -> Condition:
        """Return a conditional element as a condition."""
        return condition_of(element, condition_holds(element, self._metadata), self.of(element)[1])

    def source(self, node: Node, kind: str = "attribute", text: str = "") -> Source:
        """Return the source of an element."""
        file, line = self.of(node.element)
        reads: tuple[Read, ...] = ()
        if self._rendered is not None:
            reads = _reads_of_element(file, line, self._metadata)
            text = text or "made by the template"
        return Source(
            self._plugin,
            kind,
            file,
            line,
            text,
            tuple(map(self.condition, node.conditions)),
            reads,
            is_secret=_is_encrypted(node.element),
        )


def _is_encrypted(element: etree._Element) -> bool:
    return any(found.get("encrypted") for found in (element, *element.iterancestors()))


def condition_of(element: etree._Element, holds: bool, line: int | None) -> Condition:
    """Return a conditional element as a condition."""
    negated = element.get("negate", "false").lower() == "true"
    return Condition(str(element.tag), element.get("name", ""), negated, holds, line)


def _reads_of_element(file: str, line: int | None, metadata: ClientMetadata) -> tuple[Read, ...]:
    """Return the reads of metadata in a template's element at a line, and in the directives around it."""
    if line is None:
        return ()
    try:
        text = read_text(Path(file), errors="replace")
        root = etree.parse(file, etree.XMLParser(resolve_entities=False, no_network=True)).getroot()
    except (OSError, etree.XMLSyntaxError):
        return ()
    lines = text.split("\n")
    found: dict[Read, None] = {}
    element = next((each for each in root.iter(etree.Element) if line_of(each) == line), None)
    if element is None:
        return ()
    for each in (*reversed(list(element.iterancestors())), element):
        is_directive = str(each.tag).startswith(_PY) or any(str(name).startswith(_PY) for name in each.keys())  # noqa: SIM118
        if each is not element and not is_directive:
            continue
        start = line_of(each) or 1
        found.update(dict.fromkeys(reads_in(_start_tag(lines, start), file, metadata, start)))
    # What stands inside of the element, too.
    end = line + etree.tostring(element, encoding="unicode", with_tail=False).count("\n")
    found.update(dict.fromkeys(reads_in("\n".join(lines[line - 1 : end]), file, metadata, line)))
    return tuple(found)


_TAG_END = re.compile(r"<[^<>]*?>", re.DOTALL)


def _start_tag(lines: list[str], start: int) -> str:
    """Return the text of the start tags that begin in a line."""
    text = "\n".join(lines[start - 1 : start + 20])
    first_line, _, _ = text.partition("\n")
    end = len(first_line)
    for match in _TAG_END.finditer(text):
        if match.start() <= len(first_line):
            end = max(end, match.end())
    return text[:end]


def obstacles_in(
    file: StructFile, metadata: ClientMetadata, plugin: str, tag: str, name: str, bundle: str = ""
) -> list[Obstacle]:
    """Return the elements of a file that define an entry, with the conditions around each that do not hold."""
    try:
        places = StructPlaces(file, metadata, plugin)
    # A template of the site may raise anything; the build has logged it.
    except Exception:  # noqa: BLE001
        return []
    found = [_obstacle(node, places, bundle) for node in all_nodes(places.root) if _names(node.element, tag, name)]
    if not found and file.is_template and file.document is not None:
        # The template makes the entry for other clients, or never.
        document = DocumentPlaces(file.document)
        for element in file.document.root.iter(etree.Element):
            if _names(element, tag, name):
                path, line = document.of(element)
                source = Source(plugin, "attribute", path, line)
                around = _directives(element)
                found.append(Obstacle(source, f"the template does not make it for this host{around}", bundle))
    return found


def _obstacle(node: Node, places: StructPlaces, bundle: str) -> Obstacle:
    source = places.source(node)
    failed = tuple(condition for condition in source.conditions if not condition.holds)
    return Obstacle(source, " and ".join(map(why_not, failed)), bundle, failed, len(failed))


def why_not(condition: Condition) -> str:
    """Return why a client does not meet a condition, in a sentence."""
    if condition.tag == "Group":
        state = "is in the group" if condition.negated else "is not in the group"
        return f"the host {state} {condition.name}"
    if condition.tag == "Path":
        return f"it is {'not ' if condition.negated else ''}for the path {condition.name} only"
    return (
        f"it is not for the host {condition.name}" if condition.negated else f"it is for the host {condition.name} only"
    )


def _names(element: etree._Element, tag: str, name: str) -> bool:
    return str(element.tag).removeprefix("Bound") == tag and element.get("name") == name


def _directives(element: etree._Element) -> str:
    found = []
    for each in (element, *element.iterancestors()):
        for key, value in each.items():
            if str(key).startswith(_PY) or str(each.tag).startswith(_PY):
                found.append(f"{str(key).removeprefix(_PY)} {value!s}")
    return f" (under {'; '.join(reversed(found))})" if found else ""
