"""SSH key pairs in the formats of ssh-keygen.

Private keys are in OpenSSH's own format; DSA keys, which only old hosts accept, are in PEM. Public keys are the content
of a ``.pub`` file without the comment: ``ssh-ed25519 AAAA…``.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from geventcore.errors import PluginExecutionError

#: The types of keys, as ``ssh-keygen -t`` calls them.
KEY_TYPES = ("dsa", "ecdsa", "ed25519", "rsa")
#: The default length of ssh-keygen, in bits.
_DEFAULT_BITS = {"dsa": 1024, "ecdsa": 256, "ed25519": 256, "rsa": 3072}
_RSA_BITS = range(1024, 16385)
_CURVES: dict[int, type[ec.EllipticCurve]] = {256: ec.SECP256R1, 384: ec.SECP384R1, 521: ec.SECP521R1}

_OPENSSH_BEGIN = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_OPENSSH_END = b"-----END OPENSSH PRIVATE KEY-----"
_OPENSSH_MAGIC = b"openssh-key-v1\0"

PrivateKey = rsa.RSAPrivateKey | dsa.DSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = rsa.RSAPublicKey | dsa.DSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True)
class KeyPair:
    """The content of a private key's file, and its public key without comment and newline."""

    private: bytes
    public: str


def generate(key_type: str, bits: int | None = None, passphrase: str = "") -> KeyPair:
    """Generate a key pair, which takes up to some seconds. `PluginExecutionError` if type or length is invalid."""
    key = _new_key(key_type, _DEFAULT_BITS.get(key_type, 0) if bits is None else bits)
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return KeyPair(_private_bytes(key, encryption), _public_text(key.public_key()))


def _new_key(key_type: str, bits: int) -> PrivateKey:
    if key_type == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if key_type == "rsa" and bits in _RSA_BITS:
        return rsa.generate_private_key(public_exponent=65537, key_size=bits)
    if key_type == "ecdsa" and bits in _CURVES:
        return ec.generate_private_key(_CURVES[bits]())
    if key_type == "dsa" and bits == _DEFAULT_BITS["dsa"]:
        return dsa.generate_private_key(bits)
    if key_type in KEY_TYPES:
        raise PluginExecutionError(f"{bits} bits is not a valid length of an SSH key of type {key_type}")
    raise PluginExecutionError(f"{key_type!r} is not a type of SSH key; expected one of {', '.join(KEY_TYPES)}")


def _private_bytes(key: PrivateKey, encryption: KeySerializationEncryption) -> bytes:
    if isinstance(key, dsa.DSAPrivateKey):
        return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, encryption)
    try:
        return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, encryption)
    except UnsupportedAlgorithm as err:
        raise PluginExecutionError(f"SSH keys with a passphrase need bcrypt; install geventcore[ssh]: {err}") from err


def _public_text(key: PublicKey) -> str:
    if not isinstance(key, dsa.DSAPublicKey):
        return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    numbers = key.public_numbers()
    parameters = numbers.parameter_numbers
    integers = (parameters.p, parameters.q, parameters.g, numbers.y)
    blob = b"".join(
        map(_string, (b"ssh-dss", *(number.to_bytes(number.bit_length() // 8 + 1, "big") for number in integers)))
    )
    return f"ssh-dss {base64.b64encode(blob).decode()}"


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def public_key_of(private: bytes) -> str:
    """Return the public key of a private key, which may have a passphrase if it is in OpenSSH's format.

    `PluginExecutionError` if the data are not a private key that SSH can use.
    """
    text = private.strip()
    if text.startswith(_OPENSSH_BEGIN):
        return _public_of_openssh(text)
    try:
        key = load_pem_private_key(text + b"\n", None, unsafe_skip_rsa_key_validation=True)
    except TypeError as err:
        raise PluginExecutionError(
            "the private key has a passphrase and is not in OpenSSH's format, so its public key cannot be read"
        ) from err
    except (ValueError, UnsupportedAlgorithm) as err:
        raise PluginExecutionError("not a private key that SSH can use") from err
    if not isinstance(key, PrivateKey):
        raise PluginExecutionError("not a private key that SSH can use")
    return _public_text(key.public_key())


def _public_of_openssh(text: bytes) -> str:
    """Read the public key, which precedes the private key in clear."""
    try:
        encoded = text[len(_OPENSSH_BEGIN) : text.index(_OPENSSH_END)]
        data = base64.b64decode(b"".join(encoded.split()), validate=True)
        if not data.startswith(_OPENSSH_MAGIC):
            raise ValueError("not an OpenSSH key")
        at = len(_OPENSSH_MAGIC)
        for _ in ("cipher", "key derivation", "its options"):
            _, at = _take(data, at)
        blob, _ = _take(data, at + len(struct.pack(">I", 1)))
        name, _ = _take(blob, 0)
        return f"{name.decode('ascii')} {base64.b64encode(blob).decode()}"
    except (ValueError, binascii.Error, struct.error) as err:
        raise PluginExecutionError("invalid private key: it begins like OpenSSH's format but cannot be parsed") from err


def _take(data: bytes, at: int) -> tuple[bytes, int]:
    """Return a string of the SSH protocol and the position of its end."""
    (length,) = struct.unpack_from(">I", data, at)
    start = at + 4
    if start + length > len(data):
        raise ValueError("the data are truncated")
    return data[start : start + length], start + length
