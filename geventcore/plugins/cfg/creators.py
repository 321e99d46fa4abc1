"""What creators have in common: XML files that say what is to be made, and the files that are made.

What a creator makes is stored next to its XML file, as ``<base>.H_<host>``, or as ``<base>.G<priority>_<group>`` if
there is a category of groups that share it: the attribute ``category`` of the root element, else an option. The
attribute ``perhost="true"`` overrules both, ``priority`` is that of the name (50). With a passphrase configured,
secrets are encrypted and get ``.crypt`` at the end.

Each file is made once, however many clients ask at the same time, and counts at once: nobody waits for the file
monitor. A file that exists is never made anew; remove it for that.
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
from geventcore.plugins.cfg.content import Content
from geventcore.plugins.cfg.handlers import CfgCreator
from geventcore.plugins.cfg.options import CATEGORY, PASSPHRASE
from geventcore.specfiles.creation import PathLocks, create_durably
from geventcore.specfiles.durable import write_durably
from geventcore.specfiles.specificity import Specificity
from geventcore.specfiles.structfile import StructFile

log = logging.getLogger(__name__)

DEFAULT_PRIORITY = 50
PRIVATE_MODE = 0o600
ENCRYPTED_EXTENSION = ".crypt"

_locks = PathLocks()


class XMLCreator(CfgCreator):
    """A creator that an XML file instructs.

    Class attributes:
        category_option, passphrase_option: those that are asked before the options of ``[cfg]``.
        is_secret: whether what it makes is encrypted and kept from others.
    """

    is_specific = False
    priority = 0
    category_option: ClassVar[Option[str | None]] = CATEGORY
    passphrase_option: ClassVar[Option[str | None]] = PASSPHRASE
    is_secret: ClassVar[bool] = False

    def __init__(self, path: Path, specificity: Specificity, context: PluginContext) -> None:
        super().__init__(path, specificity, context)
        self._file = StructFile(path, context, monitor_self=False)

    def handle_event(self, event: FileEvent) -> None:
        self._file.handle_event(event)

    @abstractmethod
    def create(self, instructions: etree._Element, specificity: Specificity, metadata: ClientMetadata) -> bytes:
        """Make and `store` what does not exist; returns what is stored. Nobody else here makes it meanwhile."""

    def create_content(self, entry: etree._Element, metadata: ClientMetadata) -> Content:
        instructions = self._file.xml_match(metadata)
        self.prepare_for(instructions, metadata)
        specificity = self.specificity_for(instructions, metadata)
        base = base_file(self.path.parent, specificity)
        with _locks.hold(base):
            data = self.stored(base)
            if data is None:
                data = self.create(instructions, specificity, metadata)
                for path in self._files_of(base):
                    self.announce(path)
        return Content.of_bytes(data, self.context.encoding, base)

    def prepare_for(self, instructions: etree._Element, metadata: ClientMetadata) -> None:
        """Have made what is needed from other creators, before any lock is taken."""

    def specificity_for(self, instructions: etree._Element, metadata: ClientMetadata) -> Specificity:
        """For whom a new file is to be; `PluginExecutionError` if the instructions make no sense."""
        settings = self.context.settings
        category = instructions.get("category") or settings[self.category_option] or settings[CATEGORY]
        if not category or instructions.get("perhost", "false").lower() == "true":
            return Specificity(metadata.hostname)
        group = metadata.group_in_category(category)
        if not group:
            log.info("%s: %s has no group in category %s; it gets its own", self.path, metadata.hostname, category)
            return Specificity(metadata.hostname)
        return Specificity(group=group, priority=self.number(instructions, "priority", DEFAULT_PRIORITY))

    def number(self, element: etree._Element, attribute: str, default: int) -> int:
        """An attribute that is a whole number of at least 0; `PluginExecutionError` if it is not."""
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
        """What is in a file of this base, encrypted or not; None if there is none."""
        for path in self._files_of(base):
            try:
                data = path.read_bytes()
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
        """The name of the passphrase to encrypt with, None for none; `PluginExecutionError` if it does not exist."""
        settings = self.context.settings
        name = settings[self.passphrase_option] or settings[PASSPHRASE]
        if not name or not self.is_secret:
            return None
        if name not in Passphrases.of(settings):
            raise PluginExecutionError(f"{self.path}: [encryption] has no passphrase {name}")
        return name

    def store(self, base: Path, data: bytes) -> bytes:
        """Store a new file, encrypted if that is wanted; returns what is in it now.

        `PluginExecutionError` if that fails; then there is no file.
        """
        name = self.check_passphrase()
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
        # If another process was faster, its file is the one.
        return data if found == written else self.stored(base) or data

    def discard(self, base: Path) -> None:
        """Remove what `store` has stored, because what belongs to it cannot be stored."""
        for path in self._files_of(base):
            path.unlink(missing_ok=True)

    def replace(self, path: Path, data: bytes) -> None:
        """Store a file that belongs to another one, whatever was there; `PluginExecutionError` if that fails."""
        try:
            path.parent.mkdir(exist_ok=True)
            self.context.offload(write_durably, path, data)
        except OSError as err:
            raise PluginExecutionError(f"{path}: cannot be written: {err.strerror}") from err
        self.announce(path)


def base_file(directory: Path, specificity: Specificity) -> Path:
    """The file of a directory that is for somebody, without an extension."""
    return directory / f"{directory.name}{specificity.suffix}"
