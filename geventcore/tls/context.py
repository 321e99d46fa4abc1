"""From files to a server's TLS settings.

Everything that can be wrong with a key or a certificate is found here, when the server starts or reloads, and not by
the first client. The files are read here and never again: it can be done before privileges are dropped, and a running
server keeps what it has when a reload is refused.

A second certificate with another kind of key is for clients that know only that kind; each client gets the one that it
can use.

What a context allows: TLS 1.2 and newer, forward secrecy and authenticated encryption only, session tickets, no
renegotiation, no compression. A client certificate is asked for if, and only if, an authority is configured. Showing
none is allowed; showing one that does not verify ends the handshake.
"""

from __future__ import annotations

import logging
import os
import socket
from dataclasses import dataclass, field
from datetime import datetime, timezone
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

#: What ``[communication] protocol`` may say. All of it means TLS 1.2 or newer.
PROTOCOLS = ("xmlrpc/ssl", "xmlrpc/tlsv1")

#: AES-128 before AES-256: nobody can tell them apart by strength, and it costs less per byte and per handshake.
_TLS13_SUITES = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#: Every OpenSSL that speaks TLS 1.2 (1.0.1, from 2012) knows the first of these.
_TLS12_CIPHERS = b"ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"

#: A resumed session does not look at revocations again, so tickets live no longer than a client's run.
_TICKET_SECONDS = 300
#: Of contexts without authorities; OpenSSL wants one wherever clients may show certificates.
_SESSION_ID_CONTEXT = b"geventcore"


@dataclass(frozen=True)
class TLSFiles:
    """Where a server's keys and certificates lie, all in PEM format.

    Attributes:
        certificate: the server's certificate, followed by intermediate ones if there are any.
        key: the private key of the first certificate in `certificate`, without passphrase. May be the same file.
        ca: whom to believe about client certificates; None means that clients are never asked for one.
        crl: revoked client certificates. If set, every authority that issues client certificates needs a list in it.
        second_certificate, second_key: a further pair, with another kind of key; both or none.
    """

    certificate: Path
    key: Path
    ca: Path | None
    crl: Path | None = None
    second_certificate: Path | None = None
    second_key: Path | None = None


@dataclass(frozen=True, eq=False)
class ServerContext:
    """The settings that all connections of a server share.

    Built before processes are forked, it lets each of them resume the sessions of the others.

    Attributes:
        files: where it comes from.
        asks_for_certificate: whether clients are asked for a certificate.
        expires: when the first of the server's own certificates ends, with time zone.
    """

    files: TLSFiles
    asks_for_certificate: bool
    expires: datetime
    _context: SSL.Context = field(repr=False)
    _ticket_keys: TicketKeys = field(repr=False)

    def connection(self, sock: socket.socket | None) -> SSL.Connection:
        """The server's end of a new connection, handshake still to do; without a socket it works in memory."""
        connection = SSL.Connection(self._ticket_keys.current(), sock)
        connection.set_context(self._context)
        connection.set_accept_state()
        if sock is not None:
            # In memory a read cannot go on for longer than what was written to it, and nobody would come back to look
            # for the rest.
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

    `protocol` is the value of ``[communication] protocol``; `protocol_is_explicit` says that somebody wrote it down, so
    that a name that promises less than it does deserves a warning. Sessions of connections of the `predecessor` can be
    resumed if clients are believed for the same reasons as there.

    Raises TLSError, in one line naming the setting and the file, for whatever would keep the server from working.
    Expired certificates are only logged: clients may well not look.
    """
    _check_protocol(protocol, protocol_is_explicit)
    asks_for_certificate = files.ca is not None
    context = _new_context(asks_for_certificate, session_tickets)
    authorities = [] if files.ca is None else read_certificates(CA_SETTING, files.ca)
    if files.ca is not None:
        _use_authorities(context, files.ca, authorities, files.crl)
    elif files.crl is not None:
        raise TLSError(f"{CRL_SETTING}: {files.crl} is of no use without {CA_SETTING}")
    ends: dict[type[PrivateKey], datetime] = {}
    for pair in _pairs(files):
        end, kind = _use_pair(context, pair, authorities)
        if kind in ends:
            problem = f"is of the same kind as {KEY_SETTING}; the second certificate is for another one"
            raise refusal(pair.key_setting, pair.key, problem)
        ends[kind] = end
    if predecessor is not None and predecessor.asks_for_certificate is asks_for_certificate:
        ticket_keys = predecessor._ticket_keys
    else:
        ticket_keys = TicketKeys(lambda: _new_context(asks_for_certificate, session_tickets))
    return ServerContext(files, asks_for_certificate, min(ends.values()), context, ticket_keys)


def _check_protocol(protocol: str, is_explicit: bool) -> None:
    if protocol not in PROTOCOLS:
        raise TLSError(f"[communication] protocol: {protocol!r} is unknown; accepted: {', '.join(PROTOCOLS)}")
    if protocol == "xmlrpc/tlsv1" and is_explicit:
        logger.warning(
            "[communication] protocol: xmlrpc/tlsv1 means TLS 1.2 or newer here; clients limited to TLS 1.0 cannot "
            "connect. Write xmlrpc/ssl to end this warning"
        )


def _new_context(asks_for_certificate: bool, session_tickets: bool) -> SSL.Context:
    """A context that is complete but for certificates and authorities."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
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
    context.set_session_id(_SESSION_ID_CONTEXT)
    context.set_timeout(_TICKET_SECONDS)
    if not session_tickets:
        context.set_options(SSL.OP_NO_TICKET)
    if asks_for_certificate:
        context.set_verify(SSL.VERIFY_PEER, reasons.remember_refusal)
    return context


@dataclass(frozen=True)
class _Pair:
    """A certificate and its key: the files, and what the settings that name them are called."""

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
    """Add a certificate, its chain and its key. Returns when the certificate ends, and the kind of the key."""
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
    """Add a certificate and its issuers from a file in memory: only from a file does each kind of key get its own."""
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
    crls = []
    if crl is not None:
        crls = _use_revocations(store, crl)
        flags |= crypto.X509StoreFlags.CRL_CHECK
    store.set_flags(flags)
    context.set_session_id(_trust_digest(authorities, crls))


def _trust_digest(authorities: list[x509.Certificate], crls: list[x509.CertificateRevocationList]) -> bytes:
    """What names the reasons for which clients are believed: a session is only resumed where they are the same."""
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
                problem = f"has not been renewed since {_date(end)}; client certificates are refused until it is"
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
    else:
        return
    logger.warning("%s: %s: the certificate of %s %s", setting, path, reasons.subject_text(certificate), problem)


def _date(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
