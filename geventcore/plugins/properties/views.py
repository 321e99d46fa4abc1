"""What templates get of property files: copies for one client, which they may change without changing anyone else's."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from lxml import etree

from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugins.properties.files import (
    DataPropertyFile,
    JSONPropertyFile,
    PropertyFile,
    XMLPropertyFile,
    YAMLPropertyFile,
)
from geventcore.specfiles.structfile import Struct, match_elements

log = logging.getLogger(__name__)


class XMLProperties:
    """An XML property file."""

    def __init__(self, name: str, file: XMLPropertyFile) -> None:
        self.name = name
        self._file = file
        self._copy: etree._Element | None = None

    @property
    def xdata(self) -> etree._Element:
        """The root element, with conditions and template directives as they stand in the file."""
        if self._copy is None:
            # The whole tree: comments outside the root belong to what is written back.
            self._copy = copy.deepcopy(self._file.structure.root.getroottree()).getroot()
        return self._copy

    @property
    def entries(self) -> list[etree._Element]:
        """The children of the root."""
        return list(self.xdata)

    def _changed_struct(self) -> Struct | None:
        """What a template may have changed, or None if the file's content is as good."""
        if self._copy is None or self._file.structure.is_template:
            return None
        return Struct.of(copy.deepcopy(self._copy))

    def Match(self, metadata: ClientMetadata) -> list[etree._Element]:  # noqa: N802 - the name that templates use
        """What is for a client, as a list of elements in document order."""
        struct = self._changed_struct()
        return self._file.structure.match(metadata) if struct is None else match_elements(struct.root, metadata)

    def XMLMatch(self, metadata: ClientMetadata) -> etree._Element:  # noqa: N802 - the name that templates use
        """What is for a client, as a tree; what stood under conditions follows the rest."""
        struct = self._changed_struct()
        return self._file.structure.xml_match(metadata) if struct is None else struct.xml_match(metadata)

    def write(self) -> bool:
        """Write `xdata` back to the file, if ``<name>.xsd`` beside it allows that; durable when this returns.

        What was included stands in the file from then on; what names a passphrase is encrypted. `PluginExecutionError`
        if it is not written.
        """
        self._file.validate(self.xdata)
        document = self._file.structure.document
        if document is not None and document.includes:
            log.warning("%s: written with the contents of what it included", self._file.path)
        tree = copy.deepcopy(self.xdata.getroottree())
        self._file.encrypt(tree.getroot())
        self._file.store(etree.tostring(tree, pretty_print=True, encoding="UTF-8", xml_declaration=False))
        return True

    def __repr__(self) -> str:
        return f"XMLProperties({self.name})"


class _DataProperties:
    """A property file that holds one value."""

    def __init__(self, name: str, file: DataPropertyFile) -> None:
        self.name = name
        self._file = file

    def _value(self) -> Any:
        raise NotImplementedError

    def write(self) -> bool:
        """Write the value back to the file; durable when this returns. `PluginExecutionError` if it is not written."""
        self._file.store(self._file.serialise(self._value()))
        return True

    def __str__(self) -> str:
        return str(self._value())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"


class JSONProperties(_DataProperties):
    """A JSON property file; `json` is the value."""

    def __init__(self, name: str, file: DataPropertyFile) -> None:
        super().__init__(name, file)
        self.json = file.copy_value()

    def _value(self) -> Any:
        return self.json


class YAMLProperties(_DataProperties):
    """A YAML property file; `yaml` is the value."""

    def __init__(self, name: str, file: DataPropertyFile) -> None:
        super().__init__(name, file)
        self.yaml = file.copy_value()

    def _value(self) -> Any:
        return self.yaml


class PropertiesOfClient(Mapping[str, Any]):
    """``metadata.Properties``: file name -> what templates get of the file. Each is made when it is first asked for."""

    def __init__(self, files: Mapping[str, PropertyFile], automatch: bool, metadata: ClientMetadata | None) -> None:
        """`files` are usable. `automatch` is the default for XML files; `metadata`, the client, is needed for those."""
        self._files = files
        self._automatch = automatch
        self._metadata = metadata
        self._views: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        try:
            return self._views[name]
        except KeyError:
            view = self._views[name] = self._view(name, self._files[name])
            return view

    def _view(self, name: str, file: PropertyFile) -> Any:
        if isinstance(file, XMLPropertyFile):
            if self._metadata is not None and file.automatch(self._automatch):
                return file.structure.xml_match(self._metadata)
            return XMLProperties(name, file)
        if isinstance(file, JSONPropertyFile):
            return JSONProperties(name, file)
        if isinstance(file, YAMLPropertyFile):
            return YAMLProperties(name, file)
        raise TypeError(f"{file!r} has no view")

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __repr__(self) -> str:
        return f"PropertiesOfClient({', '.join(self._files)})"
