"""Plain texts for OpenSSL's errors, for log lines.

OpenSSL's texts name functions and protocol fields, and differ between versions. Common errors get plain texts; others
keep OpenSSL's. Text from the peer is shortened and made printable.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from OpenSSL import SSL, crypto

from geventcore.tls.library import verify_error_text

_UNTRUSTED = "the client does not trust the server's certificate"
_OLD = "the client offers only TLS versions older than 1.2"
_NOT_TLS = "the client does not speak TLS"
_DAMAGED = "the client sent a damaged TLS record"
#: OpenSSL 3 reports this for plain HTTP, too.
_NO_RECORD = "the client sends no TLS record"

#: OpenSSL's reason without the protocol version in front -> our text.
_PLAIN = {
    "http request": "the client speaks plain HTTP to the TLS port",
    "https proxy request": "the client uses the TLS port as an HTTP proxy",
    "wrong version number": _NOT_TLS,
    "record too small": _NOT_TLS,
    "unexpected message": _NOT_TLS,
    "unknown protocol": _NOT_TLS,
    "unsupported protocol": _OLD,
    "version too low": _OLD,
    "inappropriate fallback": _OLD,
    "no shared cipher": "the client and the server have no cipher in common",
    "no suitable signature algorithm": "the client supports no signature algorithm of the server's key",
    "no shared signature algorithms": "the client supports no signature algorithm of the server's key",
    "bad record mac": _DAMAGED,
    "decryption failed or bad record mac": _DAMAGED,
    "bad record type": _DAMAGED,
    "packet length too long": _NO_RECORD,
    "data length too long": _NO_RECORD,
    "encrypted length too long": _NO_RECORD,
    "alert unknown ca": f"{_UNTRUSTED}: it does not know the CA",
    "alert bad certificate": _UNTRUSTED,
    "alert certificate unknown": _UNTRUSTED,
    "alert certificate expired": f"{_UNTRUSTED}: expired, or the client's clock is wrong",
    "alert certificate revoked": f"{_UNTRUSTED}: revoked",
    "alert unsupported certificate": f"{_UNTRUSTED}: unsupported kind of certificate",
    "alert protocol version": "the client refuses the TLS versions that the server offers",
    "alert handshake failure": "the client refuses the server's TLS parameters",
    "alert user cancelled": "the client cancelled the handshake",
    "peer did not return a certificate": "the client sends no certificate",
}
#: Beginning of a reason -> kind of failure, a label of metrics.
_KINDS = {
    _UNTRUSTED: "server_untrusted",
    _OLD: "old_version",
    "the client refuses the TLS versions": "old_version",
    "the client speaks plain HTTP": "plain_http",
    "the client uses the TLS port": "plain_http",
    _NOT_TLS: "not_tls",
    _NO_RECORD: "not_tls",
    _DAMAGED: "damaged",
    "the client and the server have no cipher": "no_common_cipher",
    "the client supports no signature": "no_common_cipher",
    "the client refuses the server's TLS parameters": "no_common_cipher",
    "client certificate refused": "client_certificate",
    "the client sends no certificate": "client_certificate",
    "the client cancelled the handshake": "closed",
}
_VERSION_PREFIXES = ("sslv3 ", "tlsv1 ", "tlsv13 ", "ssl/tls ")
_LONGEST = 200

#: Errors of cryptography for malformed parts of a certificate that OpenSSL accepts.
UNREADABLE = (ValueError, TypeError, KeyError)


@dataclass(frozen=True)
class Refusal:
    """A failed verification: OpenSSL's error number, and the certificate of the chain."""

    code: int
    certificate: crypto.X509


def remember_refusal(
    connection: SSL.Connection, certificate: crypto.X509, code: int, _depth: int, verified: int
) -> bool:
    """Record OpenSSL's result without changing it, as verification callback.

    The callback runs inside OpenSSL and must not raise, so the certificate is parsed later.
    """
    if not verified:
        connection.set_app_data(Refusal(code, certificate))
    return bool(verified)


def explain(error: SSL.Error, connection: SSL.Connection) -> str:
    """Return the reason why a connection failed."""
    refusal = connection.get_app_data()
    if isinstance(refusal, Refusal):
        return f"client certificate refused: {verify_error_text(refusal.code)} ({_subject(refusal.certificate)})"
    return plain(error)


def plain(error: SSL.Error | crypto.Error) -> str:
    """Return our text for the first known reason of OpenSSL, else OpenSSL's last reason."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    texts = [reason for _, _, reason in queue if reason]
    for text in texts:
        bare = text
        for prefix in _VERSION_PREFIXES:
            bare = bare.removeprefix(prefix)
        if bare in _PLAIN:
            return _PLAIN[bare]
    return texts[-1] if texts else "unknown TLS error"


def failure_kind(reason: str) -> str:
    """Return the kind of failure for a reason of `explain`: one of a few words."""
    return next((kind for beginning, kind in _KINDS.items() if reason.startswith(beginning)), "other")


def subject_text(certificate: x509.Certificate) -> str:
    """Return a certificate's subject, printable and shortened."""
    try:
        text = certificate.subject.rfc4514_string()
    except UNREADABLE:
        text = "unreadable subject"
    printable = "".join(character if character.isprintable() else "?" for character in text)
    return printable if len(printable) <= _LONGEST else printable[:_LONGEST] + "…"


def _subject(certificate: crypto.X509) -> str:
    try:
        return subject_text(certificate.to_cryptography())
    except UNREADABLE:
        return "unreadable certificate"
