"""The options of Properties."""

from __future__ import annotations

from geventcore.options import Option, types

WRITES_ENABLED = Option(
    "properties",
    "writes_enabled",
    types.BOOLEAN,
    True,
    "Whether templates may write property files.\n\nWithout it a template that calls write() fails.",
)

AUTOMATCH = Option(
    "properties",
    "automatch",
    types.BOOLEAN,
    False,
    "Whether templates get the matched data of an XML file instead of an object with all of it.\n\n"
    "The attribute automatch of a file's root element overrides this.",
)
