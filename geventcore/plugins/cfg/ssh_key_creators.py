"""SSH key pairs for users: ``privkey.xml`` creates a pair, ``pubkey.xml`` derives the public key of a private key.

``Cfg/root/.ssh/id_rsa/privkey.xml`` has ``<PrivateKey><Params type="rsa" bits="4096"/><Passphrase>…</Passphrase>
</PrivateKey>``, in which every element is optional. It creates the private key in this directory and the public key in
``Cfg/root/.ssh/id_rsa.pub/``. There, a ``pubkey.xml`` with ``<PublicKey/>`` creates the pair if the public key is
requested first, and derives the public key of a private key that was added by hand. The private key is written first:
after a crash, the missing public key can be derived. The comment of a public key is the path of its file.
"""

from __future__ import annotations

import base64
from pathlib import Path

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.specificity import Specificity, parse_file_name
from geventcore.plugins.cfg.creators import ENCRYPTED_EXTENSION, XMLCreator, base_file
from geventcore.plugins.cfg.options import SSHKEYS_CATEGORY, SSHKEYS_PASSPHRASE
from geventcore.plugins.ssh_keys import generate, public_key_of

PUBLIC_EXTENSION = ".pub"


def _public_file(private: Path, specificity: Specificity) -> Path:
    """Return the path of the public key that belongs to a private key in the directory `private`."""
    return base_file(private.with_name(private.name + PUBLIC_EXTENSION), specificity)


def _with_comment(key: str, path: Path) -> bytes:
    return f"{key} {path}\n".encode()


class PrivateKeyCreator(XMLCreator):
    """``privkey.xml``."""

    basenames = ("privkey.xml",)
    category_option = SSHKEYS_CATEGORY
    passphrase_option = SSHKEYS_PASSPHRASE
    is_secret = True

    def create(self, instructions: etree._Element, specificity: Specificity, metadata: ClientMetadata) -> bytes:
        self.check_passphrase()
        parameters = instructions.find("Params")
        if parameters is None:
            parameters = etree.Element("Params")
        bits = self.number(parameters, "bits", 0) or None
        passphrase = (instructions.findtext("Passphrase") or "").strip()
        try:
            pair = self.context.offload(generate, parameters.get("type", "rsa"), bits, passphrase)
        except PluginExecutionError as err:
            raise PluginExecutionError(f"{self.path}: {err}") from err
        base = base_file(self.path.parent, specificity)
        private = self.store(base, pair.private)
        is_ours = private == pair.private
        public = _public_file(self.path.parent, specificity)
        try:
            self.replace(public, _with_comment(pair.public if is_ours else public_key_of(private), public))
        except PluginExecutionError:
            if is_ours:
                self.discard(base)
            raise
        return private


class PublicKeyCreator(XMLCreator):
    """``pubkey.xml``."""

    basenames = ("pubkey.xml",)

    @property
    def _private_directory(self) -> Path:
        directory = self.path.parent
        if not directory.name.endswith(PUBLIC_EXTENSION):
            raise PluginExecutionError(
                f"{self.path}: the name of a directory with a pubkey.xml must end in {PUBLIC_EXTENSION}"
            )
        return directory.with_name(directory.name.removesuffix(PUBLIC_EXTENSION))

    def _private_key(self, metadata: ClientMetadata) -> bytes:
        """Return the private key as the client gets it; create it if it does not exist."""
        relative = self._private_directory.relative_to(self.context.repository / "Cfg")
        entry = etree.Element("Path", name=f"/{relative}")
        self.context.bind_entry(entry, metadata)
        text = entry.text or ""
        return base64.b64decode(text) if entry.get("encoding") == "base64" else text.encode(self.context.encoding)

    def prepare_for(self, instructions: etree._Element, metadata: ClientMetadata) -> None:
        self._private_key(metadata)

    def specificity_for(self, instructions: etree._Element, metadata: ClientMetadata) -> Specificity:
        """Return the specificity of the private key: the public key is for the same clients."""
        directory = self._private_directory
        names = filter(None, (parse_file_name(path.name, directory.name) for path in directory.iterdir()))
        found = [
            specificity
            for specificity, extension in names
            if extension in ("", ENCRYPTED_EXTENSION.removeprefix(".")) and specificity.matches(metadata)
        ]
        return min(found, key=lambda specificity: specificity.rank, default=Specificity(metadata.hostname))

    def create(self, instructions: etree._Element, specificity: Specificity, metadata: ClientMetadata) -> bytes:
        private = self._private_key(metadata)
        base = base_file(self.path.parent, specificity)
        # Creating the pair may have stored it meanwhile.
        existing = self.stored(base)
        if existing is not None:
            return existing
        try:
            public = public_key_of(private)
        except PluginExecutionError as err:
            raise PluginExecutionError(f"{self.path}: {err}") from err
        return self.store(base, _with_comment(public, base))
