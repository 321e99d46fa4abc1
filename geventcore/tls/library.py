"""The few things that OpenSSL can do and pyOpenSSL does not offer.

They go to the binding that pyOpenSSL itself uses. Two of them need the native handle of a connection, which pyOpenSSL
keeps in ``Connection._ssl``; this module is the only one that touches it.
"""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.bindings.openssl.binding import Binding
from OpenSSL import SSL

#: Keeps OpenSSL from looking for the server's chain among the trusted certificates in every single handshake, which is
#: a third of what a handshake costs.
MODE_NO_AUTO_CHAIN = 0x8

_ffi: Any = Binding.ffi
_lib: Any = Binding.lib


def clear_errors() -> None:
    """Empty the error queue of this OS thread.

    The queue belongs to the thread, not to the connection, and OpenSSL may take an entry that somebody else left there
    for the result of the next call.
    """
    _lib.ERR_clear_error()


def read_and_write_whole(connection: SSL.Connection) -> None:
    """Make a read look at one record only, and a write go on for as long as the socket takes more.

    pyOpenSSL switches the opposite on for every connection. Then a peer that sends nothing but key updates keeps one
    read busy for as long as it likes, and a write returns after each record of 16 KB, which for an answer of 200 KB
    costs more than its encryption.
    """
    _lib.SSL_clear_mode(connection._ssl, _lib.SSL_MODE_AUTO_RETRY | _lib.SSL_MODE_ENABLE_PARTIAL_WRITE)


def is_peer_verified(connection: SSL.Connection) -> bool:
    """Whether the peer's certificate was verified, in this handshake or in the one that a resumed session stems from.

    OpenSSL says so too if there is no certificate at all.
    """
    return bool(_lib.SSL_get_verify_result(connection._ssl) == SSL.X509VerificationCodes.OK)


def verify_error_text(code: int) -> str:
    """OpenSSL's words for an error of certificate verification."""
    text: bytes = _ffi.string(_lib.X509_verify_cert_error_string(code))
    return text.decode("utf-8", "replace")
