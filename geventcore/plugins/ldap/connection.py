"""A directory server, and asking it.

One question at a time goes to each server; further ones wait, which lets others go on. If a server cannot be reached
after all attempts, it is not tried again for a while: everybody who asks meanwhile gets an error at once, so that a
server that is down does not hold up every client for as long as all attempts take.
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
    "How often a directory server that does not answer is asked again.",
)
RETRY_DELAY = Option(
    "ldap",
    "retry_delay",
    types.seconds(),
    5.0,
    "How long to wait before a directory server is asked again, in seconds.",
)
TIMEOUT = Option(
    "ldap",
    "timeout",
    types.integer(1, 3600),
    10,
    "How long a directory server may take to accept a connection, and then to answer a question, in seconds.",
)
LDAP_PORT = 389
LDAPS_PORT = 636

#: What a server found: ``(distinguished name, attributes)``; each attribute has a list of values, which are text, or
#: bytes where they are no UTF-8.
SearchResult = list[tuple[str, dict[str, list[str | bytes]]]]
Value = str | bytes


@dataclass(frozen=True)
class Patience:
    """How long and how often a server is asked.

    Attributes:
        retries: further attempts after the first.
        delay: between two attempts, in seconds.
        timeout: of one attempt, in seconds; ldap3 takes whole ones only.
    """

    retries: int
    delay: float
    timeout: int


@dataclass(frozen=True)
class Question:
    """What a server is asked."""

    base: str
    scope: str
    filter: str
    attributes: tuple[str, ...] | None


#: Keys of `LdapConnection.options`, and what they may be.
OPTIONS: dict[str, type | tuple[type, ...]] = {"ca": str, "verify": bool, "start_tls": bool}


class LdapConnection:
    """A directory server. Attributes may also be set after it was made.

    Attributes:
        host, port: where it is. Port 636 means TLS from the start.
        uri: the same as ``ldap://host:port`` or ``ldaps://host:port``; counts instead of `host` and `port`.
        binddn, bindpw: whom to log in as, and the password; without them nobody.
        options: ``ca``, the file of the authority that signed the server's certificate; ``verify``, whether that is
            checked, which it is unless told otherwise; ``start_tls``, whether a plain connection changes to TLS.
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
        """Where it is, as a URL."""
        if self.uri:
            return self.uri
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'ldaps' if self.port == LDAPS_PORT else 'ldap'}://{host}:{self.port}"

    def ask(self, question: Question, patience: Patience, offload: Callable[..., Any]) -> SearchResult:
        """What the server finds; `PluginExecutionError` says why it finds nothing.

        `offload` calls a function that blocks.
        """
        ldap3 = _library()
        errors = ldap3.core.exceptions
        with self._lock:
            if time.monotonic() < self._down_until:
                raise PluginExecutionError(f"{self.url} could not be reached a moment ago")
            retries = patience.retries
            while True:
                is_new = self._connection is None
                try:
                    found: SearchResult = offload(self._attempt, ldap3, question, patience.timeout)
                except (errors.LDAPCommunicationError, errors.LDAPResponseTimeoutError, OSError) as err:
                    self._close()
                    if not is_new:
                        # Servers end conversations that have been idle for long.
                        continue
                    if not retries:
                        self._down_until = time.monotonic() + patience.delay
                        raise PluginExecutionError(f"{self.url} cannot be reached: {err}") from err
                    retries -= 1
                    time.sleep(patience.delay)
                except errors.LDAPException as err:
                    if not isinstance(err, errors.LDAPOperationResult):
                        # What state the conversation is in is not known.
                        self._close()
                    raise PluginExecutionError(f"{self.url}: {err}") from err
                else:
                    return found

    def close(self) -> None:
        """End the conversation, after the question that is being asked."""
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
            # What never became a conversation is not closed there.
            if connection.socket is not None:
                connection.socket.close()
            raise
        return connection

    def _checked_options(self) -> Mapping[str, Any]:
        options = self.options or {}
        for name, value in options.items():
            if name not in OPTIONS or not isinstance(value, OPTIONS[name]):
                raise PluginExecutionError(
                    f"{self.url}: the option {name!r} with value {value!r} means nothing here; there are "
                    "ca (a file), verify and start_tls (True or False)"
                )
        return options

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # Only the socket is closed: the server may be gone, and a proper farewell would wait for it.
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
