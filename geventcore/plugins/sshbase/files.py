"""The files in the directory ``SSHbase/``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from geventcore.crypt import LAX_DECRYPTION, EncryptionError, Passphrases
from geventcore.errors import PluginExecutionError, RepositoryError
from geventcore.filemonitor import NOTHING, Effect, EventHandler, FileAction, FileEvent
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.specificity import FOR_ALL, Specificity, parse_file_name
from geventcore.plugins.cfg.content import Content
from geventcore.plugins.cfg.info import InfoXML
from geventcore.plugins.cfg.legacy_info import LegacyInfo
from geventcore.regular_files import read_file
from geventcore.specfiles.most_specific import Candidates

log = logging.getLogger(__name__)

PUBLIC_EXTENSION = ".pub"
ENCRYPTED_EXTENSION = ".crypt"
KNOWN_HOSTS = "ssh_known_hosts"
#: Base name of a private key -> its type as ``ssh-keygen -t`` calls it.
PRIVATE_KEYS = {
    "ssh_host_dsa_key": "dsa",
    "ssh_host_ecdsa_key": "ecdsa",
    "ssh_host_ed25519_key": "ed25519",
    "ssh_host_key": "rsa1",
    "ssh_host_rsa_key": "rsa",
}
PUBLIC_KEYS = tuple(f"{name}{PUBLIC_EXTENSION}" for name in PRIVATE_KEYS)
BASES = (*PRIVATE_KEYS, *PUBLIC_KEYS, KNOWN_HOSTS)

_STATIC_EXTENSION = ".static"
#: The files with attributes -> their classes; the first one that exists is used.
_INFOS: dict[str, type[InfoXML] | type[LegacyInfo]] = {
    "info.xml": InfoXML,
    **dict.fromkeys(LegacyInfo.basenames, LegacyInfo),
}


class HostFile:
    """A key or a file of known hosts.

    Attributes:
        path, specificity: the file, and the clients that it is for.
        content: its content; None if it is not usable.
    """

    def __init__(self, path: Path, specificity: Specificity, content: Content | None, problem: str) -> None:
        self.path = path
        self.specificity = specificity
        self.content = content
        self._problem = problem

    def usable_content(self) -> Content:
        """Return the content; `PluginExecutionError` if it is not usable."""
        if self.content is None:
            raise PluginExecutionError(self._problem)
        return self.content

    @property
    def text(self) -> str | None:
        """The content as text; None if it is not usable or not text."""
        try:
            return text_of(self.usable_content())
        except PluginExecutionError:
            return None


def text_of(content: Content) -> str:
    """Return the text of a file; `PluginExecutionError` if it is not text."""
    text = content.text
    if text is None:
        return content.decode()
    return text.decode("ascii") if isinstance(text, bytes) else text


class HostFiles:
    """The files with one base name. Adding or removing a host's file takes constant time."""

    def __init__(self) -> None:
        self._by_host: dict[str, dict[str, HostFile]] = {}
        self._others: dict[str, HostFile] = {}
        self._candidates: Candidates[HostFile] | None = None

    def put(self, file: HostFile) -> None:
        """Add or replace a file; an unusable file does not replace a good one."""
        name, host = file.path.name, file.specificity.hostname
        files = self._others if host is None else self._by_host.setdefault(host, {})
        if file.content is None and name in files and files[name].content is not None:
            return
        if host is not None:
            files[name] = file
        else:
            self._others = {**files, name: file}
            self._candidates = None

    def drop(self, name: str, specificity: Specificity) -> None:
        """Remove a file."""
        host = specificity.hostname
        if host is None:
            self._others = {other: file for other, file in self._others.items() if other != name}
            self._candidates = None
        elif host in self._by_host:
            self._by_host[host].pop(name, None)

    def best(self, metadata: ClientMetadata) -> HostFile | None:
        """Return the most specific file for a client; of equally specific ones, the first by name."""
        own = self._by_host.get(metadata.hostname)
        if own:
            return own[min(own)]
        candidates = self._candidates
        if candidates is None:
            candidates = self._candidates = Candidates(self._others.values())
        return candidates.best(metadata)

    def __iter__(self) -> Iterator[HostFile]:
        """Iterate over the files: first the one for all, then sorted by host or group."""
        files = [*self._others.values(), *(file for own in list(self._by_host.values()) for file in list(own.values()))]
        return iter(
            sorted(files, key=lambda file: (file.specificity.hostname or file.specificity.group or "", file.path.name))
        )


