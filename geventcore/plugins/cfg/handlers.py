"""Handlers: the roles of files in a directory of Cfg, and the lookup of a file's handler.

A file has the name ``<base>[.H_<host>|.G<priority>_<group>][.<extension>]``, where `base` is the last component of the
directory or one of the handler's own names. Handlers are tried in the order of their priority numbers, equal ones in
the order of their names; the first that matches the name is used.

To add a handler, write a class that derives from one or more of the kinds here and add a row to `HANDLERS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from lxml import etree

from geventcore.errors import PluginInitError, RepositoryError, SpecificityError
from geventcore.filemonitor import FileEvent
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.registry import load_object
from geventcore.plugin.specificity import Specificity, file_name, parse_file_name
from geventcore.plugins.cfg.content import Content
from geventcore.regular_files import read_file

#: Name in ``[cfg] handlers`` -> ``module:class``.
HANDLERS: dict[str, str] = {
    "CfgAuthorizedKeysGenerator": "geventcore.plugins.cfg.authorized_keys:AuthorizedKeysGenerator",
    "CfgCatFilter": "geventcore.plugins.cfg.deltas:CatDelta",
    "CfgCheetahGenerator": "geventcore.plugins.cfg.templates:CheetahGenerator",
    "CfgDiffFilter": "geventcore.plugins.cfg.deltas:DiffDelta",
    "CfgEncryptedCheetahGenerator": "geventcore.plugins.cfg.encrypted:EncryptedCheetahGenerator",
    "CfgEncryptedGenerator": "geventcore.plugins.cfg.encrypted:EncryptedGenerator",
    "CfgEncryptedGenshiGenerator": "geventcore.plugins.cfg.encrypted:EncryptedGenshiGenerator",
    "CfgEncryptedJinja2Generator": "geventcore.plugins.cfg.encrypted:EncryptedJinja2Generator",
    "CfgExternalCommandVerifier": "geventcore.plugins.cfg.verifier:ExternalCommandVerifier",
    "CfgGenshiGenerator": "geventcore.plugins.cfg.templates:GenshiGenerator",
    "CfgInfoXML": "geventcore.plugins.cfg.info:InfoXML",
    "CfgJinja2Generator": "geventcore.plugins.cfg.templates:Jinja2Generator",
    "CfgLegacyInfo": "geventcore.plugins.cfg.legacy_info:LegacyInfo",
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
        extensions: one of these has to follow, if there are any. Each consists of
            `geventcore.plugin.specificity.EXTENSIONS`, joined by dots.
        ignored_extensions: extensions of files to ignore, such as parts that templates include.
        is_specific: true if the name may have a suffix for a host or a group.
        priority: handlers are tried in this order, lowest first.
        yields_to_content: true if a file with the name of its directory is content, although it is in `basenames`.
    """

    basenames: ClassVar[tuple[str, ...]] = ()
    extensions: ClassVar[tuple[str, ...]] = ()
    ignored_extensions: ClassVar[tuple[str, ...]] = ()
    is_specific: ClassVar[bool] = True
    priority: ClassVar[int] = 50
    yields_to_content: ClassVar[bool] = False

    def __init__(self, path: Path, specificity: Specificity, context: PluginContext) -> None:
        self.path = path
        self.specificity = specificity
        self.context = context

    @abstractmethod
    def handle_event(self, event: FileEvent) -> None:
        """Load the file, which exists or has changed. `RepositoryError` if that fails; the last good version stays."""

    def read(self) -> bytes:
        """Read the bytes of the file; `RepositoryError` if that fails."""
        try:
            return read_file(self.path)
        except OSError as err:
            raise RepositoryError(f"{self.path}: cannot be read: {err.strerror}") from err


class CfgGenerator(CfgHandler):
    """A handler that generates the content."""

    @property
    def content_for_all(self) -> Content | None:
        """The content, if it is the same for every client and generating it has no side effect; else None."""
        return None

    def tracked_content(self, entry: etree._Element, metadata: ClientMetadata) -> Content | None:
        """Return the content, if it depends on nothing but what is recorded of the client's metadata; else None.

        The same object is returned for as long as that is the same.
        """
        return self.content_for_all

    @abstractmethod
    def get_content(self, entry: etree._Element, metadata: ClientMetadata) -> Content:
        """Return the content for a client; any exception makes the entry fail with its text."""


class CfgCreator(CfgHandler):
    """A handler that creates missing content and stores it in the repository.

    Attributes:
        announce: a function to call with each written file below ``Cfg/``, so that it is used at once.
    """

    announce: Callable[[Path], None]

    @abstractmethod
    def create_content(self, entry: etree._Element, metadata: ClientMetadata) -> Content:
        """Create the content for a client, if no generator has any. `PluginExecutionError` if that fails."""


@dataclass(frozen=True, eq=False)
class Info:
    """The attributes and access control lists that ``info.xml`` gives an entry.

    Attributes:
        attributes: pairs of name and value.
        acls: ``ACL`` elements to copy.
    """

    attributes: tuple[tuple[str, str], ...]
    acls: tuple[etree._Element, ...] = ()

    @property
    def inherits_mode(self) -> bool:
        """True if the mode is that of the file in the repository."""
        return ("mode", "inherit") in self.attributes


class CfgInfo(CfgHandler):
    """A handler that provides the attributes of the entry.

    Class attributes:
        rank: of several such files in a directory, the one with the lowest rank is used.
    """

    rank: ClassVar[int] = 0

    @property
    def info_for_all(self) -> Info | None:
        """The attributes, if they are the same for all clients and names; else None, and `info_for` has them."""
        return None

    @abstractmethod
    def info_for(self, name: str, metadata: ClientMetadata) -> Info | None:
        """Return the attributes of the entry requested as `name`; None if no ``Info`` applies. `RepositoryError`."""


