"""What is in the directory ``SSHbase/``."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from geventcore.crypt import LAX_DECRYPTION, EncryptionError, Passphrases
from geventcore.errors import PluginExecutionError, RepositoryError
from geventcore.filemonitor import EventHandler, FileAction, FileEvent
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugins.cfg.content import Content
from geventcore.plugins.cfg.handlers import FOR_ALL
from geventcore.plugins.cfg.info import InfoXML
from geventcore.specfiles.specificity import SUFFIX, Candidates, Specificity

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

_NAME = re.compile(rf"(?P<base>{'|'.join(map(re.escape, BASES))}){SUFFIX}(?P<encrypted>{re.escape('.crypt')})?")
_STATIC_EXTENSION = ".static"
_INFO = "info.xml"


class HostFile:
    """A key or a file of known hosts.

    Attributes:
        path, specificity: which file, and for whom it is.
        content: None if it cannot be used.
    """

    def __init__(self, path: Path, specificity: Specificity, content: Content | None, problem: str) -> None:
        self.path = path
        self.specificity = specificity
        self.content = content
        self._problem = problem

    def usable_content(self) -> Content:
        """The content; `PluginExecutionError` says why there is none."""
        if self.content is None:
            raise PluginExecutionError(self._problem)
        return self.content

    @property
    def text(self) -> str | None:
        """The content as text; None if there is none, or if it is none."""
        try:
            return text_of(self.usable_content())
        except PluginExecutionError:
            return None


def text_of(content: Content) -> str:
    """The text of a file; `PluginExecutionError` if it is none."""
    text = content.text
    if text is None:
        return content.decode()
    return text.decode("ascii") if isinstance(text, bytes) else text


class HostFiles:
    """The files of one base name. Files of hosts come and go in no time, however many there are."""

    def __init__(self) -> None:
        self._by_host: dict[str, dict[str, HostFile]] = {}
        self._others: dict[str, HostFile] = {}
        self._candidates: Candidates[HostFile] | None = None

    def put(self, file: HostFile) -> None:
        """A file has come, or has changed; one that cannot be used does not replace a good one."""
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
        """A file is gone."""
        host = specificity.hostname
        if host is None:
            self._others = {other: file for other, file in self._others.items() if other != name}
            self._candidates = None
        elif host in self._by_host:
            self._by_host[host].pop(name, None)

    def best(self, metadata: ClientMetadata) -> HostFile | None:
        """The most specific file for a client; of equals the one whose name comes first."""
        own = self._by_host.get(metadata.hostname)
        if own:
            return own[min(own)]
        candidates = self._candidates
        if candidates is None:
            candidates = self._candidates = Candidates(self._others.values())
        return candidates.best(metadata)

    def __iter__(self) -> Iterator[HostFile]:
        """All of them, sorted by host or group; one for all comes first."""
        files = [*self._others.values(), *(file for own in list(self._by_host.values()) for file in list(own.values()))]
        return iter(
            sorted(files, key=lambda file: (file.specificity.hostname or file.specificity.group or "", file.path.name))
        )


class SSHbaseDirectory(EventHandler):
    """The files, kept up to date.

    Attributes:
        path: the directory.
        files: base name -> its files.
        info: ``info.xml``, or None if there is none.
    """

    def __init__(self, path: Path, context: PluginContext, on_change: Callable[[str, Specificity], None]) -> None:
        """`on_change` is called with the base name and the specificity of what has changed."""
        self.path = path
        self.files = {base: HostFiles() for base in BASES}
        self.info: InfoXML | None = None
        self._static: dict[str, str] = {}
        self._context = context
        self._on_change = on_change
        context.file_monitor.add_monitor(str(path), self)

    @property
    def static_lines(self) -> list[str]:
        """The contents of the ``*.static`` files in the order of their names, without white space at their ends."""
        return [text for _, text in sorted(self._static.items()) if text]

    def handle_event(self, event: FileEvent) -> None:
        """Load or drop what an event is about; `RepositoryError` if it cannot be used."""
        if event.action is not FileAction.END_EXIST and not Path(event.filename).is_absolute():
            self.look_at(event.filename, event)

    def look_at(self, name: str, event: FileEvent | None = None) -> None:
        """Compare what is known of a file with the disk."""
        path = self.path / name
        exists = path.is_file()
        match = _NAME.fullmatch(name)
        if match is not None:
            self._look_at_host_file(path, exists, match)
        elif name == _INFO:
            if exists and self.info is None:
                self.info = InfoXML(path, FOR_ALL, self._context)
            if not exists:
                self.info = None
            elif self.info is not None:
                self.info.handle_event(event or FileEvent(str(self.path), name, FileAction.CHANGED))
        elif name.endswith(_STATIC_EXTENSION):
            if exists:
                data = _read(path)
                self._static[name] = text_of(Content.of_bytes(data, self._context.encoding, path)).rstrip()
            else:
                self._static.pop(name, None)
            self._on_change(_STATIC_EXTENSION, FOR_ALL)
        elif exists:
            log.error("%s: a file that does not belong here is ignored", path)

    def _look_at_host_file(self, path: Path, exists: bool, match: re.Match[str]) -> None:
        base, specificity = match["base"], Specificity.of_match(match)
        if exists:
            content, problem = self._load(path, encrypted=match["encrypted"] is not None)
            # A file that cannot be used counts, too: no other key is to be made in its place.
            self.files[base].put(HostFile(path, specificity, content, problem))
        else:
            self.files[base].drop(path.name, specificity)
            problem = ""
        self._on_change(base, specificity)
        if problem:
            raise RepositoryError(problem)

    def _load(self, path: Path, encrypted: bool) -> tuple[Content | None, str]:
        """The content, or what is wrong."""
        settings = self._context.settings
        try:
            data = _read(path)
            if encrypted:
                try:
                    data = Passphrases.of(settings).decrypt_any(data)
                except EncryptionError as err:
                    if not settings[LAX_DECRYPTION]:
                        raise EncryptionError(f"{path}: cannot be decrypted: {err}") from err
                    log.debug("%s: stays encrypted: %s", path, err)
        except RepositoryError as err:
            return None, str(err)
        return Content.of_bytes(data, self._context.encoding, path), ""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        raise RepositoryError(f"{path}: cannot be read: {err.strerror}") from err
