"""What an entry is called."""

from __future__ import annotations

from lxml import etree


def requested_name(entry: etree._Element) -> str:
    """The name under which the client gets the entry: with ``altsrc`` that is ``realname`` while it is bound."""
    name = entry.get("realname")
    return entry.get("name", "") if name is None else name
