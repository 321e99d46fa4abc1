"""The form of a configuration in which two that mean the same to a client are equal.

The rules are those of Bcfg2's client: it reads modes as octal numbers, compares yes-or-no attributes without regard to
case, takes a missing one as "no", and takes the encoding ``ascii`` as none. The order of entries has no meaning.
"""

from __future__ import annotations

from lxml import etree

#: Yes-or-no attributes of ``Path`` that are "no" if they are missing.
_NO_BY_DEFAULT = ("important", "sensitive", "paranoid", "empty", "recursive")
#: Encodings of a text that need no decoding.
_PLAIN_ENCODINGS = frozenset({"ascii", "utf-8"})


def normalised(configuration: etree._Element) -> etree._Element:
    """Change a configuration to its normal form, and return it."""
    for entry in configuration.iter(etree.Element):
        if entry.tag == "Path":
            _normalise_path(entry)
        if entry.get("failure") is not None:
            # The servers say the same in other words.
            entry.set("failure", "yes")
        if len(entry) and not (entry.text or "").strip():
            entry.text = None
        entry.tail = None
        attributes = sorted((str(name), str(value)) for name, value in entry.items())
        entry.attrib.clear()
        entry.attrib.update(attributes)
    return configuration


def _normalise_path(entry: etree._Element) -> None:
    mode = entry.get("mode")
    if mode is not None and mode.isascii() and mode.isdigit():
        entry.set("mode", mode.lstrip("0") or "0")
    for name in _NO_BY_DEFAULT:
        value = entry.get(name)
        if value is None:
            continue
        if value.lower() == "true":
            entry.set(name, "true")
        else:
            del entry.attrib[name]
    if entry.get("encoding", "").lower() in _PLAIN_ENCODINGS:
        del entry.attrib["encoding"]
    if entry.text is not None and entry.get("type", "file") != "file" and not entry.text.strip():
        entry.text = None
    if not entry.text:
        # An empty file is marked, or has no text.
        entry.attrib.pop("empty", "")


def is_private(entry: etree._Element) -> bool:
    """Return true for a file that only its owner may read."""
    mode = entry.get("mode", "")
    return entry.tag == "Path" and entry.get("type", "file") == "file" and mode.isdigit() and mode[-2:] == "00"