class CfgDelta(CfgHandler):
    """A handler that changes generated content."""

    @abstractmethod
    def change(self, content: Content) -> Content:
        """Return the changed content; `PluginExecutionError` if the delta cannot be applied."""


class CfgVerifier(CfgHandler):
    """A handler that verifies the content. Of each class, the most specific file for the client is used."""

    @abstractmethod
    def verify(self, entry: etree._Element, metadata: ClientMetadata, data: bytes) -> None:
        """Verify the content; `PluginExecutionError`, with the reason, if it is rejected."""


@dataclass(frozen=True)
class _Pattern:
    """The pattern of the names of a handler's files. Handlers that are not in use have one, too."""

    handler: type[CfgHandler]
    is_in_use: bool

    def match(self, filename: str, base: str) -> Specificity | None:
        """Return the specificity of a file, or None if its name does not match."""
        for name in self.handler.basenames or (base,):
            if self.handler.yields_to_content and name == base:
                continue
            parts = parse_file_name(filename, name)
            if (
                parts is not None
                and parts.extension in (self.handler.extensions or ("",))
                and (self.handler.is_specific or parts.specificity.is_for_all)
            ):
                return parts.specificity
        return None


class HandlerTable:
    """The table of the handlers, of which some may not be in use."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        """Load the handlers in `names`, with or without the leading ``Cfg``; all if `names` is empty.

        `PluginInitError` if a handler does not exist or cannot be loaded.
        """
        rows = [self._row(name) for name in names] or list(HANDLERS)
        try:
            classes = {row: load_object(HANDLERS[row]) for row in HANDLERS}
        except (ImportError, AttributeError) as err:
            raise PluginInitError(f"[cfg] handlers: a handler cannot be loaded: {err}") from err
        order = sorted(classes, key=lambda row: (classes[row].priority, row))
        self._patterns = [
            _Pattern(classes[row], row in rows) for row in order if not issubclass(classes[row], CfgDelta)
        ]
        self._deltas = [(classes[row], row in rows) for row in order if issubclass(classes[row], CfgDelta)]

    @classmethod
    def of_classes(cls, classes: Sequence[type[CfgHandler]]) -> HandlerTable:
        """Create the table of a plugin with handlers of its own."""
        table = cls.__new__(cls)
        table._patterns = [_Pattern(handler, True) for handler in sorted(classes, key=lambda handler: handler.priority)]
        table._deltas = []
        return table

    @staticmethod
    def _row(name: str) -> str:
        for candidate in (name, f"Cfg{name}"):
            if candidate in HANDLERS:
                return candidate
        raise PluginInitError(f"[cfg] handlers: unknown handler {name}; expected {', '.join(sorted(HANDLERS))}")

    def find(self, filename: str, base: str) -> tuple[type[CfgHandler], Specificity] | None:
        """Find the handler and the specificity of a file in a directory whose last component is `base`.

        None if the file is ignored; `RepositoryError` if no handler matches its name, or one that is not in use.
        """
        for pattern in self._patterns:
            specificity = pattern.match(filename, base)
            if specificity is not None and pattern.is_in_use:
                return pattern.handler, specificity
            if specificity is not None:
                break
            if pattern.is_in_use and _ends_with(filename, pattern.handler.ignored_extensions):
                return None
        raise RepositoryError(f"{filename}: no Cfg handler accepts a file with this name")

    def plain_file_name(self, base: str, specificity: Specificity) -> str:
        """Return the name under which a client's own content is stored.

        The file of this name delivers its bytes to exactly these clients. `SpecificityError` if no name does that.
        """
        name = self.created_file_name(base, specificity)
        try:
            found = self.find(name, base)
        except RepositoryError:
            found = None
        if found is None or found[1] != specificity or found[0].extensions or not issubclass(found[0], CfgGenerator):
            raise SpecificityError(f"cannot store the file {name!r}: it would not be read as plain text")
        return name

    def created_file_name(self, base: str, specificity: Specificity) -> str:
        """Return the name under which the server stores a new file. `SpecificityError` if it would be misread.

        A file for ``www.example.cat`` would be a delta for ``www.example`` once the former is no client any more.
        """
        name = file_name(base, specificity)
        delta = self.find_delta(name, base)
        if delta is not None and delta[2]:
            raise SpecificityError(f"cannot store the file {name!r}: it would also be a delta ([cfg] handlers)")
        return name

    def find_left_out(self, filename: str, base: str) -> tuple[type[CfgHandler], Specificity] | None:
        """Find the handler that would be used for a file if ``[cfg] handlers`` did not leave it out, or None."""
        for pattern in self._patterns:
            specificity = pattern.match(filename, base)
            if specificity is not None:
                return None if pattern.is_in_use else (pattern.handler, specificity)
        return None

    def find_delta(self, filename: str, base: str) -> tuple[type[CfgDelta], Specificity, bool] | None:
        """Find the handler of a delta, its specificity, and true if the handler is in use; None for another file.

        The same file may be content, for a host or group whose name ends like the delta; see `deltas`.
        """
        for handler, is_in_use in self._deltas:
            for extension in handler.extensions:
                name = filename.removesuffix(f".{extension}")
                parts = parse_file_name(name, base) if name != filename else None
                if parts is not None and not parts.extension:
                    return handler, parts.specificity, is_in_use
        return None


@lru_cache(maxsize=16)
def handler_table(names: tuple[str, ...] = ()) -> HandlerTable:
    """Return the shared table of the handlers in ``[cfg] handlers``."""
    return HandlerTable(names)


def _ends_with(filename: str, extensions: Iterable[str]) -> bool:
    return any(filename.endswith(f".{extension}") for extension in extensions)
