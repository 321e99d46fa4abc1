"""XML Schemas of the table in `schema_table`: ``python -m geventcore.tools.lint.schema_writer`` writes the files."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from geventcore.tools.lint.schema_table import BUILTIN, ENUMERATIONS, PATTERNS, SCHEMAS, Element, Schema

#: The directory of the schemas that belong to the package.
SCHEMA_DIRECTORY = Path(__file__).parent / "schemas"

_XS = "http://www.w3.org/2001/XMLSchema"
_GENSHI = "http://genshi.edgewall.org/"
_XINCLUDE = "http://www.w3.org/2001/XInclude"
_XML = "http://www.w3.org/XML/1998/namespace"


def _add(parent: etree._Element, tag: str, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{_XS}}}{tag}", attributes)


def schema_text(schema: Schema) -> bytes:
    """Return the XML Schema of a kind of files."""
    root = etree.Element(f"{{{_XS}}}schema", nsmap={"xs": _XS}, elementFormDefault="qualified")
    annotation = _add(root, "annotation")
    _add(annotation, "documentation").text = f"{schema.about}. Made from geventcore/tools/lint/schema_table.py."
    used: set[str] = set()
    names = {name: kind for element in schema.elements.values() for name, kind in element.child_types()}
    # A type for several names must not hide the type that has the element's own name.
    names |= {name: name for name in (*schema.roots, *names) if name in schema.elements}
    for name, kind in sorted(names.items()):
        # Children of Genshi's elements are found among these.
        _add(root, "element", name=name, type=kind)
    for kind, element in schema.elements.items():
        _write_type(root, kind, element, used)
    for name in sorted(used):
        _write_values(root, name)
    return etree.tostring(root, pretty_print=True, xml_declaration=True, encoding="UTF-8")


def _write_type(root: etree._Element, kind: str, element: Element, used: set[str]) -> None:
    attributes = {"mixed": "true"} if element.has_text else {}
    written = _add(root, "complexType", name=kind, **attributes)
    least = "1" if element.needs_child else "0"
    if element.one_kind:
        choice = _add(written, "choice", minOccurs="0")
        once = element.children.partition("|")[0].split()
        for name, child in element.child_types():
            limit = {} if name in once else {"maxOccurs": "unbounded"}
            _add(choice, "element", name=name, type=child, **limit)
    else:
        choice = _add(written, "choice", minOccurs=least, maxOccurs="unbounded")
        for name, child in element.child_types():
            _add(choice, "element", name=name, type=child)
    if len(choice) or element.has_text:
        for namespace in (_GENSHI, _XINCLUDE):
            limit = {"maxOccurs": "unbounded"} if element.one_kind else {}
            _add(choice, "any", namespace=namespace, processContents="lax", **limit)
    else:
        written.remove(choice)
    for word in element.attributes.split():
        name, _, value = word.partition(":")
        required = name.endswith("!")
        limit = {"use": "required"} if required else {}
        _add(written, "attribute", name=name.rstrip("!"), type=_value_type(value, used), **limit)
    allowed = "##any" if element.any_attribute else f"{_GENSHI} {_XML}"
    _add(written, "anyAttribute", namespace=allowed, processContents="skip")


def _value_type(name: str, used: set[str]) -> str:
    if not name:
        return "xs:string"
    if name in BUILTIN:
        return f"xs:{BUILTIN[name]}"
    used.add(name)
    return f"{name}Value"


def _write_values(root: etree._Element, name: str) -> None:
    restriction = _add(_add(root, "simpleType", name=f"{name}Value"), "restriction", base="xs:string")
    if name in PATTERNS:
        _add(restriction, "pattern", value=PATTERNS[name])
    else:
        for value in ENUMERATIONS[name].split():
            _add(restriction, "enumeration", value=value)


def write_schemas(directory: Path = SCHEMA_DIRECTORY) -> None:
    """Write all schemas to a directory."""
    for name, schema in SCHEMAS.items():
        (directory / name).write_bytes(schema_text(schema))


if __name__ == "__main__":
    write_schemas()
