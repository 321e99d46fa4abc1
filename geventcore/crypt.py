"""Secrets of the repository: texts encrypted with the passphrases of ``[encryption]``.

The format is that of ``openssl enc -salt -md md5 -a``: base64 of ``Salted__``, eight bytes of salt and the ciphertext.
Key and initialisation vector come from the passphrase: D1 = MD5(passphrase, salt), Dn = MD5(Dn-1, passphrase, salt);
the key is the beginning of D1, D2, D3 …, and the vector follows it. Bcfg2 does the same for ciphers with a 256-bit key,
such as the default AES-256-CBC. For shorter keys it always takes the vector from D3. This module reads both variants
and writes openssl's.

The format has no check of the passphrase. Wrong padding reveals most wrong passphrases, but about one in 256 passes,
and ciphers without padding reveal none. So if several passphrases (or both vectors) decrypt a text, a result that is
UTF-8 text is preferred, then the one with the longest padding: n bytes of it are right by chance once in 256**n times.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import importlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher

from geventcore.errors import RepositoryError
from geventcore.options import Option, Settings, types

#: The name of the cipher that is used unless a site chooses another.
DEFAULT_ALGORITHM = "aes_256_cbc"

_MAGIC = b"Salted__"
_SALT_BYTES = 8
#: The beginning of every base64 text whose bytes begin with ``Salted__``.
_MAGIC_BASE64 = base64.b64encode(_MAGIC)[:10]
#: The length of openssl's lines, in characters.
_LINE_LENGTH = 64
#: The number of bytes of D1, D2, D3 before Bcfg2's vector.
_BEFORE_BCFG2_VECTOR = 32

#: Block cipher -> class in ``cryptography``, key length and block length in bytes.
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
#: Block ciphers for which CBC is the only mode that both ``cryptography`` and openssl have.
_CBC_ONLY = ("des", "des_ede", "rc2")
_WITH_CTR = ("aes", "sm4")
#: Stream cipher -> class in ``cryptography``, key length and vector length in bytes.
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


#: The names of the supported ciphers, in openssl's spelling with underscores.
ALGORITHMS: tuple[str, ...] = (
    *(f"{cipher}_{mode}" for cipher in _BLOCK_CIPHERS for mode in _MODES if _has_mode(cipher, mode)),
    *_STREAM_CIPHERS,
)


class EncryptionError(RepositoryError):
    """A failure to encrypt or decrypt a text."""


class AlgorithmType(types.ValueType[str]):
    """The name of a cipher. Case and hyphens do not matter; openssl's short names are accepted."""

    accepts = f"the name of a cipher, such as {DEFAULT_ALGORITHM}"
    metavar = "CIPHER"

    def parse(self, text: str) -> str:
        name = text.strip().lower().replace("-", "_")
        name = _SHORT_NAMES.get(name, name)
        if name not in ALGORITHMS:
            raise ValueError(f"expected one of {', '.join(ALGORITHMS)}")
        return name


LAX_DECRYPTION = Option(
    "encryption",
    "lax_decryption",
    types.BOOLEAN,
    False,
    "Use a secret that cannot be decrypted as it is, encrypted.\n\n"
    "Otherwise the file with the secret is not used. Set this on servers that have only some of the passphrases. "
    "An attribute of this name on the root element of an XML file sets it for that file.",
)

