"""The common base of creators: an XML file with instructions, and the files that are created from it.

A created file is stored next to its XML file, as ``<base>.H_<host>``. It is ``<base>.G<priority>_<group>`` instead if a
category of groups shares it: the attribute ``category`` of the root element, else an option. The attribute
``perhost="true"`` overrides both; ``priority`` is the priority in the name (default 50). If a passphrase is configured,
secrets are encrypted and get the extension ``.crypt``.

Each file is created once, however many clients request it at the same time, and is used at once, without waiting for
the file monitor. An existing file is never created again; remove it to have it created again.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from lxml import etree

from geventcore.crypt import EncryptionError, Passphrases
from geventcore.errors import PluginExecutionError
from geventcore.filemonitor import FileEvent
from geventcore.options import Option
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.specificity import Specificity, file_name
from geventcore.plugins.cfg.content import Content
from geventcore.plugins.cfg.handlers import CfgCreator, handler_table
from geventcore.plugins.cfg.options import CATEGORY, HANDLERS, PASSPHRASE
from geventcore.regular_files import read_file
from geventcore.repository.durable_writes import make_directories, write_durably
from geventcore.specfiles.creation import PathLocks, create_durably
from geventcore.specfiles.structfile import StructFile

log = logging.getLogger(__name__)

DEFAULT_PRIORITY = 50
PRIVATE_MODE = 0o600
ENCRYPTED_EXTENSION = ".crypt"

_locks = PathLocks()


class XMLCreator(CfgCreator):
    """A creator with instructions in an XML file.

    Class attributes:
        category_option, passphrase_option: options that override those of ``[cfg]``.
        is_secret: true if its files are encrypted and not readable for other users.
    """

    is_specific = False
    priority = 0
    category_option: ClassVar[Option[str | None]] = CATEGORY
    passphrase_option: ClassVar[Option[str | None]] = PASSPHRASE
    is_secret: ClassVar[bool] = False

    def __init__(self, path: Path, specificity: Specificity, context: PluginContext) -> None:
        super().__init__(path, specificity, context)
        self._file = StructFile(path, context, monitor_self=False)
        #: What a command that only looks at the site has created, and does not store.
        self._unsaved: dict[Path, bytes] = {}

    @property
    def unsaved(self) -> list[bytes]:
        """The contents that a command which only looks at the site has created, and does not store."""
        return list(self._unsaved.values())

    def handle_event(self, event: FileEvent) -> None:
        self._file.handle_event(event)

    @abstractmethod
    def create(self, instructions: etree._Element, specificity: Specificity, metadata: ClientMetadata) -> bytes:
        """Create and `store` a missing file; return the stored content. The file's lock is held meanwhile."""

    def create_content(self, entry: etree._Element, metadata: ClientMetadata) -> Content:
        instructions = self._file.xml_match(metadata)
        self.prepare_for(instructions, metadata)
        specificity = self.specificity_for(instructions, metadata)
        in_use = self.context.settings[HANDLERS]
        handler_table(in_use).created_file_name(self.path.parent.name, specificity)
        base = base_file(self.path.parent, specificity)
        with _locks.hold(base):
            data = self.stored(base)
            if data is None:
                data = self.create(instructions, specificity, metadata)
                if not self.context.read_only:
                    for path in self._files_of(base):
                        self.announce(path)
        return Content.of_bytes(data, self.context.encoding, base)

    def prepare_for(self, instructions: etree._Element, metadata: ClientMetadata) -> None:
        """Have other creators create the files that this one needs, before a lock is taken."""

    def specificity_for(self, instructions: etree._Element, metadata: ClientMetadata) -> Specificity:
        """Return the specificity of a new file; `PluginExecutionError` if the instructions are invalid."""
        settings = self.context.settings
        category = instructions.get("category") or settings[self.category_option] or settings[CATEGORY]
        if not category or instructions.get("perhost", "false").lower() == "true":
            return Specificity(metadata.hostname)
        group = metadata.group_in_category(category)
        if not group:
            log.info(
                "%s: %s has no group in category %s; creating a file for this host",
                self.path,
                metadata.hostname,
                category,
            )
            return Specificity(metadata.hostname)
        return Specificity(group=group, priority=self.number(instructions, "priority", DEFAULT_PRIORITY))

    def number(self, element: etree._Element, attribute: str, default: int) -> int:
        """Return an attribute as an integer of at least 0; `PluginExecutionError` if it is something else."""
        text = element.get(attribute)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise PluginExecutionError(f"{self.path}: {attribute}={text!r} of {element.tag} is not a whole number")
        return int(text)

    @staticmethod
    def _files_of(base: Path) -> tuple[Path, Path]:
        return base, base.with_name(base.name + ENCRYPTED_EXTENSION)

    def stored(self, base: Path) -> bytes | None:
        """Return the content of the plain or encrypted file with this base; None if there is none."""
        if base in self._unsaved:
            return self._unsaved[base]
        for path in self._files_of(base):
            try:
                data = read_file(path)
            except FileNotFoundError:
                continue
            except OSError as err:
                raise PluginExecutionError(f"{path}: cannot be read: {err.strerror}") from err
            if path == base:
                return data
            try:
                return Passphrases.of(self.context.settings).decrypt_any(data)
            except EncryptionError as err:
                raise PluginExecutionError(f"{path}: cannot be decrypted: {err}") from err
        return None

    def check_passphrase(self) -> str | None:
        """Return the name of the passphrase, None for no encryption; `PluginExecutionError` if it does not exist."""
        settings = self.context.settings
        name = settings[self.passphrase_option] or settings[PASSPHRASE]
        if not name or not self.is_secret:
            return None
        if name not in Passphrases.of(settings):
            raise PluginExecutionError(f"{self.path}: [encryption] has no passphrase {name}")
        return name

    def store(self, base: Path, data: bytes) -> bytes:
        """Store a new file, encrypted if a passphrase is set; return its content.

        `PluginExecutionError` if that fails; then the file does not exist.
        """
        name = self.check_passphrase()
        if self.context.read_only:
            self._unsaved[base] = data
            return data
        path, written = base, data
        if name is not None:
            path = base.with_name(base.name + ENCRYPTED_EXTENSION)
            written = Passphrases.of(self.context.settings).encrypt(data, name)
        mode = PRIVATE_MODE if self.is_secret else 0o666
        try:
            found = self.context.offload(create_durably, path, written, mode)
        except OSError as err:
            raise PluginExecutionError(f"{path}: cannot be written: {err.strerror}") from err
        log.info("%s: created %s", self.path, path)
        # If another process created the file first, use that one.
        return data if found == written else self.stored(base) or data

    def discard(self, base: Path) -> None:
        """Remove a stored file, because the file that belongs to it cannot be stored."""
        for path in self._files_of(base):
            path.unlink(missing_ok=True)

    def replace(self, path: Path, data: bytes) -> None:
        """Store a file that belongs to another one, replacing it if it exists; `PluginExecutionError` if that fails."""
        if self.context.read_only:
            return
        try:
            make_directories(path.parent)
            self.context.offload(write_durably, path, data)
        except OSError as err:
            raise PluginExecutionError(f"{path}: cannot be written: {err.strerror}") from err
        self.announce(path)


def base_file(directory: Path, specificity: Specificity) -> Path:
    """Return the path of a directory's file with a specificity, without an extension.

    `SpecificityError` if a file of this name would not be read as content for exactly these clients.
    """
    return directory / file_name(directory.name, specificity)
