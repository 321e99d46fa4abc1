"""``core.metadata.groups_xml`` and ``clients_xml``: the files of the metadata as XML trees.

The trees are copies for plugins: the server does not use them, so a plugin that changes one changes nothing else.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NoReturn

from lxml import etree

from geventcore.errors import GeventcoreError, MetadataRuntimeError, PluginExecutionError
from geventcore.specfiles.xmlfile import Signature, XMLDocument, load_document, repository_parser, signature


class MetadataXML:
    """``groups.xml`` or ``clients.xml``. It is read again when the file or an included file has changed.

    Attributes:
        name, basefile, basedir: the path of the file, its name and its directory.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.basefile = path.name
        self.basedir = str(path.parent)
        self._document: XMLDocument | None = None
        self._signatures: dict[Path, Signature] = {}

    def load_xml(self) -> None:
        """Read the file; `MetadataRuntimeError` if that fails."""
        path = Path(self.name)
        try:
            document = load_document(path)
        except GeventcoreError as err:
            raise MetadataRuntimeError(f"{self.basefile} cannot be used: {err}") from err
        self._signatures = {read: signature(read) for read in (path, *document.includes)}
        self._document = document

    def _current(self) -> XMLDocument:
        if self._document is None or any(signature(path) != found for path, found in self._signatures.items()):
            self.load_xml()
        assert self._document is not None
        return self._document

    @property
    def xdata(self) -> etree._ElementTree:
        """The tree with the content of includes."""
        return self._current().root.getroottree()

    @property
    def data(self) -> etree._ElementTree:
        return self.xdata

    @property
    def base_xdata(self) -> etree._ElementTree:
        """The tree of the file alone; `MetadataRuntimeError` if it cannot be read."""
        try:
            return etree.parse(self.name, repository_parser())
        except (OSError, etree.XMLSyntaxError) as err:
            raise MetadataRuntimeError(f"{self.name}: cannot be read: {err}") from err

    @property
    def basedata(self) -> etree._ElementTree:
        return self.base_xdata

    @property
    def extras(self) -> list[str]:
        """The paths of included files."""
        return [str(path) for path in self._current().includes]

    @property
    def entries(self) -> list[etree._Element]:
        """The children of the root."""
        return list(self.xdata.getroot())

    def find_xml_for_xpath(self, xpath: str) -> dict[str, Any]:
        """Find the file, among this one and those it includes, in which an XPath expression matches.

        Returns ``filename``, ``xmltree`` and ``xquery`` (the matches), or an empty dictionary.
        """
        for filename in (self.name, *self.extras):
            try:
                tree = etree.parse(filename, repository_parser())
            except (OSError, etree.XMLSyntaxError):
                continue
            found = tree.xpath(xpath)
            if found:
                return {"filename": filename, "xmltree": tree, "xquery": found}
        return {}

    def write(self) -> NoReturn:
        self.write_xml(self.name, None)

    def write_xml(self, fname: str, xmltree: Any) -> NoReturn:
        """Refuse to write: another process may write the file at the same time."""
        raise PluginExecutionError(
            f"{os.path.basename(fname)} is not written from the tree: call add_client, update_client, add_group, "
            "update_group … of the plugin Metadata"
        )

    def __iter__(self) -> Any:
        return iter(self.entries)

    def __repr__(self) -> str:
        return f"MetadataXML({self.name})"
