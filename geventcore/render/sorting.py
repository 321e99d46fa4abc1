"""The order of a configuration: the children of every element by name, unnamed ones first. The sort is stable."""

from __future__ import annotations

from lxml import etree


def sort_key(element: etree._Element) -> str:
    """Return the sort key of an element: its name, or the empty text, which sorts before every name."""
    return element.get("name", "")


def sort_children(element: etree._Element) -> None:
    """Sort everything below an element."""
    children = list(element)
    for child in children:
        if len(child):
            sort_children(child)
    if len(children) > 1:
        ordered = sorted(children, key=sort_key)
        if ordered != children:
            element[:] = ordered
