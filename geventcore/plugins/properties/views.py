"""Property files as templates see them: copies for one client, which the template may change."""

from __future__ import annotations

import copy
import logging
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from lxml import etree

from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.recording import ItemRead, Recorder, TrackableData
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
        """The root element, with the conditions and template directives of the file."""
        if self._copy is None:
            # Copy the whole tree: comments outside the root have to be written back, too.
            self._copy = copy.deepcopy(self._file.structure.root.getroottree()).getroot()
        return self._copy

    @property
    def entries(self) -> list[etree._Element]:
        """The children of the root."""
        return list(self.xdata)

    @property
    def data(self) -> str:
        """The text of the file, with encrypted elements and includes as they are written in it."""
        return self._file.text

    @property
    def extras(self) -> list[str]:
        """The paths of included files."""
        document = self._file.structure.document
        return [str(path) for path in document.includes] if document is not None else []

    def validate_data(self) -> bool:
        """Return true if `xdata` conforms to the file's schema, or there is none; else raise `PluginExecutionError`."""
        self._file.validate(self.xdata)
        return True

    def _changed_struct(self) -> Struct | None:
        """Return the content that a template may have changed, or None if it is the file's content."""
        if self._copy is None or self._file.structure.is_template:
            return None
        return Struct.of(copy.deepcopy(self._copy))

    def Match(self, metadata: ClientMetadata) -> list[etree._Element]:  # noqa: N802 - the name that templates use
        """Return the content for a client, as a list of elements in document order."""
        struct = self._changed_struct()
        return self._file.structure.match(metadata) if struct is None else match_elements(struct.root, metadata)

    def XMLMatch(self, metadata: ClientMetadata) -> etree._Element:  # noqa: N802 - the name that templates use
        """Return the content for a client, as a tree; the contents of conditions are at the end of their parents."""
        struct = self._changed_struct()
        return self._file.structure.xml_match(metadata) if struct is None else struct.xml_match(metadata)

    def write(self) -> bool:
        """Write `xdata` back to the file durably, if it conforms to ``<name>.xsd`` in the same directory.

        The written file contains the content of its includes. Plain texts of elements that name a passphrase are
        encrypted. `PluginExecutionError` if the file is not written.
        """
        self._file.validate(self.xdata)
        document = self._file.structure.document
        if document is not None and document.includes:
            log.warning("%s: the written file contains the content of its includes", self._file.path)
        tree = copy.deepcopy(self.xdata.getroottree())
        self._file.encrypt(tree.getroot())
        self._file.store(etree.tostring(tree, pretty_print=True, encoding="UTF-8", xml_declaration=False))
        return True

    def __repr__(self) -> str:
        return f"XMLProperties({self.name})"


class _DataProperties:
    """A property file with one value."""

    def __init__(self, name: str, file: DataPropertyFile) -> None:
        self.name = name
        self._file = file

    @property
    def data(self) -> str:
        """The text of the file."""
        return self._file.text

    def _value(self) -> Any:
        raise NotImplementedError

    def validate_data(self) -> bool:
        """Return true if the format supports the value; else raise `PluginExecutionError`."""
        self._file.serialise(self._value())
        return True

    def write(self) -> bool:
        """Write the value back to the file durably; `PluginExecutionError` if it is not written."""
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


class SharedXMLProperties:
    """An XML property file for readers that change nothing: they share the tree."""

    def __init__(self, name: str, file: XMLPropertyFile, recorder: Recorder) -> None:
        self.name = name
        self._file = file
        self._recorder = recorder

    @property
    def xdata(self) -> etree._Element:
        """The root element, with the conditions and template directives of the file."""
        return self._file.structure.root

    @property
    def entries(self) -> list[etree._Element]:
        """The children of the root."""
        return list(self.xdata)

    def Match(self, metadata: ClientMetadata) -> list[etree._Element]:  # noqa: N802 - the name that templates use
        """See `XMLProperties.Match`."""
        return self._file.structure.match(metadata)

    def XMLMatch(self, metadata: ClientMetadata) -> etree._Element:  # noqa: N802 - the name that templates use
        """See `XMLProperties.XMLMatch`."""
        return self._file.structure.xml_match(metadata)

    def __getattr__(self, name: str) -> Any:
        self._recorder.untracked.append(f"it reads {name} of the property file {self.name}")
        return getattr(XMLProperties(self.name, self._file), name)

    def __repr__(self) -> str:
        return f"XMLProperties({self.name})"


