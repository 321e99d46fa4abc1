"""Why OpenSSL refused something, in words for a log line.

OpenSSL's own words name functions and protocol fields, and differ between versions. What happens in practice gets
plain words; everything else keeps OpenSSL's. What comes from the peer is cut short and printable.
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
#: Also what OpenSSL 3 makes of plain HTTP.
_NO_RECORD = "what the client sends is no TLS record"

#: OpenSSL's reason, without the name of the protocol version in front, and ours.
_PLAIN = {
    "http request": "the client speaks plain HTTP to the TLS port",
    "https proxy request": "the client takes the TLS port for an HTTP proxy",
    "wrong version number": _NOT_TLS,
    "record too small": _NOT_TLS,
    "unexpected message": _NOT_TLS,
    "unknown protocol": _NOT_TLS,
    "unsupported protocol": _OLD,
    "version too low": _OLD,
    "inappropriate fallback": _OLD,
    "no shared cipher": "the client and the server have no cipher in common",
    "no suitable signature algorithm": "the client knows no signature that the server's key can make",
    "no shared signature algorithms": "the client knows no signature that the server's key can make",
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
    "alert unsupported certificate": f"{_UNTRUSTED}: of a kind it cannot use",
    "alert protocol version": "the client refuses the TLS versions that the server offers",
    "alert handshake failure": "the client refuses what the server offers",
    "alert user cancelled": "the client has given up",
    "peer did not return a certificate": "the client shows no certificate",
}
#: What a reason begins with, and what kind of failure it is for those who count.
_KINDS = {
    _UNTRUSTED: "server_untrusted",
    _OLD: "old_version",
    "the client refuses the TLS versions": "old_version",
    "the client speaks plain HTTP": "plain_http",
    "the client takes the TLS port": "plain_http",
    _NOT_TLS: "not_tls",
    _NO_RECORD: "not_tls",
    _DAMAGED: "damaged",
    "the client and the server have no cipher": "no_common_cipher",
    "the client knows no signature": "no_common_cipher",
    "the client refuses what the server offers": "no_common_cipher",
    "client certificate refused": "client_certificate",
    "the client shows no certificate": "client_certificate",
    "the client has given up": "closed",
}
_VERSION_PREFIXES = ("sslv3 ", "tlsv1 ", "tlsv13 ", "ssl/tls ")
_LONGEST = 200

#: What cryptography raises, late, for parts of a certificate that OpenSSL has let pass.
UNREADABLE = (ValueError, TypeError, KeyError)


@dataclass(frozen=True)
class Refusal:
    """A client certificate that did not verify: OpenSSL's number for it, and which certificate of the chain it is."""

    code: int
    certificate: crypto.X509


def remember_refusal(
    connection: SSL.Connection, certificate: crypto.X509, code: int, _depth: int, verified: int
) -> bool:
    """The verification callback: keeps what OpenSSL has found, and changes nothing about it.

    Runs inside OpenSSL, where nothing may be raised: the certificate is looked at later.
    """
    if not verified:
        connection.set_app_data(Refusal(code, certificate))
    return bool(verified)


def explain(error: SSL.Error, connection: SSL.Connection) -> str:
    """Why a connection has failed."""
    refusal = connection.get_app_data()
    if isinstance(refusal, Refusal):
        return f"client certificate refused: {verify_error_text(refusal.code)} ({_subject(refusal.certificate)})"
    return plain(error)


def plain(error: SSL.Error | crypto.Error) -> str:
    """The first of OpenSSL's reasons that we have words for, else its last one."""
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
    """The kind of failure that a reason of `explain` tells of: one of a few words."""
    return next((kind for beginning, kind in _KINDS.items() if reason.startswith(beginning)), "other")


def subject_text(certificate: x509.Certificate) -> str:
    """A certificate's subject, printable and not too long, whatever it holds."""
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