ALGORITHM = Option(
    "encryption",
    "algorithm",
    AlgorithmType(),
    DEFAULT_ALGORITHM,
    "The cipher of the secrets in the repository, as openssl calls it.\n\n"
    "Every other key of this section is the name of a passphrase, and its value is the passphrase. A secret refers to "
    "its passphrase by this name, as spelled here or in lower case. If you change the cipher, encrypt every secret "
    "again.",
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
            raise EncryptionError(f"unknown cipher {name!r}; expected one of {', '.join(ALGORITHMS)}")
        cipher, key_bytes, block_bytes = _BLOCK_CIPHERS[family]
        padded = block_bytes if mode == "cbc" else 0
        return cls(_find("algorithms", cipher), _find("modes", mode.upper()), key_bytes, block_bytes, padded)

    def with_key(self, key: bytes, vector: bytes) -> Cipher[Any]:
        """Return the cipher with key and vector; `EncryptionError` if the cryptographic library does not have it."""
        if self.cipher.__name__ == "TripleDES":
            # DES and two-key DES are triple DES with repeated keys.
            key = (key * 3)[:24]
        try:
            if self.mode is None:
                return Cipher(self.cipher(key, vector) if self.vector_bytes else self.cipher(key), None)
            return Cipher(self.cipher(key), self.mode(vector))
        except (UnsupportedAlgorithm, ValueError) as err:
            raise EncryptionError(f"the cryptographic library does not support {self.cipher.__name__}: {err}") from err

    def keys(self, passphrase: str, salt: bytes, count: int = 1) -> Iterator[tuple[bytes, bytes]]:
        """Yield key and vector as openssl derives them, and if `count` is 2 also as Bcfg2 does, if that differs."""
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
    """Return a class of ``cryptography``. Newer versions keep old ciphers and modes in another package."""
    for package in ("decrepit", "primitives"):
        try:
            module = importlib.import_module(f"cryptography.hazmat.{package}.ciphers.{kind}")
            return getattr(module, name)
        except (ImportError, AttributeError):
            continue
    raise EncryptionError(f"the cryptographic library has no {name}")


def is_encrypted(data: bytes) -> bool:
    """Return true if the bytes are a text in the format of this module."""
    if data.lstrip()[:10] != _MAGIC_BASE64:
        return False
    try:
        _split(data)
    except EncryptionError:
        return False
    return True


def _split(data: bytes) -> tuple[bytes, bytes]:
    """Return salt and ciphertext; `EncryptionError` if the format is wrong."""
    try:
        raw = base64.b64decode(b"".join(data.split()), validate=True)
    except binascii.Error as err:
        raise EncryptionError(f"not an encrypted text: invalid base64 ({err})") from err
    if not raw.startswith(_MAGIC) or len(raw) < len(_MAGIC) + _SALT_BYTES:
        raise EncryptionError("not an encrypted text: it does not begin with Salted__ and a salt")
    start = len(_MAGIC) + _SALT_BYTES
    return raw[len(_MAGIC) : start], raw[start:]


def encrypt(data: bytes, passphrase: str, algorithm: str = DEFAULT_ALGORITHM) -> bytes:
    """Return the encrypted text: lines of base64, as ``openssl enc -salt -md md5 -a`` writes them.

    `EncryptionError` if the algorithm is unknown.
    """
    cipher = _Algorithm.named(algorithm)
    salt = os.urandom(_SALT_BYTES)
    key, vector = next(cipher.keys(passphrase, salt))
    if cipher.block_bytes:
        padder = padding.PKCS7(cipher.block_bytes * 8).padder()
        data = padder.update(data) + padder.finalize()
    encryptor = cipher.with_key(key, vector).encryptor()
    encoded = base64.b64encode(_MAGIC + salt + encryptor.update(data) + encryptor.finalize())
    return b"".join(encoded[at : at + _LINE_LENGTH] + b"\n" for at in range(0, len(encoded), _LINE_LENGTH))


def decrypt(data: bytes, passphrase: str, algorithm: str = DEFAULT_ALGORITHM) -> bytes:
    """Return the decrypted bytes; `EncryptionError` if the text is not encrypted or the passphrase is wrong."""
    return _best(_candidates(data, passphrase, algorithm), "wrong passphrase")


def decrypt_any(
    data: bytes,
    passphrases: Iterable[str],
    algorithm: str = DEFAULT_ALGORITHM,
    failure: str = "no passphrase decrypts it",
) -> bytes:
    """Decrypt with the passphrase that fits best; `EncryptionError` with the text of `failure` if none does."""
    _split(data)
    return _best((found for word in passphrases for found in _candidates(data, word, algorithm)), failure)


class _Candidate(NamedTuple):
    """A possible decryption. The greatest is the most probable."""

    is_text: bool
    padding_bytes: int
    plain: bytes


def _candidates(data: bytes, passphrase: str, algorithm: str) -> Iterator[_Candidate]:
    """Yield the possible decryptions of a text with a passphrase; none if the passphrase is wrong."""
    cipher = _Algorithm.named(algorithm)
    salt, ciphertext = _split(data)
    for key, vector in cipher.keys(passphrase, salt, count=2):
        decryptor = cipher.with_key(key, vector).decryptor()
        try:
            padded = plain = decryptor.update(ciphertext) + decryptor.finalize()
            if cipher.block_bytes:
                unpadder = padding.PKCS7(cipher.block_bytes * 8).unpadder()
                plain = unpadder.update(padded) + unpadder.finalize()
        except ValueError:
            continue
        yield _Candidate(_is_utf8(plain), len(padded) - len(plain), plain)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _best(candidates: Iterator[_Candidate], failure: str) -> bytes:
    """Return the most probable decryption, of equal ones the first; `EncryptionError` if there is none."""
    best = max(candidates, key=itemgetter(0, 1), default=None)
    if best is None:
        raise EncryptionError(failure)
    return best.plain


@dataclass(frozen=True)
class Passphrases:
    """The settings in ``[encryption]``.

    Attributes:
        by_name: name -> passphrase, with each name as spelled in the file and in lower case.
        algorithm: the cipher.
        lax: true if a secret that cannot be decrypted is used as it is.
    """

    by_name: Mapping[str, str]
    algorithm: str = DEFAULT_ALGORITHM
    lax: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Passphrases:
        """Read the passphrases from a configuration; `ConfigError` if a value in the section is invalid."""
        section = settings.section("encryption")
        reserved = {option.key for option in ENCRYPTION_OPTIONS}
        names = [name for name in section if name.lower() not in reserved]
        return cls({name: section[name] for name in names}, settings[ALGORITHM], settings[LAX_DECRYPTION])

    def __contains__(self, name: str) -> bool:
        """Return true if there is a passphrase with this name."""
        return name in self.by_name or name in map(str.lower, self.by_name)

    def __getitem__(self, name: str) -> str:
        """Return the passphrase with this name; `EncryptionError` if there is none."""
        if name in self.by_name:
            return self.by_name[name]
        for spelled, passphrase in self.by_name.items():
            if spelled.lower() == name:
                return passphrase
        raise EncryptionError(f"[encryption] has no passphrase {name}")

    def encrypt(self, data: bytes, name: str) -> bytes:
        """Encrypt with the passphrase called `name`; `EncryptionError` if that fails."""
        return encrypt(data, self[name], self.algorithm)

    def decrypt(self, data: bytes, name: str) -> bytes:
        """Decrypt with the passphrase called `name`; `EncryptionError` if that fails."""
        try:
            return decrypt(data, self[name], self.algorithm)
        except EncryptionError as err:
            raise EncryptionError(f"passphrase {name}: {err}") from err

    def decrypt_any(self, data: bytes) -> bytes:
        """Decrypt with the passphrase that fits best; `EncryptionError` if none does."""
        failure = "no passphrase in [encryption] decrypts it" if self.by_name else "[encryption] has no passphrases"
        return decrypt_any(data, self.by_name.values(), self.algorithm, failure)
