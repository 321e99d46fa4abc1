"""``Bcfg2.Encryption`` (1.3) and ``Bcfg2.Server.Encryption`` (1.4): encrypting and decrypting texts.

Files and elements of the repository need none of this: they are decrypted before a plugin or template sees them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from geventcore import crypt
from geventcore.compat.current import get_core

__all__ = [
    "ALGORITHM",
    "CFG_ALGORITHM",
    "CFG_DECRYPT",
    "CFG_SECTION",
    "EVPError",
    "bruteforce_decrypt",
    "get_algorithm",
    "get_passphrases",
    "is_encrypted",
    "ssl_decrypt",
    "ssl_encrypt",
]

ALGORITHM = crypt.DEFAULT_ALGORITHM
#: The section of the options of encryption, and two of its keys.
CFG_SECTION = "encryption"
CFG_ALGORITHM = "algorithm"
CFG_DECRYPT = "decrypt"
#: What failures raise.
EVPError = crypt.EncryptionError


def _bytes(value: Any) -> bytes:
    return value.encode("utf-8") if isinstance(value, str) else bytes(value)


def _text(data: bytes) -> Any:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data


def get_algorithm(*_: Any) -> str:
    """Return the site's algorithm."""
    name: str = get_core().context.settings[crypt.ALGORITHM]
    return name


def get_passphrases(*_: Any) -> dict[str, str]:
    """Return the site's passphrases: name -> passphrase."""
    section: Mapping[str, str] = get_core().context.settings.section(CFG_SECTION)
    reserved = {option.key for option in crypt.ENCRYPTION_OPTIONS} | {CFG_DECRYPT}
    return {name: section[name] for name in section if name.lower() not in reserved}


def is_encrypted(data: Any) -> bool:
    """Return true if a text is encrypted."""
    return crypt.is_encrypted(_bytes(data))


def ssl_encrypt(plaintext: Any, passwd: str, algorithm: str | None = None, **_: Any) -> str:
    """Return a text encrypted with a passphrase, in base64. The salt is always a new one."""
    return crypt.encrypt(_bytes(plaintext), passwd, algorithm or get_algorithm()).decode("ascii")


def ssl_decrypt(data: Any, passwd: str, algorithm: str | None = None) -> Any:
    """Return a decrypted text, bytes if it is not text; `EVPError` if the passphrase does not fit."""
    return _text(crypt.decrypt(_bytes(data), passwd, algorithm or get_algorithm()))


def bruteforce_decrypt(
    crypted: Any, passphrases: Iterable[str] | None = None, *_: Any, algorithm: str | None = None, **__: Any
) -> Any:
    """Return a text decrypted with the passphrase that fits best, by default one of the site's; `EVPError`."""
    words = get_passphrases().values() if passphrases is None else passphrases
    return _text(crypt.decrypt_any(_bytes(crypted), words, algorithm or get_algorithm()))
