"""TLS settings of a server, made from files.

All errors in keys and certificates are found when the server starts or reloads, and not by the first client. Files are
read once, so this can happen before the server drops privileges. After a refused reload the server keeps its settings.

A second certificate with another kind of key is for clients that support only that kind. Each client gets the one that
it can use.

A context allows TLS 1.2 and newer, with forward secrecy and authenticated encryption, and session tickets. It allows no
renegotiation and no compression. The server requests client certificates if, and only if, a CA is configured. A client
may send none; an invalid certificate ends the handshake.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL, crypto

from geventcore.errors import TLSError
from geventcore.tls import reasons
from geventcore.tls.authority import has_issued
from geventcore.tls.library import MODE_NO_AUTO_CHAIN, read_and_write_whole
from geventcore.tls.pem import PrivateKey, read_certificates, read_crls, read_private_key, refusal
from geventcore.tls.tickets import TicketKeys

logger = logging.getLogger(__name__)

CERTIFICATE_SETTING = "[communication] certificate"
KEY_SETTING = "[communication] key"
SECOND_CERTIFICATE_SETTING = "[communication] second_certificate"
SECOND_KEY_SETTING = "[communication] second_key"
CA_SETTING = "[communication] ca"
CRL_SETTING = "[communication] crl"

#: A certificate that expires within so many days is a warning.
WARNING_DAYS = 30

#: The values of ``[communication] protocol``. All mean TLS 1.2 or newer.
PROTOCOLS = ("xmlrpc/ssl", "xmlrpc/tlsv1")

#: AES-128 comes before AES-256: both are unbreakable, and it costs less for each byte and handshake.
_TLS13_SUITES = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#: Every OpenSSL with TLS 1.2 (since 1.0.1, 2012) supports the first of these.
_TLS12_CIPHERS = b"ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"

#: Lifetime of tickets in seconds: a resumed session does not check revocations, so it is not longer than a client's
#: run.
_TICKET_SECONDS = 300
#: Session context of contexts without a CA; OpenSSL requires one where clients may send certificates.
_SESSION_ID_CONTEXT = b"geventcore"


@dataclass(frozen=True)
class TLSFiles:
    """The paths of a server's keys and certificates, all in PEM format.

    Attributes:
        certificate: the server's certificate, followed by intermediate ones, if any.
        key: private key of the first certificate in `certificate`, without passphrase. May be the same file.
        ca: authorities of client certificates; None means that the server never requests one.
        crl: revoked client certificates. If set, it must contain a list of each authority that issues client
            certificates.
        second_certificate, second_key: another pair, with another kind of key; both or none.
    """

    certificate: Path
    key: Path
    ca: Path | None
    crl: Path | None = None
    second_certificate: Path | None = None
    second_key: Path | None = None


@dataclass(frozen=True, eq=False)
class ServerContext:
    """The TLS settings of all connections of a server.

    If it is built before workers are forked, each worker can resume the sessions of the others.

    Attributes:
        files: paths of the files.
        asks_for_certificate: whether the server requests client certificates.
        expires: earliest expiry of the server's own certificates, with time zone.
        ends: ``server``, ``second`` or ``ca`` -> expiry; of the authorities, the earliest one.
    """

    files: TLSFiles
    asks_for_certificate: bool
    expires: datetime
    ends: Mapping[str, datetime]
    _context: SSL.Context = field(repr=False)
    _ticket_keys: TicketKeys = field(repr=False)

    def connection(self, sock: socket.socket | None) -> SSL.Connection:
        """Make the server side of a new connection, before its handshake. Without a socket it works in memory."""
        connection = SSL.Connection(self._ticket_keys.current(), sock)
        connection.set_context(self._context)
        connection.set_accept_state()
        if sock is not None:
            # In memory a read ends with the written data, and no socket event would cause another read for the rest.
            read_and_write_whole(connection)
        return connection


def build_server_context(
    files: TLSFiles,
    *,
    protocol: str = "xmlrpc/tlsv1",
    protocol_is_explicit: bool = False,
    session_tickets: bool = True,
    predecessor: ServerContext | None = None,
) -> ServerContext:
    """Read keys and certificates and make the settings of a server.

    Expired certificates are only logged, since some clients ignore the dates.

    Args:
        protocol: value of ``[communication] protocol``.
        protocol_is_explicit: whether a source sets this value. Then a misleading value causes a warning.
        predecessor: earlier settings. Their sessions can be resumed if the authorities and revocations are the same.

    Raises:
        TLSError: the server cannot work. The text names the option and the file in one line.
    """
    _check_protocol(protocol, protocol_is_explicit)
    asks_for_certificate = files.ca is not None
    context = _new_context(asks_for_certificate, session_tickets)
    authorities = [] if files.ca is None else read_certificates(CA_SETTING, files.ca)
    if files.ca is not None:
        _use_authorities(context, files.ca, authorities, files.crl)
    elif files.crl is not None:
        raise TLSError(f"{CRL_SETTING}: {files.crl} requires {CA_SETTING}")
    ends: dict[type[PrivateKey], datetime] = {}
    named = {"ca": min(authority.not_valid_after_utc for authority in authorities)} if authorities else {}
    for pair in _pairs(files):
        end, kind = _use_pair(context, pair, authorities)
        if kind in ends:
            problem = f"is of the same kind as {KEY_SETTING}; the second certificate must have another kind of key"
            raise refusal(pair.key_setting, pair.key, problem)
        ends[kind] = end
        named["second" if pair.key_setting == SECOND_KEY_SETTING else "server"] = end
    if predecessor is not None and predecessor.asks_for_certificate is asks_for_certificate:
        ticket_keys = predecessor._ticket_keys
    else:
        ticket_keys = TicketKeys(lambda: _new_context(asks_for_certificate, session_tickets))
    return ServerContext(files, asks_for_certificate, min(ends.values()), named, context, ticket_keys)


def _check_protocol(protocol: str, is_explicit: bool) -> None:
    if protocol not in PROTOCOLS:
        raise TLSError(f"[communication] protocol: {protocol!r} is unknown; accepted: {', '.join(PROTOCOLS)}")
    if protocol == "xmlrpc/tlsv1" and is_explicit:
        logger.warning(
            "[communication] protocol: xmlrpc/tlsv1 means TLS 1.2 or newer here; clients limited to TLS 1.0 cannot "
            "connect. Write xmlrpc/ssl to end this warning"
        )


def _new_context(asks_for_certificate: bool, session_tickets: bool) -> SSL.Context:
    """Make a context without certificates and authorities."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(_TLS12_CIPHERS)
    context.set_tls13_ciphersuites(_TLS13_SUITES)
    context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    # Clients close without close_notify. Treat that as the end of the stream, so that the server can still send.
    context.set_options(SSL.OP_IGNORE_UNEXPECTED_EOF)
    # pyOpenSSL itself enables partial writes and moving write buffers, which non-blocking sockets need.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS | MODE_NO_AUTO_CHAIN)
    # Tickets keep the state at the client. A session cache would hold up to 20,000 sessions in each process.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(_SESSION_ID_CONTEXT)
    context.set_timeout(_TICKET_SECONDS)
    if not session_tickets:
        context.set_options(SSL.OP_NO_TICKET)
    if asks_for_certificate:
        context.set_verify(SSL.VERIFY_PEER, reasons.remember_refusal)
    return context