class SSHbaseDirectory(EventHandler):
    """The watched directory.

    Attributes:
        path: the directory.
        files: base name -> its files.
    """

    def __init__(self, path: Path, context: PluginContext, on_change: Callable[[str, Specificity], None]) -> None:
        """Call `on_change` with the base name and the specificity of each changed file."""
        self.path = path
        self.files = {base: HostFiles() for base in BASES}
        self._infos: dict[str, InfoXML | LegacyInfo] = {}
        self._static: dict[str, str] = {}
        self._context = context
        self._on_change = on_change
        context.file_monitor.add_monitor(str(path), self)

    @property
    def static_lines(self) -> list[str]:
        """Return the contents of the ``*.static`` files, sorted by name, without trailing white space."""
        return [text for _, text in sorted(self._static.items()) if text]

    @property
    def info(self) -> InfoXML | LegacyInfo | None:
        """The attributes of all files: ``info.xml``, else ``:info`` or ``info``; None if there is none of them."""
        return next((self._infos[name] for name in _INFOS if name in self._infos), None)

    def handle_event(self, event: FileEvent) -> None:
        """Load or drop the file of an event; `RepositoryError` if it is not usable."""
        if event.action is not FileAction.END_EXIST and not Path(event.filename).is_absolute():
            self.refresh(event.filename, event)

    def effect_of(self, event: FileEvent) -> Effect:
        """See `TellsEffect`: the keys of a client are what the plugin depends on."""
        return NOTHING if event.action is FileAction.END_EXIST or _parse(event.filename) is not None else None

    def refresh(self, name: str, event: FileEvent | None = None) -> None:
        """Update a file from the disk."""
        path = self.path / name
        exists = path.is_file()
        parsed = _parse(name)
        if parsed is not None:
            self._refresh_host_file(path, exists, *parsed)
        elif name in _INFOS:
            if not exists:
                self._infos.pop(name, None)
                return
            if name not in self._infos:
                self._infos[name] = _INFOS[name](path, FOR_ALL, self._context)
            self._infos[name].handle_event(event or FileEvent(str(self.path), name, FileAction.CHANGED))
        elif name.endswith(_STATIC_EXTENSION):
            if exists:
                data = _read(path)
                self._static[name] = text_of(Content.of_bytes(data, self._context.encoding, path)).rstrip()
            else:
                self._static.pop(name, None)
            self._on_change(_STATIC_EXTENSION, FOR_ALL)
        elif exists:
            log.error("%s: ignoring this file, its name is not valid in this directory", path)

    def _refresh_host_file(self, path: Path, exists: bool, base: str, specificity: Specificity, extension: str) -> None:
        if exists:
            content, problem = self._load(path, encrypted=bool(extension))
            # An unusable file is stored, too, so that no new key is created in its place.
            self.files[base].put(HostFile(path, specificity, content, problem))
        else:
            self.files[base].drop(path.name, specificity)
            problem = ""
        self._on_change(base, specificity)
        if problem:
            raise RepositoryError(problem)

    def _load(self, path: Path, encrypted: bool) -> tuple[Content | None, str]:
        """Return the content, or None and the problem."""
        settings = self._context.settings
        try:
            data = _read(path)
            if encrypted:
                try:
                    data = Passphrases.of(settings).decrypt_any(data)
                except EncryptionError as err:
                    if not settings[LAX_DECRYPTION]:
                        raise EncryptionError(f"{path}: cannot be decrypted: {err}") from err
                    log.debug("%s: delivering this file encrypted: %s", path, err)
        except RepositoryError as err:
            return None, str(err)
        return Content.of_bytes(data, self._context.encoding, path), ""


def _parse(name: str) -> tuple[str, Specificity, str] | None:
    """Return the base name, specificity and extension of a key or a file of known hosts; None for another file."""
    for base in BASES:
        parts = parse_file_name(name, base)
        if parts is not None and parts.extension in ("", ENCRYPTED_EXTENSION.removeprefix(".")):
            return base, *parts
    return None


def _read(path: Path) -> bytes:
    try:
        return read_file(path)
    except OSError as err:
        raise RepositoryError(f"{path}: cannot be read: {err.strerror}") from err
