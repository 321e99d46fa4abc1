"""``Bcfg2.Server``: the XML parser, and the server of this process."""

from __future__ import annotations

from typing import Any

from geventcore.compat.current import get_core
from geventcore.specfiles.xmlfile import XINCLUDE, repository_parser

__all__ = ["XI", "XI_NAMESPACE", "XMLParser", "core"]

#: The prefix of the tags of XInclude, and its namespace.
XI = XINCLUDE
XI_NAMESPACE = XINCLUDE.strip("{}")
#: The parser for files of the repository.
XMLParser = repository_parser()


class _CurrentCore:
    def __getattr__(self, name: str) -> Any:
        return getattr(get_core(), name)


core = _CurrentCore()
