"""The name of an entry."""

from __future__ import annotations

from lxml import etree


def requested_name(entry: etree._Element) -> str:
    """Return the name under which the client gets the entry: during binding with ``altsrc`` it is ``realname``."""
    name = entry.get("realname")
    return entry.get("name", "") if name is None else name
