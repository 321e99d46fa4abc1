"""Values of clients' texts, for templates: nothing that a client sends can make another client's render fail.

Clients send JSON, YAML and XML, and templates read it, also for other clients. So a value has no character that XML
does not allow, is not nested deeply, has no cycle, and is not larger than its text: YAML can repeat a part by name, so
that a kilobyte becomes gigabytes.
"""

from __future__ import annotations

import importlib
import json
from typing import Any

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.specfiles.xmltext import replace_illegal

#: The limit on nesting. Real data have less than 20 levels; copying 300 levels needs most of Python's stack.
MAX_DEPTH = 100
#: The limit on a YAML text, in characters: PyYAML takes seconds for it, in the render of whoever reads it.
MAX_YAML = 1024 * 1024
#: The limit on a number, in bits: Python refuses to print longer ones.
MAX_BITS = 10_000


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text; `ValueError` if it is not usable."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    return harmless(value, len(text))


def parse_yaml(text: str) -> Any:
    """Return the value of a YAML text; `ValueError` if it is not usable, `PluginExecutionError` without PyYAML."""
    try:
        yaml = importlib.import_module("yaml")
    except ImportError as err:
        raise PluginExecutionError(
            "a template reads probe data as YAML, which needs PyYAML: install geventcore[yaml]"
        ) from err
    if len(text) > MAX_YAML:
        raise ValueError(f"the YAML is longer than {MAX_YAML} characters")
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
        try:
            node = loader.get_single_node()
            # Before construction, which expands merged mappings and may take for ever.
            _check_size(node, _budget(len(text)))
            value = None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    # PyYAML raises AttributeError, IndexError, KeyError, TypeError and others for tags that do not fit their values.
    except Exception as err:
        raise ValueError(f"not YAML: {type(err).__name__}: {' '.join(str(err).split())}") from err
    return harmless(value, len(text))


def parse_xml(text: str) -> etree._Element:
    """Return the root element of an XML text without comments and instructions; `ValueError` if it is not usable."""
    # A declaration in the text may name an encoding that is no longer correct.
    parser = etree.XMLParser(
        encoding="utf-8",
        no_network=True,
        load_dtd=False,
        resolve_entities=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError) as err:
        raise ValueError(f"not XML: {err}") from err
    if root.getroottree().docinfo.internalDTD is not None:
        raise ValueError("not usable: the XML declares a document type, which may define entities")
    return root


def _budget(text_length: int) -> int:
    """Return the limit on the objects of a value. Some texts repeat parts on purpose."""
    return 10 * text_length + 1000


def _check_size(node: Any, limit: int) -> None:
    """Raise `ValueError` if a YAML node has more than `limit` nodes, counting repeated ones each time, or a cycle."""
    sizes: dict[int, int] = {}

    def size(item: Any, depth: int) -> int:
        if depth > MAX_DEPTH:
            raise ValueError(f"nested in more than {MAX_DEPTH} levels")
        known = sizes.get(id(item))
        if known is not None:
            return known
        children = item.value if isinstance(item.value, list) else []
        total = 1 + sum(
            sum(size(part, depth + 1) for part in child) if isinstance(child, tuple) else size(child, depth + 1)
            for child in children
        )
        if total > limit:
            raise ValueError("its value is larger than the text")
        sizes[id(item)] = total
        return total

    if node is not None:
        size(node, 0)


def harmless(value: Any, text_length: int) -> Any:
    """Return a value without illegal characters; `ValueError` if it is too deep, or larger than a text of this length.

    Each object takes at least a character of the text, unless the text repeats a part by name.
    """
    budget = [_budget(text_length)]

    def copy(item: Any, depth: int) -> Any:
        budget[0] -= 1
        if depth > MAX_DEPTH:
            raise ValueError(f"nested in more than {MAX_DEPTH} levels")
        if budget[0] < 0:
            raise ValueError("its value is larger than the text")
        if isinstance(item, str):
            return replace_illegal(item)
        if isinstance(item, int) and item.bit_length() > MAX_BITS:
            raise ValueError("it has a number with thousands of digits")
        if isinstance(item, dict):
            return {copy(key, depth + 1): copy(inner, depth + 1) for key, inner in item.items()}
        if isinstance(item, list):
            return [copy(inner, depth + 1) for inner in item]
        if isinstance(item, tuple):
            return tuple(copy(inner, depth + 1) for inner in item)
        if isinstance(item, set | frozenset):
            return {copy(inner, depth + 1) for inner in item}
        return item

    return copy(value, 0)
