"""A server whose configuration file has passphrases, and secrets that they fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from geventcore import crypt
from geventcore.core.base import Core
from geventcore.options import load_settings
from tests.support.plugin_context import METADATA, SmallServer, write_files

PASSPHRASES = {"alpha": "open sesame", "Beta": "swordfish 42"}


def secret(text: str | bytes, name: str = "alpha", algorithm: str = crypt.DEFAULT_ALGORITHM) -> str:
    """A text, encrypted with a passphrase of `PASSPHRASES`."""
    data = text.encode() if isinstance(text, str) else text
    return crypt.encrypt(data, PASSPHRASES[name], algorithm).decode()


def foreign(text: str, passphrases: Iterable[str] = PASSPHRASES.values()) -> str:
    """A text, encrypted with a passphrase of somebody else, which none of `passphrases` decrypts.

    One time in 256 the end of what another passphrase makes of it looks like padding: such a one is not taken.
    """
    words = list(passphrases)
    while True:
        encrypted = crypt.encrypt(text.encode(), "a passphrase of somebody else's")
        if not any(_fits(encrypted, word) for word in words):
            return encrypted.decode()


def _fits(encrypted: bytes, passphrase: str) -> bool:
    try:
        crypt.decrypt(encrypted, passphrase)
    except crypt.EncryptionError:
        return False
    return True


@contextmanager
def encrypted_site(
    root: Path,
    files: Mapping[str, str | bytes],
    plugins: Sequence[str] = ("Metadata", "Cfg"),
    options: str = "",
    passphrases: Mapping[str, str] = PASSPHRASES,
    filemonitor: str = "pseudo",
) -> Iterator[SmallServer]:
    """A server for a repository of `files`. `options` are lines of bcfg2.conf, which begin in ``[encryption]``."""
    repository = root / "repository"
    write_files(repository, {**METADATA, **{f"{plugin}/.keep~": "" for plugin in plugins}, **files})
    (root / "bcfg2.conf").write_text(
        f"[server]\nrepository = {repository}\nplugins = {', '.join(plugins)}\n"
        f"filemonitor = {filemonitor}\n[encryption]\n"
        + "".join(f"{name} = {word}\n" for name, word in passphrases.items())
        + options
    )
    core = Core(load_settings(config_file=root / "bcfg2.conf", environ={}))
    try:
        core.load()
        yield SmallServer(core)
    finally:
        core.shutdown()
