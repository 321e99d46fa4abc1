"""From files to a server's TLS settings.

Everything that can be wrong with a key or a certificate is found here, when the server starts or reloads, and not by
the first client. The files are read here and never again: it can be done before privileges are dropped, and a running
server keeps what it has when a reload is refused.

What a context allows: TLS 1.2 and newer, forward secrecy and authenticated encryption only, session tickets, no
renegotiation, no compression. A client certificate is asked for if, and only if, an authority is configured. Showing
none is allowed; showing one that does not verify ends the handshake.
"""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from OpenSSL import SSL, crypto

from geventcore.errors import TLSError
from geventcore.tls import reasons
from geventcore.tls.authority import has_issued
from geventcore.tls.library import MODE_NO_AUTO_CHAIN, disable_auto_retry
from geventcore.tls.pem import PrivateKey, read_certificates, read_crls, read_private_key, refusal

logger = logging.getLogger(__name__)

CERTIFICATE_SETTING = "[communication] certificate"
KEY_SETTING = "[communication] key"
CA_SETTING = "[communication] ca"
CRL_SETTING = "[communication] crl"

#: What ``[communication] protocol`` may say. All of it means TLS 1.2 or newer.
PROTOCOLS = ("xmlrpc/ssl", "xmlrpc/tlsv1")

#: AES-128 before AES-256: nobody can tell them apart by strength, and it costs less per byte and per handshake.
_TLS13_SUITES = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#: Every OpenSSL that speaks TLS 1.2 (1.0.1, from 2012) knows the first of these.
_TLS12_CIPHERS = b"ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"

#: A resumed session does not look at revocations again, so tickets live no longer than a client's run.
_TICKET_SECONDS = 300


@dataclass(frozen=True)
class TLSFiles:
    """Where a server's keys and certificates lie, all in PEM format.

    Attributes:
        certificate: the server's certificate, followed by intermediate ones if there are any.
        key: the private key of the first certificate in `certificate`, without passphrase. May be the same file.
        ca: whom to believe about client certificates; None means that clients are never asked for one.
        crl: revoked client certificates. If set, every authority that issues client certificates needs a list in it.
        additional: further (certificate, key) pairs with another kind of key, for clients that know only that kind.
    """

    certificate: Path
    key: Path
    ca: Path | None
    crl: Path | None = None
    additional: tuple[tuple[Path, Path], ...] = ()


@dataclass(frozen=True, eq=False)
class ServerContext:
    """The settings that all connections of a server share. Built before workers fork, it lets one worker resume the
    session of another.

    Attributes:
        files: where it comes from.
        asks_for_certificate: whether clients are asked for a certificate.
        expires: when the first of the server's own certificates ends, with time zone.
    """

    files: TLSFiles
    asks_for_certificate: bool
    expires: datetime
    _context: SSL.Context = field(repr=False)

    def connection(self, sock: socket.socket | None) -> SSL.Connection:
        """The server's end of a new connection, handshake still to do; without a socket it works in memory."""
        connection = SSL.Connection(self._context, sock)
        connection.set_accept_state()
        if sock is not None:
            # In memory a read cannot go on for longer than what was written to it, and nobody would come back to look
            # for the rest.
            disable_auto_retry(connection)
        return connection


def build_server_context(
    files: TLSFiles,
    *,
    protocol: str = "xmlrpc/tlsv1",
    protocol_is_explicit: bool = False,
    session_tickets: bool = True,
) -> ServerContext:
    """Read keys and certificates and make the settings of a server.

    `protocol` is the value of ``[communication] protocol``; `protocol_is_explicit` says that somebody wrote it down, so
    that a name that promises less than it does deserves a warning.

    Raises TLSError, in one line naming the setting and the file, for whatever would keep the server from working.
    Expired certificates are only logged: clients may well not look.
    """
    _check_protocol(protocol, protocol_is_explicit)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    _set_policy(context, session_tickets)
    authorities = [] if files.ca is None else read_certificates(CA_SETTING, files.ca)
    if files.ca is not None:
        _use_authorities(context, files.ca, authorities, files.crl)
    elif files.crl is not None:
        raise TLSError(f"{CRL_SETTING}: {files.crl} is of no use without {CA_SETTING}")
    pairs = [(files.certificate, files.key), *files.additional]
    expires = min(_use_pair(context, certificate, key, authorities) for certificate, key in pairs)
    return ServerContext(files, files.ca is not None, expires, context)


def _check_protocol(protocol: str, is_explicit: bool) -> None:
    if protocol not in PROTOCOLS:
        raise TLSError(f"[communication] protocol: {protocol!r} is unknown; accepted: {', '.join(PROTOCOLS)}")
    if protocol == "xmlrpc/tlsv1" and is_explicit:
        logger.warning(
            "[communication] protocol: xmlrpc/tlsv1 means TLS 1.2 or newer here; clients limited to TLS 1.0 cannot "
            "connect. Write xmlrpc/ssl to end this warning"
        )