class SharedDataProperties:
    """A JSON or YAML property file for readers that change nothing: they share the value."""

    def __init__(self, name: str, file: DataPropertyFile, recorder: Recorder) -> None:
        self.name = name
        self._file = file
        self._recorder = recorder

    def __getattr__(self, name: str) -> Any:
        if name == ("json" if isinstance(self._file, JSONPropertyFile) else "yaml"):
            return self._file.shared_value()
        self._recorder.untracked.append(f"it reads {name} of the property file {self.name}")
        kind = JSONProperties if isinstance(self._file, JSONPropertyFile) else YAMLProperties
        return getattr(kind(self.name, self._file), name)

    def __str__(self) -> str:
        return str(self._file.shared_value())

    def __repr__(self) -> str:
        kind = JSONProperties if isinstance(self._file, JSONPropertyFile) else YAMLProperties
        return f"{kind.__name__}({self.name})"


class SharedProperties(Mapping[str, Any]):
    """``metadata.Properties`` for readers that change nothing. It notes which files they read."""

    def __init__(
        self, properties: PropertiesOfClient, recorder: Recorder, attribute: str, metadata: ClientMetadata
    ) -> None:
        """`metadata` is the recording view of the client."""
        self._properties = properties
        self._recorder = recorder
        self._attribute = attribute
        self._metadata = metadata
        self._views: dict[str, Any] = {}

    def _note(self, key: str | None) -> None:
        self._recorder.reads[ItemRead(self._attribute, key)] = self._properties.read_value(key)

    def __getitem__(self, name: str) -> Any:
        self._note(name)
        if name not in self._views:
            self._views[name] = self._view(name, self._properties.files[name])
        return self._views[name]

    def _view(self, name: str, file: PropertyFile) -> Any:
        if isinstance(file, XMLPropertyFile):
            if self._properties.is_matched(file):
                if file.structure.is_template:
                    self._recorder.untracked.append(f"it reads the template {file.path}")
                    return self._properties[name]
                return file.structure.xml_match(self._metadata)
            return SharedXMLProperties(name, file, self._recorder)
        if isinstance(file, DataPropertyFile):
            return SharedDataProperties(name, file, self._recorder)
        raise TypeError(f"{file!r} has no view")

    def __contains__(self, name: object) -> bool:
        self._note(name if isinstance(name, str) else None)
        return name in self._properties.files

    def __iter__(self) -> Iterator[str]:
        self._note(None)
        return iter(self._properties.files)

    def __len__(self) -> int:
        self._note(None)
        return len(self._properties.files)

    def __repr__(self) -> str:
        self._note(None)
        return repr(self._properties)


class PropertiesOfClient(Mapping[str, Any], TrackableData):
    """``metadata.Properties``: file name -> the file as templates see it. Each is created on first use."""

    def __init__(self, files: Mapping[str, PropertyFile], automatch: bool, metadata: ClientMetadata | None) -> None:
        """Create the mapping of usable `files`.

        `automatch` is the default for XML files; matching needs `metadata`, the client.
        """
        self.files = files
        self._automatch = automatch
        self._metadata = metadata
        self._views: dict[str, Any] = {}

    def is_matched(self, file: XMLPropertyFile) -> bool:
        """Return true if templates get the data of a file for their client."""
        return self._metadata is not None and file.automatch(self._automatch)

    def recording_view(self, recorder: Recorder, attribute: str, metadata: ClientMetadata) -> SharedProperties:
        """See `TrackableData`."""
        return SharedProperties(self, recorder, attribute, metadata)

    def read_value(self, key: Hashable) -> Hashable:
        """See `TrackableData`: the version of a file, or the names of all."""
        if key is None:
            return tuple(self.files)
        file = self.files.get(key) if isinstance(key, str) else None
        if file is None:
            return None
        return file.version, isinstance(file, XMLPropertyFile) and self.is_matched(file)

    def __getitem__(self, name: str) -> Any:
        try:
            return self._views[name]
        except KeyError:
            view = self._views[name] = self._view(name, self.files[name])
            return view

    def _view(self, name: str, file: PropertyFile) -> Any:
        if isinstance(file, XMLPropertyFile):
            if self._metadata is not None and self.is_matched(file):
                return file.structure.xml_match(self._metadata)
            return XMLProperties(name, file)
        if isinstance(file, JSONPropertyFile):
            return JSONProperties(name, file)
        if isinstance(file, YAMLPropertyFile):
            return YAMLProperties(name, file)
        raise TypeError(f"{file!r} has no view")

    def __contains__(self, name: object) -> bool:
        return name in self.files

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)

    def __repr__(self) -> str:
        return f"PropertiesOfClient({', '.join(self.files)})"
