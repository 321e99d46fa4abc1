"""The plugin: serves host keys, makes those that are missing, and puts the file of known hosts together.

A client that asks for a key of which there is none gets a pair of its own, made on the spot. Each is made once, whoever
asks, and counts at once. The private key is written first: a public key that is missing after a crash is derived from
it.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Mapping
from typing import Any

from lxml import etree

from geventcore.crypt import ENCRYPTION_OPTIONS, Passphrases
from geventcore.errors import MetadataError, PluginExecutionError, RepositoryError
from geventcore.options import Option, types
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Connector, Generator, PullTarget, Threaded
from geventcore.plugins.cfg.content import Content
from geventcore.plugins.cfg.names import requested_name
from geventcore.plugins.ssh_keys import generate, public_key_of
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
from geventcore.specfiles.creation import PathLocks, create_durably
from geventcore.specfiles.durable import write_durably
from geventcore.specfiles.specificity import Specificity

log = logging.getLogger(__name__)

PASSPHRASE = Option(
    "sshbase",
    "passphrase",
    types.OPTIONAL_STRING,
    None,
    "The name of the passphrase, a key of the section [encryption], that encrypts new private host keys.\n\n"
    "Without one they are stored as they are.",
)

_DIRECTORY_ON_CLIENTS = "/etc/ssh"
_PRIVATE_MODE, _PUBLIC_MODE = "0600", "0644"
#: Keys of protocol 1 are no text.
_IN_BASE64 = ("ssh_host_key", f"ssh_host_key{PUBLIC_EXTENSION}")


class SSHbase(Plugin, Generator, Connector, PullTarget, Threaded):
    """Manages the SSH host keys of clients."""

    name = "SSHbase"
    options = (PASSPHRASE, *ENCRYPTION_OPTIONS)

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._files = SSHbaseDirectory(self.directory, context, self._changed)
        self._known_hosts = KnownHosts(self._files, context)
        self._locks = PathLocks()
        self._looking = threading.Lock()
        self.entries = {"Path": {f"{_DIRECTORY_ON_CLIENTS}/{base}": self._bind for base in BASES}}

    def start_threads(self) -> None:
        # The answers are there before the first client asks for them.
        try:
            self._known_hosts.look_up_early()
        except MetadataError as err:
            log.info("host names are looked up when a client asks for them: %s", err)

    def shutdown(self) -> None:
        super().shutdown()
        self._known_hosts.close()

    def _changed(self, base: str, specificity: Specificity) -> None:
        """A file has come, changed or gone."""
        if base in PRIVATE_KEYS or base == KNOWN_HOSTS:
            return
        self._known_hosts.forget()
        if base in PUBLIC_KEYS and self.context.cache_mode in ("cautious", "aggressive"):
            self.context.expire_metadata(specificity.hostname)

    def get_additional_data(self, metadata: ClientMetadata) -> Mapping[str, str]:
        """Name of the file, such as ``ssh_host_rsa_key.pub`` -> the client's public key."""
        best = {base: self._files.files[base].best(metadata) for base in PUBLIC_KEYS}
        return {base: file.text for base, file in best.items() if file is not None and file.text is not None}

    # -- binding

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
            raise PluginExecutionError(f"{info_file.path}: no Info element fits {metadata.hostname}")
        for name, value in info.attributes:
            entry.set(name, value)
        for acl in info.acls:
            entry.append(copy.deepcopy(acl))

    def _content(self, base: str, metadata: ClientMetadata) -> Content:
        file = self._files.files[base].best(metadata)
        if base == KNOWN_HOSTS and file is None:
            text = self._known_hosts.text_for(metadata)
            return Content.of_text(text, self.context.encoding, self.directory / KNOWN_HOSTS)
        if file is None:
            file = self._make(base, metadata)
        return file.usable_content()

    # -- new keys

    def _make(self, base: str, metadata: ClientMetadata) -> HostFile:
        """Make the missing key, and what belongs to it; `PluginExecutionError` if that cannot be done."""
        private = base.removesuffix(PUBLIC_EXTENSION)
        own = Specificity(metadata.hostname)
        with self._locks.hold(self.directory / f"{private}{own.suffix}"):
            # Another client of that name, or another process, may have been faster.
            for name in (private, f"{private}{PUBLIC_EXTENSION}"):
                self._look_at(f"{name}{own.suffix}")
            self._look_at(f"{private}{own.suffix}{ENCRYPTED_EXTENSION}")
            if self._best(base, metadata) is None:
                self._make_pair(private, own, metadata)
        made = self._best(base, metadata)
        if made is None:
            raise PluginExecutionError(f"{self.directory / base}: the new key for {metadata.hostname} is gone")
        return made

    def _best(self, base: str, metadata: ClientMetadata) -> HostFile | None:
        return self._files.files[base].best(metadata)

    def _look_at(self, name: str) -> None:
        with self._looking:
            try:
                self._files.look_at(name)
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
            self._store_private(f"{base}{own.suffix}", pair.private)
            private = self._best(base, metadata)
            if private is None:
                raise PluginExecutionError(f"{self.directory / base}{own.suffix}: the new key is gone")
        # Also of a private key that another process was faster to make.
        try:
            public = public_key_of(private.usable_content().as_bytes())
        except PluginExecutionError as err:
            raise PluginExecutionError(f"{private.path}: {err}") from err
        name = f"{base}{PUBLIC_EXTENSION}{private.specificity.suffix}"
        whose = private.specificity.hostname or private.specificity.group or "all"
        self._write(name, f"{public} root@{whose}\n".encode())

    def _check_passphrase(self) -> None:
        """`PluginExecutionError` if what encrypts new keys does not exist; a key takes a while to make."""
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
        self._look_at(name)

    def _write(self, name: str, data: bytes) -> None:
        path = self.directory / name
        try:
            self.context.offload(write_durably, path, data)
        except OSError as err:
            raise PluginExecutionError(f"{path}: cannot be written: {err.strerror}") from err
        self._look_at(name)

    # -- taking over what clients have

    def accept_choices(self, entry: etree._Element, metadata: ClientMetadata) -> list[Specificity]:
        """A key belongs to the host that has it."""
        return [Specificity(metadata.hostname)]

    def accept_pull_data(self, specific: Specificity, new_entry: Mapping[str, Any], verbose: bool) -> None:
        """Store a host's own file."""
        base = str(new_entry["name"]).rpartition("/")[2]
        if base not in BASES:
            raise PluginExecutionError(f"{new_entry['name']} is no file of SSHbase")
        data = new_entry["text"]
        self._write(f"{base}{specific.suffix}", data.encode(self.context.encoding) if isinstance(data, str) else data)
        if verbose:
            log.info("stored %s", self.directory / f"{base}{specific.suffix}")
