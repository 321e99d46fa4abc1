"""Secrets of the repository: texts that are encrypted with passphrases of ``[encryption]``.

The format is that of ``openssl enc -salt -md md5 -a``: base64 of ``Salted__``, eight bytes of salt and the ciphertext.
Key and initialisation vector come from the passphrase: D1 = MD5(passphrase, salt), Dn = MD5(Dn-1, passphrase, salt);
the key is the beginning of D1, D2, D3 …, and the vector follows it. Bcfg2 does the same for ciphers with a 256-bit key,
such as the default AES-256-CBC. For shorter keys it takes the vector from D3, whatever the length of the key: such
texts are read, too, and what is written here is always openssl's.

Nothing in the format tells whether a passphrase is the right one. A wrong one is mostly found out by the padding, but
one of some 256 passes, and ciphers without padding never tell. So where several passphrases (or both vectors) would
do, the one whose result is UTF-8 text is taken.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import importlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher

from geventcore.errors import RepositoryError
from geventcore.options import Option, Settings, types

#: The name of the cipher that is used unless a site chooses another.
DEFAULT_ALGORITHM = "aes_256_cbc"

_MAGIC = b"Salted__"
_SALT_BYTES = 8
#: What every base64 text begins with whose bytes begin with ``Salted__``.
_MAGIC_BASE64 = base64.b64encode(_MAGIC)[:10]
#: The length of openssl's lines, in characters.
_LINE_LENGTH = 64
#: How many bytes of D1, D2, D3 stand before Bcfg2's vector.
_BEFORE_BCFG2_VECTOR = 32

#: Block cipher -> class in ``cryptography``, bytes of the key, bytes of a block.
_BLOCK_CIPHERS = {
    "aes_128": ("AES", 16, 16),
    "aes_192": ("AES", 24, 16),
    "aes_256": ("AES", 32, 16),
    "bf": ("Blowfish", 16, 8),
    "camellia_128": ("Camellia", 16, 16),
    "camellia_192": ("Camellia", 24, 16),
    "camellia_256": ("Camellia", 32, 16),
    "cast5": ("CAST5", 16, 8),
    "des": ("TripleDES", 8, 8),
    "des_ede": ("TripleDES", 16, 8),
    "des_ede3": ("TripleDES", 24, 8),
    "idea": ("IDEA", 16, 8),
    "rc2": ("RC2", 16, 8),
    "seed": ("SEED", 16, 16),
    "sm4": ("SM4", 16, 16),
}
_MODES = ("cbc", "cfb", "ctr", "ofb")
#: Block ciphers for which ``cryptography`` has no other mode than CBC that openssl has, too.
_CBC_ONLY = ("des", "des_ede", "rc2")
_WITH_CTR = ("aes", "sm4")
#: Stream cipher -> class in ``cryptography``, bytes of the key, bytes of the vector.
_STREAM_CIPHERS = {"chacha20": ("ChaCha20", 32, 16), "rc4": ("ARC4", 16, 0)}
_SHORT_NAMES = {
    **{f"{family}{bits}": f"{family}_{bits}_cbc" for family in ("aes", "camellia") for bits in (128, 192, 256)},
    **{name: f"{name}_cbc" for name in ("bf", "des", "idea", "rc2", "seed", "sm4")},
    "blowfish": "bf_cbc",
    "cast": "cast5_cbc",
    "cast_cbc": "cast5_cbc",
    "des3": "des_ede3_cbc",
}


def _has_mode(cipher: str, mode: str) -> bool:
    return mode == "cbc" or (cipher not in _CBC_ONLY and (mode != "ctr" or cipher.startswith(_WITH_CTR)))


#: The ciphers that may be named, in openssl's spelling with underscores.
ALGORITHMS: tuple[str, ...] = (
    *(f"{cipher}_{mode}" for cipher in _BLOCK_CIPHERS for mode in _MODES if _has_mode(cipher, mode)),
    *_STREAM_CIPHERS,
)


class EncryptionError(RepositoryError):
    """A text cannot be encrypted or decrypted."""


class AlgorithmType(types.ValueType[str]):
    """The name of a cipher: capitals and hyphens mean nothing, openssl's short names are understood."""

    accepts = f"the name of a cipher, such as {DEFAULT_ALGORITHM}"
    metavar = "CIPHER"

    def parse(self, text: str) -> str:
        name = text.strip().lower().replace("-", "_")
        name = _SHORT_NAMES.get(name, name)
        if name not in ALGORITHMS:
            raise ValueError(f"there are {', '.join(ALGORITHMS)}")
        return name


