"""Connections to directory servers.

Each server gets one request at a time; further requests wait cooperatively. If all attempts to reach a server fail, the
server is not tried again for a while: requests in that time fail at once, so that a server that is down does not delay
every client.
"""

from __future__ import annotations

import importlib
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from geventcore.errors import PluginExecutionError
from geventcore.options import Option, types

RETRIES = Option(
    "ldap",
    "retries",
    types.integer(0, 100),
    3,
    "The number of retries after a directory server does not answer.",
)
RETRY_DELAY = Option(
    "ldap",
    "retry_delay",
    types.seconds(),
    5.0,
    "The delay before a retry, in seconds.",
)
TIMEOUT = Option(
    "ldap",
    "timeout",
    types.integer(1, 3600),
    10,
    "The timeout for connecting to a directory server, and for each request, in seconds.",
)
LDAP_PORT = 389
LDAPS_PORT = 636

#: The result of a search: ``(distinguished name, attributes)``. Each attribute has a list of values: text, or bytes if
#: they are not UTF-8.
SearchResult = list[tuple[str, dict[str, list[str | bytes]]]]
Value = str | bytes


@dataclass(frozen=True)
class Patience:
    """The timeout and retries of a request.

    Attributes:
        retries: the number of attempts after the first.
        delay: the delay between two attempts, in seconds.
        timeout: the timeout of one attempt, in seconds; ldap3 accepts only integers.
    """

    retries: int
    delay: float
    timeout: int


@dataclass(frozen=True)
class Question:
    """A search request."""

    base: str
    scope: str
    filter: str
    attributes: tuple[str, ...] | None


#: The keys of `LdapConnection.options` and the types of their values.
OPTIONS: dict[str, type | tuple[type, ...]] = {"ca": str, "verify": bool, "start_tls": bool}


class LdapConnection:
    """A directory server. Attributes may also be set after the object is created.

    Attributes:
        host, port: the address of the server. Port 636 means TLS from the start.
        uri: the address as ``ldap://host:port`` or ``ldaps://host:port``; overrides `host` and `port`.
        binddn, bindpw: the name and password to log in with; without them the login is anonymous.
        options: ``ca``, the file of the authority that signed the server's certificate; ``verify``, false to accept any
            certificate; ``start_tls``, true to switch a plain connection to TLS.
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int = LDAP_PORT,
        uri: str | None = None,
        options: Mapping[str, Any] | None = None,
        binddn: str | None = None,
        bindpw: str | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.uri = uri
        self.options = options
        self.binddn = binddn
        self.bindpw = bindpw
        self._lock = threading.Lock()
        self._connection: Any = None
        self._down_until = 0.0

    @property
    def url(self) -> str:
        """The address of the server as a URL."""
        if self.uri:
            return self.uri
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'ldaps' if self.port == LDAPS_PORT else 'ldap'}://{host}:{self.port}"

    def ask(self, question: Question, patience: Patience, offload: Callable[..., Any]) -> SearchResult:
        """Send a search request and return the result; `PluginExecutionError` if it fails.

        `offload` calls a function that blocks.
        """
        ldap3 = _library()
        errors = ldap3.core.exceptions
        with self._lock:
            if time.monotonic() < self._down_until:
                raise PluginExecutionError(f"{self.url} could not be reached a moment ago; not trying again yet")
            retries = patience.retries
            while True:
                is_new = self._connection is None
                try:
                    found: SearchResult = offload(self._attempt, ldap3, question, patience.timeout)
                except (errors.LDAPCommunicationError, errors.LDAPResponseTimeoutError, OSError) as err:
                    self._close()
                    if not is_new:
                        # Servers close idle connections.
                        continue
                    if not retries:
                        self._down_until = time.monotonic() + patience.delay
                        raise PluginExecutionError(f"{self.url} cannot be reached: {err}") from err
                    retries -= 1
                    time.sleep(patience.delay)
                except errors.LDAPException as err:
                    if not isinstance(err, errors.LDAPOperationResult):
                        # The state of the connection is unknown.
                        self._close()
                    raise PluginExecutionError(f"{self.url}: {err}") from err
                else:
                    return found

    def close(self) -> None:
        """Close the connection, after the current request."""
        with self._lock:
            self._close()

    def _attempt(self, ldap3: Any, question: Question, timeout: int) -> SearchResult:
        if self._connection is None:
            self._connection = self._open(ldap3, timeout)
        connection = self._connection
        connection.search(
            question.base,
            question.filter,
            search_scope={"base": ldap3.BASE, "one": ldap3.LEVEL, "sub": ldap3.SUBTREE}[question.scope],
            attributes=ldap3.ALL_ATTRIBUTES if question.attributes is None else list(question.attributes),
        )
        return [
            (entry["dn"], {name: _decode(values) for name, values in entry["raw_attributes"].items()})
            for entry in connection.response
            if entry["type"] == "searchResEntry"
        ]

    def _open(self, ldap3: Any, timeout: int) -> Any:
        options = self._checked_options()
        parts = urlsplit(self.url)
        is_tls = parts.scheme == "ldaps"
        validate = ssl.CERT_REQUIRED if options.get("verify", True) else ssl.CERT_NONE
        server = ldap3.Server(
            parts.hostname or "localhost",
            port=parts.port or (LDAPS_PORT if is_tls else LDAP_PORT),
            use_ssl=is_tls,
            tls=ldap3.Tls(validate=validate, ca_certs_file=options.get("ca")),
            get_info=ldap3.NONE,
            connect_timeout=timeout,
        )
        connection = ldap3.Connection(
            server,
            user=self.binddn,
            password=self.bindpw,
            authentication=ldap3.SIMPLE if self.binddn else ldap3.ANONYMOUS,
            check_names=False,
            raise_exceptions=True,
            read_only=True,
            receive_timeout=timeout,
        )
        try:
            connection.open(read_server_info=False)
            if options.get("start_tls"):
                connection.start_tls(read_server_info=False)
            connection.bind(read_server_info=False)
        except BaseException:
            connection.strategy.close()
            # ldap3 does not close a connection that it could not open completely.
            if connection.socket is not None:
                connection.socket.close()
            raise
        return connection

    def _checked_options(self) -> Mapping[str, Any]:
        options = self.options or {}
        for name, value in options.items():
            if name not in OPTIONS or not isinstance(value, OPTIONS[name]):
                raise PluginExecutionError(
                    f"{self.url}: invalid option {name!r} with value {value!r}; expected ca (a file), verify or "
                    "start_tls (True or False)"
                )
        return options

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # Only the socket is closed: an unbind request would wait for a server that may be down.
            connection.strategy.close()

    def __repr__(self) -> str:
        return f"LdapConnection({self.url})"


def _library() -> Any:
    try:
        return importlib.import_module("ldap3")
    except ImportError as err:
        raise PluginExecutionError(f"ldap3 is needed: install geventcore[ldap] ({err})") from err


def _decode(values: Iterable[bytes]) -> list[Value]:
    decoded: list[Value] = []
    for value in values:
        try:
            decoded.append(value.decode("utf-8"))
        except UnicodeDecodeError:
            decoded.append(value)
    return decoded
