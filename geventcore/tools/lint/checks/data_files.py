"""ValidateJSON, Crypto and Pkgmgr: checks of single files."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator

from geventcore.tools.lint.base import Check
from geventcore.tools.lint.findings import Finding, Kind, Place


class ValidateJSON(Check):
    """JSON files of Properties and Ohai."""

    name = "ValidateJSON"
    is_serverless = True
    kinds = (
        Kind("json-failed-to-parse", "error", "A file is not JSON.", "Mend the file at this place; it is not used."),
    )

    def run(self) -> Iterator[Finding]:
        for directory in ("Properties", "Ohai"):
            for path in self.site.below(directory, "*.json", deep=False):
                if not self.site.concerns(path):
                    continue
                try:
                    json.loads(path.read_bytes())
                except json.JSONDecodeError as err:
                    place = Place(path, err.lineno, err.colno)
                    yield self.found("json-failed-to-parse", f"not JSON: {err.msg}", place)
                except (OSError, UnicodeDecodeError, RecursionError) as err:
                    yield self.found("json-failed-to-parse", f"not JSON: {err}", path)


def _is_encrypted(data: bytes) -> bool:
    """Return true for base64 of OpenSSL's format, complete or not."""
    try:
        return base64.b64decode(b"".join(data.split()), validate=True).startswith(b"Salted__")
    except (binascii.Error, ValueError):
        return False


class Crypto(Check):
    """Data that should be encrypted."""

    name = "Crypto"
    is_serverless = True
    kinds = (
        Kind(
            "unencrypted-cfg",
            "error",
            "A file of Cfg with the ending .crypt is not encrypted.",
            "Encrypt it: remove the ending .crypt, then run geventcore crypt encrypt --cfg FILE.",
        ),
        Kind(
            "empty-encrypted-properties",
            "error",
            "An element of Properties with the attribute encrypted has no text.",
            "Remove the attribute, or write the text and run geventcore crypt encrypt --properties FILE.",
        ),
        Kind(
            "unencrypted-properties",
            "error",
            "The text of an element of Properties with the attribute encrypted is not encrypted.",
            "Run geventcore crypt encrypt --properties FILE, and replace the secret: it may be in a backup.",
        ),
    )

    def run(self) -> Iterator[Finding]:
        for path in self.site.below("Cfg", "*.crypt"):
            if self.site.concerns(path) and path.is_file() and not _is_encrypted(self.site.read(path)):
                yield self.found("unencrypted-cfg", "the file is not encrypted", path)
        for path in self.site.below("Properties", "*.xml"):
            if not self.site.concerns(path):
                continue
            for element in self.site.document(path).elements():
                if "encrypted" not in element.attrib:
                    continue
                text = element.text or ""
                if not text:
                    message = f"{element.tag} is marked as encrypted and has no text"
                    yield self.found_at("empty-encrypted-properties", message, element, path)
                elif not _is_encrypted(text.encode()):
                    message = f"{element.tag} is marked as encrypted, but its text is plain"
                    yield self.found_at("unencrypted-properties", message, element, path)


class Pkgmgr(Check):
    """Package lists."""

    name = "Pkgmgr"
    plugin = "Pkgmgr"
    is_serverless = True
    kinds = (
        Kind(
            "duplicate-packages",
            "error",
            "A package is twice in lists with the same priority, type and group.",
            "Remove one of the two, or give one list another priority.",
        ),
    )

    def run(self) -> Iterator[Finding]:
        seen: dict[tuple[str | None, ...], str] = {}
        for path in self.site.below("Pkgmgr", "*.xml", deep=False):
            root = self.site.document(path).root
            if root is None or not self.site.concerns(path):
                continue
            for element in root.iter("Package"):
                parent = element.getparent()
                group = parent.get("name") if parent is not None and parent.tag == "Group" else None
                key = (element.get("name"), root.get("priority"), root.get("type"), group)
                if key in seen:
                    whom = f"group {group}" if group else "all clients"
                    message = f"package {element.get('name')} for {whom} is already in {seen[key]}"
                    yield self.found_at("duplicate-packages", message, element, path)
                else:
                    seen[key] = self.site.relative(path)