LAX_DECRYPTION = Option(
    "encryption",
    "lax_decryption",
    types.BOOLEAN,
    False,
    "Whether a secret that cannot be decrypted is used as it is, encrypted.\n\n"
    "Otherwise the file that it stands in cannot be used. It is for servers that know only some of the passphrases; "
    "the root element of an XML file may have an attribute of this name, which counts for that file.",
)

ALGORITHM = Option(
    "encryption",
    "algorithm",
    AlgorithmType(),
    DEFAULT_ALGORITHM,
    "The cipher of the secrets in the repository, as openssl calls it.\n\n"
    "Every other key of this section is the name of a passphrase, and its value is the passphrase. A secret names its "
    "passphrase as it is spelled here or in lower case. Change the cipher only together with every secret.",
)

ENCRYPTION_OPTIONS: tuple[Option[Any], ...] = (LAX_DECRYPTION, ALGORITHM)


@dataclass(frozen=True)
class _Algorithm:
    """A cipher in a mode.

    Attributes:
        cipher, mode: classes of ``cryptography``; a stream cipher has no mode.
        key_bytes, vector_bytes: lengths.
        block_bytes: the length of a block if the text is padded to whole blocks, else 0.
    """

    cipher: Any
    mode: Any
    key_bytes: int
    vector_bytes: int
    block_bytes: int

    @classmethod
    def named(cls, name: str) -> _Algorithm:
        if name in _STREAM_CIPHERS:
            cipher, key_bytes, vector_bytes = _STREAM_CIPHERS[name]
            return cls(_find("algorithms", cipher), None, key_bytes, vector_bytes, 0)
        family, _, mode = name.rpartition("_")
        if family not in _BLOCK_CIPHERS or mode not in _MODES:
            raise EncryptionError(f"there is no cipher {name!r}; there are {', '.join(ALGORITHMS)}")
        cipher, key_bytes, block_bytes = _BLOCK_CIPHERS[family]
        padded = block_bytes if mode == "cbc" else 0
        return cls(_find("algorithms", cipher), _find("modes", mode.upper()), key_bytes, block_bytes, padded)

    def prepared(self, key: bytes, vector: bytes) -> Cipher[Any]:
        """The cipher with key and vector; `EncryptionError` if the cryptographic library does not have it."""
        if self.cipher.__name__ == "TripleDES":
            # DES and its variants with fewer keys are the one with three, with keys repeated.
            key = (key * 3)[:24]
        try:
            if self.mode is None:
                return Cipher(self.cipher(key, vector) if self.vector_bytes else self.cipher(key), None)
            return Cipher(self.cipher(key), self.mode(vector))
        except (UnsupportedAlgorithm, ValueError) as err:
            raise EncryptionError(f"the cryptographic library cannot use {self.cipher.__name__}: {err}") from err

    def keys(self, passphrase: str, salt: bytes, count: int = 1) -> Iterator[tuple[bytes, bytes]]:
        """Key and vector: openssl's, and Bcfg2's if `count` is 2 and it is another one."""
        secret = passphrase.encode() + salt
        digest = material = b""
        while len(material) < max(self.key_bytes + self.vector_bytes, _BEFORE_BCFG2_VECTOR + 16):
            digest = hashlib.md5(digest + secret, usedforsecurity=False).digest()
            material += digest
        for start in (self.key_bytes, _BEFORE_BCFG2_VECTOR)[:count]:
            yield material[: self.key_bytes], material[start : start + self.vector_bytes]
            if self.key_bytes == _BEFORE_BCFG2_VECTOR or not self.vector_bytes:
                return


def _find(kind: str, name: str) -> Any:
    """A class of ``cryptography``, which moves old ciphers and modes into another package over time."""
    for package in ("decrepit", "primitives"):
        try:
            module = importlib.import_module(f"cryptography.hazmat.{package}.ciphers.{kind}")
            return getattr(module, name)
        except (ImportError, AttributeError):
            continue
    raise EncryptionError(f"the cryptographic library has no {name}")


def is_encrypted(data: bytes) -> bool:
    """Whether these are the bytes of a text in the format of this module."""
    if data.lstrip()[:10] != _MAGIC_BASE64:
        return False
    try:
        _split(data)
    except EncryptionError:
        return False
    return True


def _split(data: bytes) -> tuple[bytes, bytes]:
    """Salt and ciphertext."""
    try:
        raw = base64.b64decode(b"".join(data.split()), validate=True)
    except binascii.Error as err:
        raise EncryptionError(f"this is no encrypted text: it is not base64 ({err})") from err
    if not raw.startswith(_MAGIC) or len(raw) < len(_MAGIC) + _SALT_BYTES:
        raise EncryptionError("this is no encrypted text: it does not begin with Salted__ and a salt")
    start = len(_MAGIC) + _SALT_BYTES
    return raw[len(_MAGIC) : start], raw[start:]


