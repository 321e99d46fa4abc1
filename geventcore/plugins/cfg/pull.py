"""Taking a file over from a client into the repository (docs: reference/plugins/cfg, "Pulling").

The new content goes to the file that the client gets now, or to one for this client alone. Templates are not
overwritten: what a client has is what one of them made. Owner, group and mode go into an ``info.xml``, unless there is
one, since it may say more than the client knows.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugins.cfg.handlers import CfgGenerator, CfgHandler
from geventcore.plugins.cfg.plaintext import PlaintextGenerator
from geventcore.specfiles.durable import write_durably
from geventcore.specfiles.specificity import Candidates, Specificity

log = logging.getLogger(__name__)

INFO_ATTRIBUTES = ("owner", "group", "mode")


def choices(handlers: Iterable[CfgHandler | None], metadata: ClientMetadata) -> list[Specificity]:
    """For whom new content could be stored: as now, and for the client alone."""
    own = Specificity(hostname=metadata.hostname)
    best = Candidates([handler for handler in handlers if isinstance(handler, CfgGenerator)]).best(metadata)
    return [own] if best is None or best.specificity == own else [best.specificity, own]


def store(
    directory: Path, handlers: Iterable[CfgHandler | None], specificity: Specificity, new_entry: Mapping[str, Any]
) -> list[Path]:
    """Write content (``text``: str or bytes) and attributes of an entry; returns the files that were written.

    `PluginExecutionError` if the file for this specificity is one that its content is made from.
    """
    for handler in handlers:
        if (
            isinstance(handler, CfgGenerator)
            and handler.specificity == specificity
            and type(handler) is not PlaintextGenerator
        ):
            raise PluginExecutionError(f"{handler.path}: what is made from this file cannot be taken back into it")
    text = new_entry.get("text")
    if text is None:
        raise PluginExecutionError(f"there is no content of {new_entry.get('name')} to store")
    path = directory / f"{directory.name}{specificity.suffix}"
    written = [path]
    try:
        write_durably(path, text.encode("utf-8") if isinstance(text, str) else text)
        info = {name: str(new_entry[name]) for name in INFO_ATTRIBUTES if new_entry.get(name)}
        info_path = directory / "info.xml"
        if info and not info_path.exists():
            root = etree.Element("FileInfo")
            etree.SubElement(root, "Info", info)
            write_durably(info_path, etree.tostring(root, pretty_print=True))
            written.append(info_path)
        elif info:
            log.info("%s: left as it is; the client has %s", info_path, info)
    except OSError as err:
        raise PluginExecutionError(f"{err.filename or path}: cannot be written: {err.strerror}") from err
    return written
