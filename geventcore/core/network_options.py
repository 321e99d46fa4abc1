"""The options of a server that listens.

They stand apart from `geventcore.core.network` so that a command line can be read before anything is imported that a
core's preparation must come before.
"""

from __future__ import annotations

from typing import Any

from geventcore.core.proxies import Proxies, ProxiesType
from geventcore.options import types
from geventcore.options.option import Option

PID_FILE = Option(
    "",
    "daemon",
    types.OPTIONAL_PATH,
    None,
    "Become a daemon and write the process number to this file. Without it the server stays in the foreground.",
    flags=("-D", "--daemon"),
)
CRL = Option(
    "communication",
    "crl",
    types.OPTIONAL_PATH,
    None,
    "A list of revoked client certificates, in PEM format. It is read again on a reload.",
)
SECOND_CERTIFICATE = Option(
    "communication",
    "second_certificate",
    types.OPTIONAL_PATH,
    None,
    "A second certificate of the server with another kind of key, in PEM format: RSA beside ECDSA, for old clients.\n\n"
    "Each client gets the one that it can use. Like the first one, it is read again on a reload.",
)
SECOND_KEY = Option(
    "communication",
    "second_key",
    types.OPTIONAL_PATH,
    None,
    "The file with the private key of the second certificate, in PEM format, without a passphrase.",
)
MAX_BODY = Option(
    "server",
    "max_body",
    types.size(64 << 10),
    "100m",
    "The largest request that is read. Reports of clients with large file differences are the largest there are.",
)
UPLOAD_MEMORY = Option(
    "server",
    "upload_memory",
    types.size(64 << 10),
    "32m",
    "How much memory a process gives to what clients send.\n\n"
    "Requests above 16 KB wait until there is room for them. The gevent core has [gevent] upload_memory instead.",
    at_start=True,
)
GZIP_LEVEL = Option(
    "server",
    "gzip_level",
    types.integer(0, 9),
    0,
    "Compress answers for clients that accept it, 1 being fast and 9 small; 0 does not.\n\n"
    "Compressing an answer of 350 KB costs more than everything else that is done for it, so it pays only where the "
    "network is the bottleneck.",
)
DRAIN_TIMEOUT = Option(
    "server",
    "drain_timeout",
    types.seconds(),
    30.0,
    "How long requests that are under way may go on when the server is told to end, in seconds.",
)
HANDSHAKE_TIMEOUT = Option(
    "server",
    "handshake_timeout",
    types.seconds(1),
    90.0,
    "How long a client may take for the TLS handshake, in seconds.\n\n"
    "Time in which the server is too busy to answer does not count. Clients give up after 90 seconds. Silent "
    "connections cost little, and are closed first if there are too many.",
)
IDLE_TIMEOUT = Option(
    "server",
    "idle_timeout",
    types.seconds(0.1),
    15.0,
    "How long a connection may wait for its next request, in seconds. Bcfg2's clients make one request only.",
)
REQUEST_TIMEOUT = Option(
    "server",
    "request_timeout",
    types.seconds(1),
    90.0,
    "How long a client may take to send a request, and to read the answer, in seconds. Clients give up after 90.",
)
PROXY_PROTOCOL = Option(
    "server",
    "proxy_protocol",
    ProxiesType(),
    Proxies(),
    "The addresses of balancers in front of the server that tell by the PROXY protocol who connects to them.\n\n"
    "Addresses and networks with commas between them; unix stands for whoever connects through a local socket. From "
    "there every connection has to begin with a PROXY header, of version 1 or 2, and the address in it counts as the "
    "caller's. From everywhere else such a header is refused. List only machines that let nobody else choose the "
    "header: access is decided by it.",
)

#: All of them, in the order of the manual.
NETWORK_OPTIONS: tuple[Option[Any], ...] = (
    PID_FILE,
    CRL,
    SECOND_CERTIFICATE,
    SECOND_KEY,
    MAX_BODY,
    UPLOAD_MEMORY,
    GZIP_LEVEL,
    DRAIN_TIMEOUT,
    HANDSHAKE_TIMEOUT,
    IDLE_TIMEOUT,
    REQUEST_TIMEOUT,
    PROXY_PROTOCOL,
)
