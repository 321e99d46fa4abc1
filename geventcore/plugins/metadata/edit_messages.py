"""Messages between processes about edits of a metadata file: the edits, and the versions of the files.

A message is ``{"read": {path: version}, "written": {path: version}, "edits": [{"action", "tag", "name", "attributes",
"element"}]}``; an element is XML text, or None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lxml import etree

from geventcore.plugins.metadata.writer import Edit, Outcome
from geventcore.specfiles.xmlfile import Signature, signature_of_json


def message_of(edits: Sequence[Edit], outcome: Outcome) -> dict[str, Any]:
    """Create the message about completed edits."""
    return {
        "read": {str(path): version for path, version in outcome.read.items()},
        "written": {str(path): version for path, version in outcome.written.items()},
        "edits": [
            {
                "action": edit.action,
                "tag": edit.tag,
                "name": edit.name,
                "attributes": edit.attributes,
                "element": None
                if edit.element is None
                else etree.tostring(edit.element, encoding="unicode", with_tail=False),
            }
            for edit in edits
        ],
    }


def of_message(message: Mapping[str, Any]) -> tuple[list[Edit], Outcome]:
    """Read the edits and the versions of the files from a message."""
    edits = []
    for told in message["edits"]:
        edit = Edit(told["action"], told["tag"], told["name"], told["attributes"])
        if told["element"] is not None:
            edit.element = etree.fromstring(told["element"])
        edits.append(edit)
    return edits, Outcome(_versions(message["read"]), _versions(message["written"]))


def _versions(told: Mapping[str, list[int] | None]) -> dict[Path, Signature]:
    return {Path(path): signature_of_json(version) for path, version in told.items()}
