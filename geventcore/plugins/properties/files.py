"""Loaded property files: XML, JSON and YAML."""

from __future__ import annotations

import importlib
import json
import pickle
from abc import abstractmethod
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

from lxml import etree

from geventcore.crypt import EncryptionError
from geventcore.errors import PluginExecutionError, RepositoryError
from geventcore.filemonitor import NOTHING, EventHandler, FileEvent
from geventcore.plugin.context import PluginContext
from geventcore.plugins.properties.options import WRITES_ENABLED
from geventcore.regular_files import read_file
from geventcore.repository.derived import Derived
from geventcore.repository.durable_writes import write_durably
from geventcore.specfiles.encrypted_elements import encrypt_elements
from geventcore.specfiles.structfile import StructFile
from geventcore.specfiles.xmlfile import XMLDocument


class PropertyFile(EventHandler):
    """One property file.

    Attributes:
        path: the file.
        context: the plugin's context.
    """

    def __init__(self, path: Path, context: PluginContext) -> None:
        self.path = path
        self.context = context

    @property
    def text(self) -> str:
        """The text of the file; `RepositoryError` if it cannot be read.

        It is read when a template wants it, because few do, and files may be large.
        """
        try:
            return read_file(self.path).decode(self.context.encoding)
        except (OSError, UnicodeDecodeError) as err:
            raise RepositoryError(f"{self.path}: cannot be read: {err}") from err

    @property
    @abstractmethod
    def is_usable(self) -> bool:
        """Return true if a version of the file has been loaded."""

    def store(self, data: bytes) -> None:
        """Replace the file durably; `PluginExecutionError` if that is not allowed or fails."""
        if not self.context.settings[WRITES_ENABLED]:
            raise PluginExecutionError(
                f"{self.path}: [properties] writes_enabled does not allow writing property files"
            )
        try:
            self.context.offload(write_durably, self.path, data)
        except OSError as err:
            raise PluginExecutionError(f"{self.path}: cannot be written: {err.strerror or err}") from err
        self.context.handle_file_events()

    @property
    @abstractmethod
    def version(self) -> Hashable:
        """A value that differs between versions of the file with different values."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path})"


class XMLPropertyFile(PropertyFile):
    """An XML file; the root may have any name.

    Attributes:
        structure: the file with its includes, conditions and templates.
    """

    def __init__(self, path: Path, context: PluginContext, on_load: Callable[[], None]) -> None:
        """Call `on_load` whenever the file or one of its includes is loaded."""
        super().__init__(path, context)

        def loaded(_: XMLDocument) -> None:
            on_load()

        self.structure = StructFile(path, context, on_load=loaded, monitor_self=False)
        self.structure.effect = NOTHING
        # Not the tree: what has read an old version must not keep it in memory.
        self._version: Derived[etree._Element, object] = Derived(lambda _: object())

    @property
    def version(self) -> Hashable:
        return self._version.get(self.structure.root)

    def handle_event(self, event: FileEvent) -> None:
        self.structure.handle_event(event)

    @property
    def is_usable(self) -> bool:
        return self.structure.document is not None

    def automatch(self, default: bool) -> bool:
        """Return true if templates get the data for the client instead of the whole file."""
        return self.structure.root.get("automatch", str(default)).lower() == "true"

    def encrypt(self, root: etree._Element) -> None:
        """Encrypt the plain texts of elements that name a passphrase; `PluginExecutionError` if that fails."""
        try:
            encrypt_elements(root, self.context.settings, self.context.encoding)
        except EncryptionError as err:
            raise PluginExecutionError(f"{self.path}: not written: {err}") from err

    def validate(self, root: etree._Element) -> None:
        """Raise `PluginExecutionError` if the data violate the file's schema, ``<name>.xsd`` in the same directory."""
        schema_path = self.path.with_suffix(".xsd")
        if not schema_path.exists():
            return
        try:
            etree.XMLSchema(etree.fromstring(read_file(schema_path), base_url=str(schema_path))).assertValid(root)
        except etree.DocumentInvalid as err:
            raise PluginExecutionError(f"{self.path}: not written: the data violate {schema_path.name}: {err}") from err
        except (OSError, etree.XMLSyntaxError, etree.XMLSchemaParseError) as err:
            raise PluginExecutionError(f"{schema_path}: invalid schema: {err}") from err


