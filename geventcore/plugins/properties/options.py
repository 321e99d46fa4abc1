"""The options of Properties."""

from __future__ import annotations

from geventcore.options import Option, types

WRITES_ENABLED = Option(
    "properties",
    "writes_enabled",
    types.BOOLEAN,
    True,
    "Allow templates to write property files.\n\nOtherwise a template that calls write() fails.",
)

AUTOMATCH = Option(
    "properties",
    "automatch",
    types.BOOLEAN,
    False,
    "Give templates the data of an XML file for the client, instead of an object with the whole file.\n\n"
    "The attribute automatch of a file's root element overrides this.",
)