@dataclass(frozen=True)
class _Pair:
    """A certificate and its key: the files, and the names of their options."""

    certificate: Path
    key: Path
    certificate_setting: str = CERTIFICATE_SETTING
    key_setting: str = KEY_SETTING


def _pairs(files: TLSFiles) -> list[_Pair]:
    pairs = [_Pair(files.certificate, files.key)]
    if files.second_certificate is not None and files.second_key is not None:
        pairs.append(_Pair(files.second_certificate, files.second_key, SECOND_CERTIFICATE_SETTING, SECOND_KEY_SETTING))
    elif files.second_certificate is not None:
        raise TLSError(f"{SECOND_CERTIFICATE_SETTING}: {files.second_certificate} needs a {SECOND_KEY_SETTING}")
    elif files.second_key is not None:
        raise TLSError(f"{SECOND_KEY_SETTING}: {files.second_key} needs a {SECOND_CERTIFICATE_SETTING}")
    return pairs


def _use_pair(
    context: SSL.Context, pair: _Pair, authorities: list[x509.Certificate]
) -> tuple[datetime, type[PrivateKey]]:
    """Add a certificate, its chain and its key. Return the certificate's expiry and the kind of the key."""
    chain = read_certificates(pair.certificate_setting, pair.certificate)
    key = read_private_key(pair.key_setting, pair.key)
    leaf = chain[0]
    owners = [number for number, certificate in enumerate(chain, 1) if _has_key(certificate, key)]
    if not owners:
        raise refusal(pair.key_setting, pair.key, f"does not belong to the certificate in {pair.certificate}")
    if owners[0] != 1:
        problem = f"must begin with the server's own certificate; it is number {owners[0]} in the file"
        raise refusal(pair.certificate_setting, pair.certificate, problem)
    for certificate in chain:
        _warn_of_dates(pair.certificate_setting, pair.certificate, certificate)
    if len(chain) == 1:
        chain += _intermediates(leaf, authorities)
    try:
        _use_chain(context, chain)
        context.use_privatekey(key)
        context.check_privatekey()
    except (SSL.Error, crypto.Error) as error:
        problem = f"is refused by OpenSSL: {reasons.plain(error)}"
        raise refusal(pair.certificate_setting, pair.certificate, problem) from error
    return leaf.not_valid_after_utc, type(key)


