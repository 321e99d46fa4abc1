"""Functions of OpenSSL that pyOpenSSL does not offer.

They use the binding that pyOpenSSL itself uses. Two of them need the native handle ``Connection._ssl``, which no other
module uses.
"""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.bindings.openssl.binding import Binding
from OpenSSL import SSL

#: Mode that stops OpenSSL from building the server's chain in every handshake, a third of a handshake's cost.
MODE_NO_AUTO_CHAIN = 0x8

_ffi: Any = Binding.ffi
_lib: Any = Binding.lib


def clear_errors() -> None:
    """Empty the error queue of this OS thread.

    The queue belongs to the thread, not to the connection. OpenSSL may take an old entry for the result of the next
    call.
    """
    _lib.ERR_clear_error()


def read_and_write_whole(connection: SSL.Connection) -> None:
    """Make a read process one record only, and a write continue while the socket accepts data.

    pyOpenSSL sets the opposite for every connection. Then a peer that sends only key updates keeps one read busy for
    ever, and a write returns after each record of 16 KB. For a response of 200 KB that costs more than its encryption.
    """
    _lib.SSL_clear_mode(connection._ssl, _lib.SSL_MODE_AUTO_RETRY | _lib.SSL_MODE_ENABLE_PARTIAL_WRITE)


def is_peer_verified(connection: SSL.Connection) -> bool:
    """Return whether the peer's certificate was verified, in this handshake or in that of a resumed session.

    OpenSSL returns true also without a certificate.
    """
    return bool(_lib.SSL_get_verify_result(connection._ssl) == SSL.X509VerificationCodes.OK)


def verify_error_text(code: int) -> str:
    """Return OpenSSL's text for a verification error."""
    text: bytes = _ffi.string(_lib.X509_verify_cert_error_string(code))
    return text.decode("utf-8", "replace")
