"""Property files as they are loaded: XML, JSON and YAML."""

from __future__ import annotations

import importlib
import json
import pickle
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lxml import etree

from geventcore.crypt import EncryptionError
from geventcore.errors import PluginExecutionError, RepositoryError
from geventcore.filemonitor import EventHandler, FileEvent
from geventcore.plugin.context import PluginContext
from geventcore.plugins.properties.options import WRITES_ENABLED
from geventcore.specfiles.durable import write_durably
from geventcore.specfiles.encrypted_elements import encrypt_elements
from geventcore.specfiles.structfile import StructFile
from geventcore.specfiles.xmlfile import XMLDocument


class PropertyFile(EventHandler):
    """One file.

    Attributes:
        path: the file.
        context: the plugin's.
    """

    def __init__(self, path: Path, context: PluginContext) -> None:
        self.path = path
        self.context = context

    @property
    @abstractmethod
    def is_usable(self) -> bool:
        """Whether there was ever a version of the file that could be loaded."""

    def store(self, data: bytes) -> None:
        """Replace the file; durable when this returns. `PluginExecutionError` if that is not allowed or fails."""
        if not self.context.settings[WRITES_ENABLED]:
            raise PluginExecutionError(f"{self.path}: property files may not be written ([properties] writes_enabled)")
        try:
            self.context.offload(write_durably, self.path, data)
        except OSError as err:
            raise PluginExecutionError(f"{self.path}: cannot be written: {err.strerror or err}") from err
        self.context.handle_file_events()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path})"


class XMLPropertyFile(PropertyFile):
    """An XML file; the root may have any name.

    Attributes:
        structure: the file with its includes, conditions and templates.
    """

    def __init__(self, path: Path, context: PluginContext, on_load: Callable[[], None]) -> None:
        """`on_load` is called whenever the file, or one that it includes, is loaded."""
        super().__init__(path, context)

        def loaded(_: XMLDocument) -> None:
            on_load()

        self.structure = StructFile(path, context, on_load=loaded, monitor_self=False)

    def handle_event(self, event: FileEvent) -> None:
        self.structure.handle_event(event)

    @property
    def is_usable(self) -> bool:
        return self.structure.document is not None

    def automatch(self, default: bool) -> bool:
        """Whether templates get the matched data."""
        return self.structure.root.get("automatch", str(default)).lower() == "true"

    def encrypt(self, root: etree._Element) -> None:
        """Encrypt what names a passphrase and is not encrypted; `PluginExecutionError` if that cannot be done."""
        try:
            encrypt_elements(root, self.context.settings, self.context.encoding)
        except EncryptionError as err:
            raise PluginExecutionError(f"{self.path}: not written: {err}") from err

    def validate(self, root: etree._Element) -> None:
        """`PluginExecutionError` if there is a schema (``<name>.xsd`` beside the file) that does not allow the data."""
        schema_path = self.path.with_suffix(".xsd")
        if not schema_path.exists():
            return
        try:
            etree.XMLSchema(etree.parse(schema_path)).assertValid(root)
        except etree.DocumentInvalid as err:
            raise PluginExecutionError(
                f"{self.path}: not written: {schema_path.name} does not allow it: {err}"
            ) from err
        except (OSError, etree.XMLSyntaxError, etree.XMLSchemaParseError) as err:
            raise PluginExecutionError(f"{schema_path}: this schema cannot be used: {err}") from err


class DataPropertyFile(PropertyFile):
    """A file that holds one value, which is kept pickled: no other way to copy it for each client is as fast."""

    def __init__(self, path: Path, context: PluginContext) -> None:
        super().__init__(path, context)
        self._pickled: bytes | None = None

    def handle_event(self, event: FileEvent) -> None:
        try:
            data = self.path.read_bytes()
        except OSError as err:
            raise RepositoryError(f"{self.path}: cannot be read: {err.strerror}") from err
        self._pickled = pickle.dumps(self.parse(data), protocol=pickle.HIGHEST_PROTOCOL)

    @property
    def is_usable(self) -> bool:
        return self._pickled is not None

    def copy_value(self) -> Any:
        """A fresh copy of the value; `RepositoryError` if there never was one."""
        if self._pickled is None:
            raise RepositoryError(f"{self.path}: there is no usable version of this file")
        return pickle.loads(self._pickled)

    @abstractmethod
    def parse(self, data: bytes) -> Any:
        """The value in the content of a file; `RepositoryError` names the line."""

    @abstractmethod
    def serialise(self, value: Any) -> bytes:
        """The content of a file with a value; `PluginExecutionError` if the format cannot hold it."""


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
            raise PluginExecutionError(f"{self.path}: not written, because JSON cannot hold the data: {err}") from err


class YAMLPropertyFile(DataPropertyFile):
    """A YAML file with one document of plain data."""

    def _yaml(self) -> Any:
        try:
            return importlib.import_module("yaml")
        except ImportError as err:
            raise RepositoryError(f"{self.path}: PyYAML is not installed") from err

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
            raise PluginExecutionError(f"{self.path}: not written, because YAML cannot hold the data: {err}") from err
        return text.encode()
