"""The order of a configuration: the children of every element by name, unnamed ones first; equal ones keep theirs."""

from __future__ import annotations

from lxml import etree


def sort_key(element: etree._Element) -> str:
    """What an element is sorted by. A name never sorts before the empty text."""
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
