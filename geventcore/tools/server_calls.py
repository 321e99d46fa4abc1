"""Calls of a running server, of this program or of Bcfg2, as a client makes them.

Each call is one HTTPS request with basic authentication. As Bcfg2's clients do, a call checks the server's certificate
against the CA, and its name only if common names are given; it is repeated after a failure that may pass.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from geventcore.errors import ConfigError, GeventcoreError
from geventcore.wire.basicauth import format_authorization
from geventcore.wire.xmlrpc import dump_call

_OLD_TLS_HINT = "; a server on an old system may need TLS 1.0 or 1.1"
#: Statuses that another attempt may change.
_PASSING = frozenset({408, 429, 500, 502, 503, 504})


class CallFailed(GeventcoreError):
    """A call has no result.

    Attributes:
        status: the HTTP status of the answer; 408 if the server did not answer.
        reason: the reason in the words of HTTP, or why there is no answer.
    """

    def __init__(self, text: str, status: int, reason: str) -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason


class CallFault(GeventcoreError):
    """The server answers a call with a fault; the text is the fault's.

    Attributes:
        code: the code of the fault.
    """

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class ServerAccess:
    """A server, and how to log in to it.

    Attributes:
        url: ``https://host:port``.
        user: ``root`` to be told apart by the address, or the name of a client.
        ca: the CA certificates for checking the server's certificate; None for no check.
        certificate, key: a client certificate and its key in PEM format, or None.
        common_names: the names that the server's certificate may have; none for every name.
        attempts: how often a call is made until it succeeds.
        old_tls: also accept TLS 1.0 and 1.1, and the ciphers of their time.
    """

    url: str
    user: str = "root"
    password: str = ""
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    common_names: tuple[str, ...] = ()
    timeout_seconds: float = 90.0
    attempts: int = 3
    retry_delay_seconds: float = 1.0
    old_tls: bool = False

    @property
    def address(self) -> tuple[str, int]:
        """The host and port of the URL; `ConfigError` if it has none."""
        parts = urlsplit(self.url)
        try:
            host, port = parts.hostname, parts.port
        except ValueError as err:
            raise ConfigError(f"{self.url}: {err}") from err
        if parts.scheme != "https" or not host:
            raise ConfigError(f"{self.url}: expected a URL such as https://bcfg2.example.com:6789")
        return host, port or 6789

    def tls_context(self) -> ssl.SSLContext:
        """Return the settings of TLS.

        Raises:
            ConfigError: a file is unusable.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE if self.ca is None else ssl.CERT_REQUIRED
        if self.old_tls:
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        try:
            if self.ca is not None:
                context.load_verify_locations(self.ca)
        except (OSError, ssl.SSLError) as err:
            raise ConfigError(f"{self.ca}: no usable CA certificates: {_reason(err)}") from err
        try:
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as err:
            raise ConfigError(f"{self.certificate}: no usable certificate with its key: {_reason(err)}") from err
        return context


def connect(access: ServerAccess) -> None:
    """Connect to a server and close the connection, to see whether it can be reached.

    Raises:
        CallFailed: there is no connection, or its TLS is not acceptable.
        ConfigError: the URL, or a file for TLS, is unusable.
    """
    host, port = access.address
    context = access.tls_context()
    connection = http.client.HTTPSConnection(host, port, timeout=access.timeout_seconds, context=context)
    try:
        with contextlib.closing(connection):
            connection.connect()
            _check_name(access, connection.sock)
            # Without it, the server would log a connection that broke off.
            with contextlib.suppress(OSError):
                connection.sock.unwrap()
    except ssl.SSLError as err:
        reason = _reason(err)
        hint = "" if access.old_tls or isinstance(err, ssl.SSLCertVerificationError) else _OLD_TLS_HINT
        raise CallFailed(f"{access.url} cannot be used: {reason}{hint}", 408, reason) from err
    except OSError as err:
        raise CallFailed(f"{access.url} does not answer: {_reason(err)}", 408, _reason(err)) from err


def call(access: ServerAccess, method: str, arguments: Sequence[Any] = ()) -> Any:
    """Call a method and return its result.

    Raises:
        CallFailed: the server does not answer, or refuses the call.
        CallFault: the method answers with a fault.
        ConfigError: the URL, or a file for TLS, is unusable.
    """
    body = dump_call(method, tuple(arguments))
    context = access.tls_context()
    for left in range(max(1, access.attempts) - 1, -1, -1):
        try:
            return _result(post(access, body, {}, context))
        except CallFailed as err:
            if not left or err.status not in _PASSING:
                raise
            time.sleep(access.retry_delay_seconds)
    raise AssertionError("the last attempt returns or raises")


def _result(body: bytes) -> Any:
    try:
        (value,), _ = xmlrpc.client.loads(body, use_builtin_types=True)
    except xmlrpc.client.Fault as err:
        raise CallFault(str(err.faultString), int(err.faultCode)) from err
    # The parser raises errors of several libraries.
    except Exception as err:
        raise CallFailed(f"the server's answer is not XML-RPC: {err}", 500, "no XML-RPC") from err
    return value


def post(access: ServerAccess, body: bytes, headers: dict[str, str], context: ssl.SSLContext) -> bytes:
    """Send the body of a call with an ``Authorization`` header of `access`, and return the body of the answer.

    Raises:
        CallFailed: there is no answer, or its status is not 200.
    """
    status, reason, answer = exchange(
        access,
        body,
        {
            "Content-Type": "text/xml",
            "Authorization": format_authorization(access.user, access.password),
            **headers,
        },
        context,
    )
    if status == 200:
        return answer
    reason = reason or http.client.responses.get(status, "refused")
    if status == 401:
        raise CallFailed(
            f"{access.url} refuses the login of {access.user!r}: check the user, the password and the certificate, and"
            " the rules of the server for this client (its log has the reason)",
            status,
            reason,
        )
    raise CallFailed(f"{access.url} answers with status {status} ({reason}); its log may say why", status, reason)


def exchange(
    access: ServerAccess, body: bytes, headers: dict[str, str], context: ssl.SSLContext
) -> tuple[int, str, bytes]:
    """Send a POST request, and return the status, the reason and the body of the answer.

    Raises:
        CallFailed: there is no answer.
    """
    host, port = access.address
    connection = http.client.HTTPSConnection(host, port, timeout=access.timeout_seconds, context=context)
    try:
        with contextlib.closing(connection):
            connection.connect()
            _check_name(access, connection.sock)
            connection.request("POST", "/RPC2", body, headers)
            response = connection.getresponse()
            return response.status, response.reason, response.read()
    except (OSError, http.client.HTTPException) as err:
        raise CallFailed(f"{access.url} does not answer: {_reason(err)}", 408, _reason(err)) from err


def _check_name(access: ServerAccess, sock: Any) -> None:
    if not access.common_names or not isinstance(sock, ssl.SSLSocket):
        return
    subject: Any = (sock.getpeercert() or {}).get("subject", ())
    names = [value for part in subject for key, value in part if key == "commonName"]
    if not set(names) & set(access.common_names):
        raise ssl.SSLError(f"the certificate is for {', '.join(names) or 'nobody'}, not {access.common_names[0]}")


def _reason(err: Exception) -> str:
    if isinstance(err, socket.timeout):
        return "timed out"
    if isinstance(err, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {err.verify_message}"
    return getattr(err, "strerror", None) or str(err) or type(err).__name__