def _set_policy(context: SSL.Context, session_tickets: bool) -> None:
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(_TLS12_CIPHERS)
    context.set_tls13_ciphersuites(_TLS13_SUITES)
    context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    # Clients close without close_notify. That ends the stream; it is no error after which nothing could be sent.
    context.set_options(SSL.OP_IGNORE_UNEXPECTED_EOF)
    # pyOpenSSL adds partial writes and moving write buffers, which non-blocking sockets need, on its own.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS | MODE_NO_AUTO_CHAIN)
    # Tickets keep the state at the client. The cache would keep up to 20,000 sessions per process here.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"geventcore")
    context.set_timeout(_TICKET_SECONDS)
    if not session_tickets:
        context.set_options(SSL.OP_NO_TICKET)


def _use_pair(
    context: SSL.Context, certificate_path: Path, key_path: Path, authorities: list[x509.Certificate]
) -> datetime:
    """Add a certificate, its chain and its key. Returns when the certificate ends."""
    chain = read_certificates(CERTIFICATE_SETTING, certificate_path)
    key = read_private_key(KEY_SETTING, key_path)
    leaf = chain[0]
    owners = [number for number, certificate in enumerate(chain, 1) if _has_key(certificate, key)]
    if not owners:
        raise refusal(KEY_SETTING, key_path, f"does not belong to the certificate in {certificate_path}")
    if owners[0] != 1:
        problem = f"must begin with the server's own certificate; it is number {owners[0]} in the file"
        raise refusal(CERTIFICATE_SETTING, certificate_path, problem)
    for certificate in chain:
        _warn_of_dates(CERTIFICATE_SETTING, certificate_path, certificate)
    try:
        # From the file, because only so does every kind of key get a chain of its own.
        context.use_certificate_chain_file(certificate_path)
        if len(chain) == 1:
            for issuer in _intermediates(leaf, authorities):
                context.add_extra_chain_cert(issuer)
        context.use_privatekey(key)
        context.check_privatekey()
    except (SSL.Error, crypto.Error) as error:
        raise refusal(
            CERTIFICATE_SETTING, certificate_path, f"is refused by OpenSSL: {reasons.plain(error)}"
        ) from error
    return leaf.not_valid_after_utc


def _has_key(certificate: x509.Certificate, key: PrivateKey) -> bool:
    try:
        return certificate.public_key() == key.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False


def _intermediates(leaf: x509.Certificate, authorities: list[x509.Certificate]) -> list[x509.Certificate]:
    """The chain between a certificate and its root, for sites that have intermediate ones in the CA file only."""
    chain = [leaf]
    while True:
        issuers = (
            authority
            for authority in authorities
            if authority not in chain and has_issued(authority, chain[-1]) and not has_issued(authority, authority)
        )
        issuer = next(issuers, None)
        if issuer is None:
            return chain[1:]
        chain.append(issuer)


def _use_authorities(context: SSL.Context, ca: Path, authorities: list[x509.Certificate], crl: Path | None) -> None:
    store = context.get_cert_store()
    assert store is not None, "every context has a store"
    # Whatever the site put into the file is believed, be it an intermediate authority without its root.
    flags = crypto.X509StoreFlags.PARTIAL_CHAIN
    try:
        for authority in authorities:
            _warn_of_dates(CA_SETTING, ca, authority)
            store.add_cert(crypto.X509.from_cryptography(authority))
            context.add_client_ca(authority)
    except (SSL.Error, crypto.Error) as error:
        raise refusal(CA_SETTING, ca, f"is refused by OpenSSL: {reasons.plain(error)}") from error
    if crl is not None:
        _use_revocations(store, crl)
        flags |= crypto.X509StoreFlags.CRL_CHECK
    store.set_flags(flags)
    context.set_verify(SSL.VERIFY_PEER, reasons.remember_refusal)


def _use_revocations(store: crypto.X509Store, crl: Path) -> None:
    now = datetime.now(timezone.utc)
    try:
        for revocations in read_crls(CRL_SETTING, crl):
            end = revocations.next_update_utc
            if end is not None and end < now:
                problem = f"has not been renewed since {_date(end)}; client certificates are refused until it is"
                logger.warning("%s: %s %s", CRL_SETTING, crl, problem)
            store.add_crl(revocations)
    except crypto.Error as error:
        raise refusal(CRL_SETTING, crl, f"is refused by OpenSSL: {reasons.plain(error)}") from error


def _warn_of_dates(setting: str, path: Path, certificate: x509.Certificate) -> None:
    now = datetime.now(timezone.utc)
    if certificate.not_valid_after_utc < now:
        problem = f"expired on {_date(certificate.not_valid_after_utc)}"
    elif certificate.not_valid_before_utc > now:
        problem = f"is not valid before {_date(certificate.not_valid_before_utc)}"
    else:
        return
    logger.warning("%s: %s: the certificate of %s %s", setting, path, reasons.subject_text(certificate), problem)


def _date(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
