"""Handlers: what a file in a directory of Cfg does, and how a file finds its handler.

A file is called ``<base>[.H_<host>|.G<priority>_<group>][.<extension>]``, where `base` is the last component of the
directory or one of the handler's own names. Handlers are asked in the order of their priority numbers, equal ones in
the order of their names; the first that fits takes the file.

To add a handler, write a class that derives from one or more of the kinds here and add a row to `HANDLERS`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from lxml import etree

from geventcore.errors import PluginInitError, RepositoryError
from geventcore.filemonitor import FileEvent
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.registry import load_object
from geventcore.plugins.cfg.content import Content
from geventcore.specfiles.specificity import SUFFIX, Specificity

if TYPE_CHECKING:
    from geventcore.plugins.cfg.info import Info

#: Name in ``[cfg] handlers`` -> ``module:class``.
HANDLERS: dict[str, str] = {
    "CfgAuthorizedKeysGenerator": "geventcore.plugins.cfg.authorized_keys:AuthorizedKeysGenerator",
    "CfgCheetahGenerator": "geventcore.plugins.cfg.unsupported:CheetahGenerator",
    "CfgEncryptedCheetahGenerator": "geventcore.plugins.cfg.unsupported:EncryptedCheetahGenerator",
    "CfgEncryptedGenerator": "geventcore.plugins.cfg.encrypted:EncryptedGenerator",
    "CfgEncryptedGenshiGenerator": "geventcore.plugins.cfg.encrypted:EncryptedGenshiGenerator",
    "CfgEncryptedJinja2Generator": "geventcore.plugins.cfg.encrypted:EncryptedJinja2Generator",
    "CfgExternalCommandVerifier": "geventcore.plugins.cfg.verifier:ExternalCommandVerifier",
    "CfgGenshiGenerator": "geventcore.plugins.cfg.templates:GenshiGenerator",
    "CfgInfoXML": "geventcore.plugins.cfg.info:InfoXML",
    "CfgJinja2Generator": "geventcore.plugins.cfg.templates:Jinja2Generator",
    "CfgPlaintextGenerator": "geventcore.plugins.cfg.plaintext:PlaintextGenerator",
    "CfgPrivateKeyCreator": "geventcore.plugins.cfg.ssh_key_creators:PrivateKeyCreator",
    "CfgPublicKeyCreator": "geventcore.plugins.cfg.ssh_key_creators:PublicKeyCreator",
    "CfgSSLCACertCreator": "geventcore.plugins.cfg.ssl_creators:SSLCACertCreator",
    "CfgSSLCAKeyCreator": "geventcore.plugins.cfg.ssl_creators:SSLCAKeyCreator",
}


class CfgHandler(ABC):
    """One file in a directory of Cfg.

    Class attributes:
        basenames: the names that the file may have; the directory's own last component if there are none.
        extensions: one of these has to follow, if there are any.
        ignored_extensions: files that end so belong to others (parts that templates include) and are dropped.
        is_specific: whether the name may say for whom the file is.
        priority: lower ones are asked first.
    """

    basenames: ClassVar[tuple[str, ...]] = ()
    extensions: ClassVar[tuple[str, ...]] = ()
    ignored_extensions: ClassVar[tuple[str, ...]] = ()
    is_specific: ClassVar[bool] = True
    priority: ClassVar[int] = 50

    def __init__(self, path: Path, specificity: Specificity, context: PluginContext) -> None:
        self.path = path
        self.specificity = specificity
        self.context = context

    @abstractmethod
    def handle_event(self, event: FileEvent) -> None:
        """The file exists or has changed: load it. `RepositoryError` if that fails; a last good version stays."""

    def read(self) -> bytes:
        """The bytes of the file; `RepositoryError` if it cannot be read."""
        try:
            return self.path.read_bytes()
        except OSError as err:
            raise RepositoryError(f"{self.path}: cannot be read: {err.strerror}") from err


class CfgGenerator(CfgHandler):
    """Makes the content of the file."""

    @property
    def content_for_all(self) -> Content | None:
        """The content, if it is the same for every client and can be had without any effect; else None."""
        return None

    @abstractmethod
    def get_content(self, entry: etree._Element, metadata: ClientMetadata) -> Content:
        """The content for a client; any exception makes the entry fail with its text."""


class CfgCreator(CfgHandler):
    """Creates what does not exist yet and stores it in the repository.

    Attributes:
        announce: to be called with each file below ``Cfg/`` that was written: it counts from then on.
    """

    announce: Callable[[Path], None]

    @abstractmethod
    def create_content(self, entry: etree._Element, metadata: ClientMetadata) -> Content:
        """Create the content for a client; asked if no generator has any. `PluginExecutionError` if that fails."""


class CfgInfo(CfgHandler):
    """Says what attributes the entry has."""

    @property
    def info_for_all(self) -> Info | None:
        """What the entry gets if that is the same for all clients and names; None if it has to be asked for."""
        return None

    @abstractmethod
    def info_for(self, name: str, metadata: ClientMetadata) -> Info | None:
        """What the entry that is requested as `name` gets; None if nothing in the file fits. `RepositoryError`."""


class CfgVerifier(CfgHandler):
    """Checks the content of the file. Of each class the file that is most specific for the client is asked."""

    @abstractmethod
    def verify(self, entry: etree._Element, metadata: ClientMetadata, data: bytes) -> None:
        """`PluginExecutionError` says what is wrong with the content."""


#: Every client; shared, because most files are for all.
FOR_ALL = Specificity()


@dataclass(frozen=True)
class _Pattern:
    """Which files a handler takes."""

    handler: type[CfgHandler]
    rest: re.Pattern[str]

    @classmethod
    def of(cls, handler: type[CfgHandler]) -> _Pattern:
        extension = rf"\.(?:{'|'.join(map(re.escape, handler.extensions))})" if handler.extensions else ""
        return cls(handler, re.compile((SUFFIX if handler.is_specific else "") + extension))

    def match(self, filename: str, base: str) -> Specificity | None:
        """For whom a file is, if this handler takes it."""
        for name in self.handler.basenames or (base,):
            if filename.startswith(name):
                match = self.rest.fullmatch(filename, len(name))
                if match is not None:
                    specificity = Specificity.of_match(match) if self.handler.is_specific else FOR_ALL
                    return FOR_ALL if specificity == FOR_ALL else specificity
        return None


class HandlerTable:
    """The handlers that are in use."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        """`names` as in ``[cfg] handlers``, with or without the leading ``Cfg``; none means all.

        `PluginInitError` if one does not exist or cannot be loaded.
        """
        rows = [self._row(name) for name in names] or list(HANDLERS)
        try:
            classes = {row: load_object(HANDLERS[row]) for row in rows}
        except (ImportError, AttributeError) as err:
            raise PluginInitError(f"[cfg] handlers: a handler cannot be loaded: {err}") from err
        self._patterns = [
            _Pattern.of(classes[row]) for row in sorted(classes, key=lambda row: (classes[row].priority, row))
        ]

    @staticmethod
    def _row(name: str) -> str:
        for candidate in (name, f"Cfg{name}"):
            if candidate in HANDLERS:
                return candidate
        raise PluginInitError(f"[cfg] handlers: there is no handler {name}; there are {', '.join(sorted(HANDLERS))}")

    def find(self, filename: str, base: str) -> tuple[type[CfgHandler], Specificity] | None:
        """Which handler takes a file of a directory whose last component is `base`, and for whom the file is.

        None if the file is to be left alone, `RepositoryError` if no handler knows it.
        """
        for pattern in self._patterns:
            specificity = pattern.match(filename, base)
            if specificity is not None:
                return pattern.handler, specificity
            if _ends_with(filename, pattern.handler.ignored_extensions):
                return None
        raise RepositoryError(f"{filename}: no handler of Cfg knows a file of this name here")


def _ends_with(filename: str, extensions: Iterable[str]) -> bool:
    return any(filename.endswith(f".{extension}") for extension in extensions)