class DataPropertyFile(PropertyFile):
    """A file with one value, stored pickled: unpickling is the fastest way to copy it for each client."""

    def __init__(self, path: Path, context: PluginContext) -> None:
        super().__init__(path, context)
        self._pickled: bytes | None = None
        self._version: Derived[bytes | None, object] = Derived(lambda _: object())
        self._shared: tuple[bytes | None, Any] | None = None

    def handle_event(self, event: FileEvent) -> None:
        try:
            data = read_file(self.path)
        except OSError as err:
            raise RepositoryError(f"{self.path}: cannot be read: {err.strerror}") from err
        self._pickled = pickle.dumps(self.parse(data), protocol=pickle.HIGHEST_PROTOCOL)

    @property
    def is_usable(self) -> bool:
        return self._pickled is not None

    @property
    def version(self) -> Hashable:
        return self._version.get(self._pickled)

    def shared_value(self) -> Any:
        """Return the value for those who do not change it; `RepositoryError` as in `copy_value`."""
        pickled = self._pickled
        kept = self._shared
        if kept is None or kept[0] is not pickled:
            kept = self._shared = (pickled, self.copy_value())
        return kept[1]

    def copy_value(self) -> Any:
        """Return a fresh copy of the value; `RepositoryError` if no version of the file was valid."""
        if self._pickled is None:
            raise RepositoryError(f"{self.path}: there is no usable version of this file")
        return pickle.loads(self._pickled)

    @abstractmethod
    def parse(self, data: bytes) -> Any:
        """Parse the content of a file; `RepositoryError` names the line."""

    @abstractmethod
    def serialise(self, value: Any) -> bytes:
        """Return the content of a file with a value; `PluginExecutionError` if the format does not support it."""


class JSONPropertyFile(DataPropertyFile):
    """A JSON file."""

    def parse(self, data: bytes) -> Any:
        try:
            return json.loads(data)
        except json.JSONDecodeError as err:
            raise RepositoryError(f"{self.path}: line {err.lineno}: not JSON: {err.msg}") from err
        except (ValueError, RecursionError) as err:
            raise RepositoryError(f"{self.path}: not JSON: {err}") from err

    def serialise(self, value: Any) -> bytes:
        try:
            return f"{json.dumps(value, indent=2, ensure_ascii=False)}\n".encode()
        except (TypeError, ValueError, RecursionError) as err:
            raise PluginExecutionError(f"{self.path}: not written: JSON does not support the data: {err}") from err


class YAMLPropertyFile(DataPropertyFile):
    """A YAML file with one document of plain data."""

    def _yaml(self) -> Any:
        try:
            return importlib.import_module("yaml")
        except ImportError as err:
            raise RepositoryError(f"{self.path}: PyYAML is needed: install geventcore[yaml]") from err

    def parse(self, data: bytes) -> Any:
        yaml = self._yaml()
        try:
            return yaml.load(data, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.MarkedYAMLError as err:
            line = f"line {err.problem_mark.line + 1}: " if err.problem_mark else ""
            raise RepositoryError(f"{self.path}: {line}not YAML: {err.problem}") from err
        except (yaml.YAMLError, ValueError, RecursionError) as err:
            raise RepositoryError(f"{self.path}: not YAML: {' '.join(str(err).split())}") from err

    def serialise(self, value: Any) -> bytes:
        yaml = self._yaml()
        try:
            text: str = yaml.safe_dump(value, default_flow_style=False, allow_unicode=True, sort_keys=False)
        except (yaml.YAMLError, RecursionError) as err:
            raise PluginExecutionError(f"{self.path}: not written: YAML does not support the data: {err}") from err
        return text.encode()