def _use_chain(context: SSL.Context, chain: list[x509.Certificate]) -> None:
    """Add a certificate and its issuers from a file in memory. Only this way each kind of key gets its own chain."""
    with open(os.memfd_create("certificates", os.MFD_CLOEXEC), "wb") as file:
        file.write(b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain))
        file.flush()
        context.use_certificate_chain_file(f"/proc/self/fd/{file.fileno()}")


def _has_key(certificate: x509.Certificate, key: PrivateKey) -> bool:
    try:
        return certificate.public_key() == key.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False


def _intermediates(leaf: x509.Certificate, authorities: list[x509.Certificate]) -> list[x509.Certificate]:
    """Return the intermediate certificates from the CA file, for sites that have them only there."""
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
    # Trust every certificate in the file, also an intermediate authority without its root.
    flags = crypto.X509StoreFlags.PARTIAL_CHAIN
    try:
        for authority in authorities:
            _warn_of_dates(CA_SETTING, ca, authority)
            store.add_cert(crypto.X509.from_cryptography(authority))
            context.add_client_ca(authority)
    except (SSL.Error, crypto.Error) as error:
        raise refusal(CA_SETTING, ca, f"is refused by OpenSSL: {reasons.plain(error)}") from error
    crls = []
    if crl is not None:
        crls = _use_revocations(store, crl)
        flags |= crypto.X509StoreFlags.CRL_CHECK
    store.set_flags(flags)
    context.set_session_id(_trust_digest(authorities, crls))


def _trust_digest(authorities: list[x509.Certificate], crls: list[x509.CertificateRevocationList]) -> bytes:
    """Return a digest of authorities and revocations. A session is resumed only where it is the same."""
    digest = hashes.Hash(hashes.SHA256())
    for authority in authorities:
        digest.update(authority.public_bytes(Encoding.DER))
    for revocations in crls:
        digest.update(revocations.public_bytes(Encoding.DER))
    return digest.finalize()


def _use_revocations(store: crypto.X509Store, crl: Path) -> list[x509.CertificateRevocationList]:
    now = datetime.now(timezone.utc)
    lists = read_crls(CRL_SETTING, crl)
    try:
        for revocations in lists:
            end = revocations.next_update_utc
            if end is not None and end < now:
                problem = f"expired on {_date(end)}; client certificates are refused until it is renewed"
                logger.warning("%s: %s %s", CRL_SETTING, crl, problem)
            store.add_crl(revocations)
    except crypto.Error as error:
        raise refusal(CRL_SETTING, crl, f"is refused by OpenSSL: {reasons.plain(error)}") from error
    return lists


def _warn_of_dates(setting: str, path: Path, certificate: x509.Certificate) -> None:
    now = datetime.now(timezone.utc)
    if certificate.not_valid_after_utc < now:
        problem = f"expired on {_date(certificate.not_valid_after_utc)}"
    elif certificate.not_valid_before_utc > now:
        problem = f"is not valid before {_date(certificate.not_valid_before_utc)}"
    elif (left := certificate.not_valid_after_utc - now) < timedelta(days=WARNING_DAYS):
        problem = f"expires in {left.days} days, on {_date(certificate.not_valid_after_utc)}; renew it"
    else:
        return
    logger.warning("%s: %s: the certificate of %s %s", setting, path, reasons.subject_text(certificate), problem)


def _date(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
