"""Import of a file from a client into the repository (docs: reference/plugins/cfg, "Pulling").

The new content replaces the file that the client gets now, or becomes a file for this client alone. Templates are not
overwritten, because the client's content is only the output of one. Owner, group and mode go into a new ``info.xml``;
an existing one is kept, because it may have settings that the client does not report, unless it is to be replaced.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.specificity import Specificity
from geventcore.plugins.cfg.deltas import PlainAndDelta
from geventcore.plugins.cfg.handlers import CfgDelta, CfgGenerator, CfgHandler, handler_table
from geventcore.plugins.cfg.plaintext import PlaintextGenerator
from geventcore.repository.durable_writes import write_durably
from geventcore.specfiles.most_specific import Candidates

log = logging.getLogger(__name__)

INFO_ATTRIBUTES = ("owner", "group", "mode")


def choices(handlers: Iterable[CfgHandler | None], metadata: ClientMetadata) -> list[Specificity]:
    """Return the specificities under which new content can be stored: the current one, and the client alone."""
    own = Specificity(hostname=metadata.hostname)
    best = Candidates([handler for handler in handlers if isinstance(handler, CfgGenerator)]).best(metadata)
    return [own] if best is None or best.specificity == own else [best.specificity, own]


def store(
    directory: Path, handlers: Iterable[CfgHandler | None], specificity: Specificity, new_entry: Mapping[str, Any]
) -> list[Path]:
    """Write content (``text``: str or bytes) and attributes of an entry; return the files that were written.

    ``info``, if the entry has it, are the attributes of an ``info.xml`` that replaces the existing one.

    `PluginExecutionError` if the file for this specificity is a template, or would be read as one, or if a delta would
    change the content.
    """
    for handler in handlers:
        delta = handler.delta if isinstance(handler, PlainAndDelta) else handler
        # A file that is content, too, is taken for a delta only if it would surely change this content.
        if isinstance(delta, CfgDelta) and (delta is handler or delta.specificity == specificity):
            raise PluginExecutionError(
                f"{delta.path}: cannot import content, because this file would change it; replace it by whole files"
            )
        if (
            isinstance(handler, CfgGenerator)
            and handler.specificity == specificity
            and type(handler) not in (PlaintextGenerator, PlainAndDelta)
        ):
            raise PluginExecutionError(
                f"{handler.path}: cannot import content into this file, because the content is generated from it"
            )
    text = new_entry.get("text")
    if text is None:
        raise PluginExecutionError(f"cannot import {new_entry.get('name')}: the client sent no content")
    path = directory / handler_table().plain_file_name(directory.name, specificity)
    written = [path]
    try:
        write_durably(path, text.encode("utf-8") if isinstance(text, str) else text)
        replacement: Mapping[str, str] | None = new_entry.get("info")
        info = replacement or {name: str(new_entry[name]) for name in INFO_ATTRIBUTES if new_entry.get(name)}
        info_path = directory / "info.xml"
        if replacement is not None or (info and not info_path.exists()):
            root = etree.Element("FileInfo")
            etree.SubElement(root, "Info", dict(info))
            write_durably(info_path, etree.tostring(root, pretty_print=True))
            written.append(info_path)
        elif info:
            log.info("%s: keeping this file; the client has %s", info_path, info)
    except OSError as err:
        raise PluginExecutionError(f"{err.filename or path}: cannot be written: {err.strerror}") from err
    return written
