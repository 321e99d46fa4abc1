"""The conversion of an upload to an `Interaction`. No I/O.

A client uploads all entries of its configuration, most of them with the full text of a file. Good entries are only
counted. The texts of other entries are dropped. Values are truncated to the limits of the database, so that storing
cannot fail later, after the client got its answer.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
from collections.abc import Iterator

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.storage.report_model import EntryKind, EntryState, FileContent, Interaction, sorted_names

#: The element that holds the entries of a kind.
_SECTIONS = {"Bad": EntryKind.BAD, "Modified": EntryKind.MODIFIED, "Extra": EntryKind.EXTRA}
#: Attributes that do not describe the entry or are parsed separately.
_DROPPED = frozenset({"name", "qtext", "current_bdiff", "current_bfile", "encoding"})
#: Child elements that describe the state on the client.
_CHILDREN = frozenset({"Prune", "Instance"})
#: The longest name or value, in characters. PATH_MAX is 4096.
MAX_TEXT = 4096
#: The most phases with times; a client has about ten. Further ones are dropped.
MAX_STAMPS = 40
#: The most child elements, since a directory may hold any number of files to prune. Further ones are dropped.
MAX_CHILDREN = 1000
#: The largest accepted count.
MAX_COUNT = 2**31 - 1
#: The latest accepted time, the year 9999, in milliseconds since the epoch.
MAX_TIME = 253_402_300_799_000


def parse_interaction(
    metadata: ClientMetadata, root: etree._Element, *, timestamp: int, server: str, file_limit: int
) -> Interaction:
    """Parse an upload.

    `timestamp` is the time of arrival in milliseconds since the epoch. Differences and files of more than `file_limit`
    bytes are replaced by a hash.

    Raises:
        PluginExecutionError: there is no ``Statistics`` element below the root.
    """
    statistics = root.find("Statistics")
    if statistics is None:
        raise PluginExecutionError("the upload has no Statistics element below its root")
    flags = {flag.get("name"): flag.get("value") for flag in statistics.iterfind("Flags/Flag")}
    return Interaction(
        client=metadata.hostname,
        timestamp=timestamp,
        server=server,
        state="clean" if statistics.get("state") == "clean" else "dirty",
        revision=_text(statistics.get("revision", "")),
        total=_count(statistics.get("total")),
        good=_count(statistics.get("good")),
        dry_run=_is_true(flags.get("dry_run")),
        only_important=_is_true(flags.get("only_important")),
        profile=metadata.profile,
        version=metadata.version,
        groups=sorted_names(metadata.groups),
        bundles=sorted_names(metadata.bundles),
        entries=tuple(_entries(statistics, file_limit)),
        stamps=_stamps(statistics.find("OpStamps")),
    )


def _entries(statistics: etree._Element, file_limit: int) -> Iterator[tuple[EntryKind, EntryState]]:
    for section in statistics.iterchildren(*_SECTIONS):
        kind = _SECTIONS[section.tag]
        for entry in section.iterchildren(tag=etree.Element):
            yield kind, _state(entry, file_limit)


def _state(entry: etree._Element, file_limit: int) -> EntryState:
    attributes = _attributes(entry)
    children = list(entry.iterchildren(*_CHILDREN))[:MAX_CHILDREN] if len(entry) else []
    return EntryState(
        tag=_text(str(entry.tag)),
        name=_text(attributes.get("name", "")),
        attributes=_pairs(attributes),
        children=tuple((str(child.tag), _pairs(_attributes(child), keep_name=True)) for child in children),
        content=None if _is_true(attributes.get("sensitive")) else _content(attributes, file_limit),
    )


def _attributes(element: etree._Element) -> dict[str, str]:
    return {str(name): str(value) for name, value in element.attrib.items()}


def _pairs(attributes: dict[str, str], keep_name: bool = False) -> tuple[tuple[str, str], ...]:
    return tuple(
        sorted(
            (_text(name), _text(value))
            for name, value in attributes.items()
            if name not in _DROPPED or (keep_name and name == "name")
        )
    )


def _content(attributes: dict[str, str], file_limit: int) -> FileContent | None:
    difference, file = attributes.get("current_bdiff"), attributes.get("current_bfile")
    encoded = difference if difference is not None else file
    if not encoded:
        return None
    try:
        data = base64.b64decode(encoded, validate=False)
    except (binascii.Error, ValueError):
        return None
    if len(data) > file_limit:
        return FileContent("too large", hashlib.sha256(data).hexdigest(), len(data))
    if difference is not None:
        text = data.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
        is_exact = text.encode() == data
        return FileContent("diff" if is_exact else "inexact diff", text, len(data))
    return FileContent("content", base64.b64encode(data).decode("ascii"), len(data))


def _stamps(element: etree._Element | None) -> tuple[tuple[str, int], ...]:
    if element is None:
        return ()
    found = []
    for name, value in list(element.attrib.items())[:MAX_STAMPS]:
        try:
            seconds = float(value)
        except ValueError:
            continue
        if math.isfinite(seconds) and 0 <= seconds * 1000 <= MAX_TIME:
            found.append((_text(str(name)), round(seconds * 1000)))
    return tuple(sorted(found, key=lambda stamp: (stamp[1], stamp[0])))


def _count(text: str | None) -> int:
    try:
        return max(0, min(int(text or "0"), MAX_COUNT))
    except ValueError:
        return 0


def _text(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def _is_true(text: str | None) -> bool:
    return text is not None and text.strip().lower() == "true"
