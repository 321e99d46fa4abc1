"""Conditional elements: ``<Group name=…>`` and ``<Client name=…>``, each with an optional ``negate="true"``.

Their content applies only to clients that meet the condition.
"""

from __future__ import annotations

from lxml import etree

from geventcore.plugin.client_metadata import ClientMetadata

CONDITIONAL_TAGS = frozenset({"Group", "Client"})


def is_conditional(element: etree._Element) -> bool:
    """Return true if an element is a condition and not data."""
    return element.tag in CONDITIONAL_TAGS


def condition_holds(element: etree._Element, metadata: ClientMetadata) -> bool:
    """Return true if a client meets the condition of a conditional element."""
    name = element.get("name")
    holds = name in metadata.groups if element.tag == "Group" else name == metadata.hostname
    return holds != (element.get("negate", "false").lower() == "true")