def encrypt(data: bytes, passphrase: str, algorithm: str = DEFAULT_ALGORITHM) -> bytes:
    """The encrypted text: lines of base64, as ``openssl enc -salt -md md5 -a`` writes them.

    `EncryptionError` if there is no such algorithm.
    """
    cipher = _Algorithm.named(algorithm)
    salt = os.urandom(_SALT_BYTES)
    key, vector = next(cipher.keys(passphrase, salt))
    if cipher.block_bytes:
        padder = padding.PKCS7(cipher.block_bytes * 8).padder()
        data = padder.update(data) + padder.finalize()
    encryptor = cipher.prepared(key, vector).encryptor()
    encoded = base64.b64encode(_MAGIC + salt + encryptor.update(data) + encryptor.finalize())
    return b"".join(encoded[at : at + _LINE_LENGTH] + b"\n" for at in range(0, len(encoded), _LINE_LENGTH))


def decrypt(data: bytes, passphrase: str, algorithm: str = DEFAULT_ALGORITHM) -> bytes:
    """The bytes that were encrypted; `EncryptionError` if this is no encrypted text or the passphrase cannot be it."""
    return _first_text(_candidates(data, passphrase, algorithm), "the passphrase does not fit")


def _candidates(data: bytes, passphrase: str, algorithm: str) -> Iterator[bytes]:
    """What a text may mean under a passphrase; nothing if it does not fit."""
    cipher = _Algorithm.named(algorithm)
    salt, ciphertext = _split(data)
    for key, vector in cipher.keys(passphrase, salt, count=2):
        decryptor = cipher.prepared(key, vector).decryptor()
        try:
            plain = decryptor.update(ciphertext) + decryptor.finalize()
            if cipher.block_bytes:
                unpadder = padding.PKCS7(cipher.block_bytes * 8).unpadder()
                plain = unpadder.update(plain) + unpadder.finalize()
        except ValueError:
            continue
        yield plain


def _first_text(candidates: Iterator[bytes], failure: str) -> bytes:
    """The first candidate that is text; if none is, the first; `EncryptionError` if there is none."""
    first = None
    for candidate in candidates:
        try:
            candidate.decode()
        except UnicodeDecodeError:
            first = candidate if first is None else first
        else:
            return candidate
    if first is None:
        raise EncryptionError(failure)
    return first


@dataclass(frozen=True)
class Passphrases:
    """What ``[encryption]`` says.

    Attributes:
        by_name: name -> passphrase; a name is found as it is spelled in the file and in lower case.
        algorithm: the cipher.
        lax: whether what cannot be decrypted is used as it is.
    """

    by_name: Mapping[str, str]
    algorithm: str = DEFAULT_ALGORITHM
    lax: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Passphrases:
        """Those of a configuration; `ConfigError` if a value in the section makes no sense."""
        section = settings.section("encryption")
        reserved = {option.key for option in ENCRYPTION_OPTIONS}
        names = [name for name in section if name.lower() not in reserved]
        return cls({name: section[name] for name in names}, settings[ALGORITHM], settings[LAX_DECRYPTION])

    def __contains__(self, name: str) -> bool:
        """Whether there is a passphrase of this name."""
        return name in self.by_name or name in map(str.lower, self.by_name)

    def __getitem__(self, name: str) -> str:
        """The passphrase of a name; `EncryptionError` if there is none."""
        if name in self.by_name:
            return self.by_name[name]
        for spelled, passphrase in self.by_name.items():
            if spelled.lower() == name:
                return passphrase
        raise EncryptionError(f"[encryption] has no passphrase {name}")

    def encrypt(self, data: bytes, name: str) -> bytes:
        """Encrypt with the passphrase of a name; `EncryptionError` if that cannot be done."""
        return encrypt(data, self[name], self.algorithm)

    def decrypt(self, data: bytes, name: str) -> bytes:
        """Decrypt with the passphrase of a name; `EncryptionError` if that cannot be done."""
        try:
            return decrypt(data, self[name], self.algorithm)
        except EncryptionError as err:
            raise EncryptionError(f"passphrase {name}: {err}") from err

    def decrypt_any(self, data: bytes) -> bytes:
        """Decrypt with whichever passphrase fits; `EncryptionError` if none does."""
        _split(data)
        return _first_text(
            (plain for word in self.by_name.values() for plain in _candidates(data, word, self.algorithm)),
            "none of the passphrases of [encryption] fits" if self.by_name else "[encryption] has no passphrases",
        )
