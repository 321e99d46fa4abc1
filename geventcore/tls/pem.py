"""Reading and checking of PEM files, with one-line errors.

Every function takes the name of the option that names the file, so that errors refer to ``bcfg2.conf``. No function
asks for a passphrase: a server has nobody to ask.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from geventcore.errors import TLSError

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey

_Loaded = TypeVar("_Loaded")

_CERTIFICATE_LABELS = (b"CERTIFICATE", b"X509 CERTIFICATE")
_KEY_LABELS = (b"PRIVATE KEY", b"RSA PRIVATE KEY", b"EC PRIVATE KEY")
_CRL_LABELS = (b"X509 CRL",)


def read_certificates(setting: str, path: Path) -> list[x509.Certificate]:
    """Read the certificates of a PEM file, at least one, in their order.

    Raises:
        TLSError: the file is unusable.
    """
    return _load_blocks(setting, path, _CERTIFICATE_LABELS, "certificate", x509.load_pem_x509_certificate)


def read_crls(setting: str, path: Path) -> list[x509.CertificateRevocationList]:
    """Read the certificate revocation lists of a PEM file, at least one.

    Raises:
        TLSError: the file is unusable.
    """
    return _load_blocks(setting, path, _CRL_LABELS, "certificate revocation list", x509.load_pem_x509_crl)


def read_private_key(setting: str, path: Path) -> PrivateKey:
    """Read the first private key of a PEM file.

    Raises:
        TLSError: the file is unusable, or the key has a passphrase.
    """
    content = _read(setting, path)
    if b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in content or b"Proc-Type: 4,ENCRYPTED" in content:
        raise refusal(setting, path, "is protected by a passphrase; the server needs a key without one")
    blocks = _blocks(content, _KEY_LABELS)
    if not blocks:
        raise refusal(setting, path, f"holds no private key in PEM format{_what_instead(content)}")
    try:
        key = load_pem_private_key(blocks[0], password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise refusal(setting, path, "holds a damaged private key, or one of an unknown kind") from error
    if not isinstance(key, PrivateKey):
        raise refusal(setting, path, "holds a private key of a kind that TLS cannot use")
    return key


def refusal(setting: str, path: Path, problem: str) -> TLSError:
    """Make the error for an unusable file: one line with option, file and problem."""
    return TLSError(f"{setting}: {path} {problem}")


def _read(setting: str, path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise refusal(setting, path, "is not a regular file")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise refusal(setting, path, "does not exist") from error
    except OSError as error:
        raise refusal(setting, path, f"cannot be read by uid {os.geteuid()}: {error.strerror}") from error


def _blocks(content: bytes, labels: tuple[bytes, ...]) -> list[bytes]:
    """Return the PEM blocks with one of these labels. Text around and between blocks is allowed."""
    found = []
    position = 0
    while (begin := content.find(b"-----BEGIN ", position)) >= 0:
        label, dashes, _ = content[begin + 11 : begin + 75].partition(b"-----")
        end_line = b"-----END " + label + b"-----"
        end = content.find(end_line, begin) if dashes else -1
        if end < 0:
            position = begin + 11
            continue
        position = end + len(end_line)
        if label in labels:
            found.append(content[begin:position] + b"\n")
    return found


def _load_blocks(
    setting: str, path: Path, labels: tuple[bytes, ...], noun: str, load: Callable[[bytes], _Loaded]
) -> list[_Loaded]:
    content = _read(setting, path)
    blocks = _blocks(content, labels)
    if not blocks:
        raise refusal(setting, path, f"holds no {noun} in PEM format{_what_instead(content)}")
    loaded = []
    for number, block in enumerate(blocks, 1):
        try:
            loaded.append(load(block))
        except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
            which = f"{noun} number {number}" if len(blocks) > 1 else noun
            raise refusal(setting, path, f"holds a damaged {which}") from error
    return loaded


def _what_instead(content: bytes) -> str:
    """Return a hint at common mistakes."""
    if not content.strip():
        return ": the file is empty"
    if content[:1] == b"\x30":
        return ": the file looks like DER; convert it with 'openssl'"
    label = content.partition(b"-----BEGIN ")[2].partition(b"-----")[0]
    if label and len(label) <= 40 and label.isascii() and label.decode("ascii").isprintable():
        return f": the file holds '{label.decode('ascii')}'"
    return ""
