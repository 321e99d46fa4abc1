"""The plugin SSHbase: it serves host keys, creates missing ones, and generates the file of known hosts.

A missing key is created when a client requests it. Each key is created once, even with concurrent requests, and is used
at once. The private key is written first: after a crash, a missing public key is derived from it.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

from lxml import etree

from geventcore.crypt import ENCRYPTION_OPTIONS, Passphrases
from geventcore.errors import MetadataError, PluginExecutionError, RepositoryError
from geventcore.options import Option, types
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.explanation import Candidate, Explaining, Source, Sources
from geventcore.plugin.interfaces import Connector, DeclaredDependencies, Generator, PullTarget, Threaded
from geventcore.plugin.specificity import Specificity, file_name
from geventcore.plugins.cfg.content import Content
from geventcore.plugins.cfg.explaining import add_info_file
from geventcore.plugins.cfg.names import requested_name
from geventcore.plugins.ssh_keys import KeyPair, generate, public_key_of
from geventcore.plugins.sshbase.files import (
    BASES,
    ENCRYPTED_EXTENSION,
    KNOWN_HOSTS,
    PRIVATE_KEYS,
    PUBLIC_EXTENSION,
    PUBLIC_KEYS,
    HostFile,
    SSHbaseDirectory,
    text_of,
)
from geventcore.plugins.sshbase.known_hosts import KnownHosts
from geventcore.repository.durable_writes import write_durably
from geventcore.specfiles.creation import PathLocks, create_durably

log = logging.getLogger(__name__)

PASSPHRASE = Option(
    "sshbase",
    "passphrase",
    types.OPTIONAL_STRING,
    None,
    "The name of the passphrase, a key of the section [encryption], that encrypts new private host keys.\n\n"
    "Without it, keys are stored unencrypted.",
)

_DIRECTORY_ON_CLIENTS = "/etc/ssh"
_PRIVATE_MODE, _PUBLIC_MODE = "0600", "0644"
#: Keys of protocol 1, which are binary.
_IN_BASE64 = ("ssh_host_key", f"ssh_host_key{PUBLIC_EXTENSION}")


class SSHbase(Plugin, Generator, Connector, PullTarget, Threaded, DeclaredDependencies, Explaining):
    """A plugin that manages the SSH host keys of clients."""

    #: Its data are in memory.
    reuse_seconds: ClassVar[float] = 0
    name = "SSHbase"
    options = (PASSPHRASE, *ENCRYPTION_OPTIONS)

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._files = SSHbaseDirectory(self.directory, context, self._changed)
        self._known_hosts = KnownHosts(self._files, context)
        self._locks = PathLocks()
        self._looking = threading.Lock()
        #: The keys that a command which only looks at the site has created, and does not store.
        self._unsaved: dict[tuple[str, str], KeyPair] = {}
        self.entries = {"Path": {f"{_DIRECTORY_ON_CLIENTS}/{base}": self._bind for base in BASES}}

    def start_threads(self) -> None:
        # So the results are cached before the first client needs them.
        try:
            self._known_hosts.look_up_early()
        except MetadataError as err:
            log.info("cannot look up host names in advance: %s", err)

    def shutdown(self) -> None:
        super().shutdown()
        self._known_hosts.close()

    def _changed(self, base: str, specificity: Specificity) -> None:
        """Handle the addition, change or removal of a file."""
        if base in PRIVATE_KEYS or base == KNOWN_HOSTS:
            return
        self._known_hosts.forget()
        if base in PUBLIC_KEYS and self.context.cache_mode in ("cautious", "aggressive"):
            self.context.expire_metadata(specificity.hostname)

    def get_additional_data(self, metadata: ClientMetadata) -> Mapping[str, str]:
        """Return the client's public keys: file name, such as ``ssh_host_rsa_key.pub`` -> key."""
        best = {base: self._files.files[base].best(metadata) for base in PUBLIC_KEYS}
        return {base: file.text for base, file in best.items() if file is not None and file.text is not None}

    def dependencies(self, metadata: ClientMetadata) -> Hashable:
        """See `DeclaredDependencies`: the files for the client."""
        return tuple(files.best(metadata) for files in self._files.files.values())

    # -- binding

    def binding_key(self, entry: etree._Element, metadata: ClientMetadata) -> Hashable | None:
        """See `Generator`: the key and the attributes; None for a file that has to be made first."""
        base = entry.get("name", "").rpartition("/")[2]
        file = self._files.files[base].best(metadata)
        content = None if file is None else file.content
        if content is None or (content.text is None and base not in _IN_BASE64):
            return None
        info_file = self._files.info
        info = None if info_file is None else info_file.info_for_all
        return (content, info) if info is not None or info_file is None else None

    def _bind(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        base = entry.get("name", "").rpartition("/")[2]
        content = self._content(base, metadata)
        entry.set("owner", "root")
        entry.set("group", "root")
        entry.set("type", "file")
        entry.set("mode", _PRIVATE_MODE if base in PRIVATE_KEYS else _PUBLIC_MODE)
        if base in _IN_BASE64:
            entry.set("encoding", "base64")
        self._apply_info(entry, metadata)
        text = content.base64 if entry.get("encoding") == "base64" else text_of(content)
        if text:
            entry.text = text
        else:
            entry.text = None
            entry.set("empty", "true")

    def _apply_info(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        info_file = self._files.info
        if info_file is None:
            return
        info = info_file.info_for_all or info_file.info_for(requested_name(entry), metadata)
        if info is None:
            raise PluginExecutionError(f"{info_file.path}: no Info element applies to {metadata.hostname}")
        for name, value in info.attributes:
            entry.set(name, value)
        for acl in info.acls:
            entry.append(copy.deepcopy(acl))

    def _content(self, base: str, metadata: ClientMetadata) -> Content:
        file = self._files.files[base].best(metadata)
        if base == KNOWN_HOSTS and file is None:
            text = self._known_hosts.text_for(metadata)
            return Content.of_text(text, self.context.encoding, self.directory / KNOWN_HOSTS)
        if file is None and self.context.read_only:
            return self._unsaved_content(base, metadata)
        if file is None:
            file = self._make(base, metadata)
        return file.usable_content()

    def _unsaved_content(self, base: str, metadata: ClientMetadata) -> Content:
        """Return a key that is not stored, in place of the one that the server would create."""
        private = base.removesuffix(PUBLIC_EXTENSION)
        whose = (metadata.hostname, private)
        if whose not in self._unsaved:
            self._unsaved[whose] = generate(PRIVATE_KEYS[private])
        pair = self._unsaved[whose]
        data = pair.private if base == private else f"{pair.public} root@{metadata.hostname}\n".encode()
        return Content.of_bytes(data, self.context.encoding, self.directory / base)

    # -- explanations

    def explain_binding(self, entry: etree._Element, metadata: ClientMetadata) -> Sources:
        """See `Explaining`: the key file, and the attributes that every file has."""
        base = entry.get("name", "").rpartition("/")[2]
        fixed = Source(self.name, "plugin", text=f"every {base} has this")
        sources = Sources(dict.fromkeys(("owner", "group", "type", "mode", "encoding"), fixed))
        is_secret = base in PRIVATE_KEYS
        files = self._files.files.get(base)
        file = files.best(metadata) if files is not None else None
        if file is not None:
            sources.text = Source(self.name, "content", str(file.path), is_secret=is_secret)
        elif base == KNOWN_HOSTS:
            text = f"assembled from the public keys of all hosts in {self.directory}"
            sources.text = Source(self.name, "plugin", str(self.directory), text=text)
        else:
            text = "a key that the server makes when the host asks for it"
            sources.text = Source(self.name, "created", str(self.directory), text=text, is_secret=is_secret)
        for each in files or ():
            if each is not file and each.specificity.hostname is None:
                reason = (
                    "a more specific file exists" if each.specificity.matches(metadata) else "it is for another group"
                )
                sources.lost.append(Candidate(Source(self.name, "content", str(each.path)), reason))
        sources.attributes["empty"] = sources.text
        if self._files.info is not None:
            add_info_file(self.name, self._files.info, entry, metadata, sources)
        return sources

    @property
    def unsaved(self) -> list[bytes]:
        """The keys that a command which only looks at the site has created, and does not store."""
        return [data for pair in self._unsaved.values() for data in (pair.private, pair.public.encode())]

    # -- new keys

    def _make(self, base: str, metadata: ClientMetadata) -> HostFile:
        """Create the missing key, and its counterpart; `PluginExecutionError` if that fails."""
        private = base.removesuffix(PUBLIC_EXTENSION)
        own = Specificity(metadata.hostname)
        with self._locks.hold(self.directory / file_name(private, own)):
            # A concurrent request, or another process, may have created it.
            for name in (private, f"{private}{PUBLIC_EXTENSION}"):
                self._refresh(file_name(name, own))
            self._refresh(file_name(private, own) + ENCRYPTED_EXTENSION)
            if self._best(base, metadata) is None:
                self._make_pair(private, own, metadata)
        made = self._best(base, metadata)
        if made is None:
            raise PluginExecutionError(f"{self.directory / base}: the new key for {metadata.hostname} was removed")
        return made

    def _best(self, base: str, metadata: ClientMetadata) -> HostFile | None:
        return self._files.files[base].best(metadata)

    def _refresh(self, name: str) -> None:
        with self._looking:
            try:
                self._files.refresh(name)
            except RepositoryError as err:
                log.error("%s", err)

    def _make_pair(self, base: str, own: Specificity, metadata: ClientMetadata) -> None:
        private = self._best(base, metadata)
        if private is None:
            self._check_passphrase()
            try:
                pair = self.context.offload(generate, PRIVATE_KEYS[base])
            except PluginExecutionError as err:
                raise PluginExecutionError(f"no {base} for {metadata.hostname}: {err}") from err
            self._store_private(file_name(base, own), pair.private)
            private = self._best(base, metadata)
            if private is None:
                raise PluginExecutionError(f"{self.directory / base}{own.suffix}: the new key was removed")
        # This also derives the public key if another process created the private one.
        try:
            public = public_key_of(private.usable_content().as_bytes())
        except PluginExecutionError as err:
            raise PluginExecutionError(f"{private.path}: {err}") from err
        name = file_name(f"{base}{PUBLIC_EXTENSION}", private.specificity)
        whose = private.specificity.hostname or private.specificity.group or "all"
        self._write(name, f"{public} root@{whose}\n".encode())

    def _check_passphrase(self) -> None:
        """Raise `PluginExecutionError` if the passphrase does not exist, before the slow generation of a key."""
        name = self.context.settings[PASSPHRASE]
        if name and name not in Passphrases.of(self.context.settings):
            raise PluginExecutionError(f"[sshbase] passphrase = {name}: [encryption] has no passphrase of this name")

    def _store_private(self, name: str, data: bytes) -> None:
        passphrase = self.context.settings[PASSPHRASE]
        if passphrase:
            name += ENCRYPTED_EXTENSION
            data = Passphrases.of(self.context.settings).encrypt(data, passphrase)
        path = self.directory / name
        try:
            self.context.offload(create_durably, path, data, 0o600)
        except OSError as err:
            raise PluginExecutionError(f"{path}: cannot be written: {err.strerror}") from err
        log.info("created %s", path)
        self._refresh(name)

    def _write(self, name: str, data: bytes) -> None:
        path = self.directory / name
        try:
            self.context.offload(write_durably, path, data)
        except OSError as err:
            raise PluginExecutionError(f"{path}: cannot be written: {err.strerror}") from err
        self._refresh(name)

    # -- importing files of clients

    def accept_choices(self, entry: etree._Element, metadata: ClientMetadata) -> list[Specificity]:
        """Return the host as the only choice: a key belongs to its host."""
        return [Specificity(metadata.hostname)]

    def accept_pull_data(self, specific: Specificity, new_entry: Mapping[str, Any], verbose: bool) -> None:
        """Store the file for the host."""
        base = str(new_entry["name"]).rpartition("/")[2]
        if base not in BASES:
            raise PluginExecutionError(f"{new_entry['name']} is not a file of SSHbase")
        data = new_entry["text"]
        name = file_name(base, specific)
        self._write(name, data.encode(self.context.encoding) if isinstance(data, str) else data)
        if verbose:
            log.info("stored %s", self.directory / name)
