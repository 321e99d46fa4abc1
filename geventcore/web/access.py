"""The callers that may see the pages.

* Callers on a loopback address or a UNIX socket need no password: they are users of this machine. A request that a
  proxy has passed on is not local, even if the proxy is on this machine.
* A proxy in ``[web] trusted_proxies`` may name the user in ``[web] proxy_header``.
* Everybody else needs a session, which begins with a user name and a password of ``[web] users_file``.
"""

from __future__ import annotations

import ipaddress
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geventcore.errors import ConfigError
from geventcore.options import LoadedSettings
from geventcore.options.listen_address import ListenAddress
from geventcore.web.options import LISTEN, LOGIN, PROXY_HEADER, TRUSTED_PROXIES, USERS_FILE
from geventcore.web.users import NAME, UsersFile

log = logging.getLogger(__name__)

#: Headers that only proxies add.
FORWARDING = ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Forwarded", "Via")
#: After so many wrong passwords from an address, it has to wait; in seconds.
ATTEMPTS, WAIT_SECONDS = 5, 60.0
#: The most addresses with wrong passwords that are remembered.
REMEMBERED = 10_000
LOCAL = "local"


@dataclass(frozen=True)
class Caller:
    """Somebody who may see the pages.

    Attributes:
        name: name of the user; ``local`` for users of this machine.
        origin: ``local``, ``proxy`` or ``session``.
    """

    name: str
    origin: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Request:
    """The parts of a request that access depends on.

    Attributes:
        peer: address of the caller; empty on a UNIX socket.
        is_local: whether it came to a loopback address or a UNIX socket.
        headers: the headers, whose names ignore case.
        session: the content of the signed session.
    """

    peer: str
    is_local: bool
    headers: Any
    session: Mapping[str, Any]


class Access:
    """The rules.

    Args:
        users: the file of users.
        login: ``auto``, or ``always`` if local callers need a password, too.
        proxy_header, proxies: the header with the user, and the networks of proxies that may send it.
    """

    def __init__(
        self, users: UsersFile, login: str = "auto", proxy_header: str | None = None, proxies: Collection[Any] = ()
    ) -> None:
        self.users = users
        self._login = login
        self._proxy_header = proxy_header
        self._proxies = proxies
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def from_settings(cls, settings: LoadedSettings) -> Access:
        """Return the rules of the ``[web]`` options.

        Raises:
            ConfigError: other machines could reach the pages, and nobody could log in.
        """
        users = UsersFile(settings[USERS_FILE])
        header, proxies = settings[PROXY_HEADER], settings[TRUSTED_PROXIES]
        if header and not proxies:
            raise ConfigError(
                f"{settings.source_of(PROXY_HEADER)}: {PROXY_HEADER.label} needs {TRUSTED_PROXIES.label}: "
                "anybody could send this header"
            )
        remote = [str(address) for address in settings[LISTEN] if not address.is_local]
        needs_users = remote or settings[LOGIN] == "always"
        if needs_users and not header and not users.has_users():
            why = f"other machines reach {', '.join(remote)}" if remote else f"{LOGIN.label} = always"
            raise ConfigError(
                f"{settings.source_of(LISTEN)}: {LISTEN.label}: {why}, but nobody could log in: add a user with "
                f"'geventcore web user add NAME', or set {PROXY_HEADER.label}"
            )
        return cls(users, settings[LOGIN], header, proxies)

    def needs_sessions(self, addresses: Sequence[ListenAddress]) -> bool:
        """Return whether somebody may have to log in with a password."""
        return self._login == "always" or not all(address.is_local for address in addresses) or self.users.has_users()

    def identify(self, request: Request) -> Caller | None:
        """Return who calls, or None if the caller has to log in."""
        if self._proxy_header and self._is_trusted_proxy(request):
            name = request.headers.get(self._proxy_header, "")
            return Caller(name, "proxy") if NAME.fullmatch(name) else None
        if request.is_local and self._login == "auto" and not _is_forwarded(request.headers):
            return Caller(LOCAL, "local")
        return self._of_session(request.session)

    def log_in(self, name: str, password: str, peer: str) -> dict[str, str] | None:
        """Return what the session of a user contains; None if the name or the password is wrong."""
        if not self.users.check(name, password):
            self._note_failure(peer)
            log.warning("access denied for %r from %s: wrong user or password", name, peer or "a UNIX socket")
            return None
        with self._lock:
            self._failures.pop(peer, None)
        log.info("%s logged in from %s", name, peer or "a UNIX socket")
        return {"user": name, "stamp": self.users.fingerprint(name) or ""}

    def must_wait(self, peer: str) -> bool:
        """Return whether an address has sent too many wrong passwords lately."""
        with self._lock:
            count, since = self._failures.get(peer, (0, 0.0))
            return count >= ATTEMPTS and time.monotonic() - since < WAIT_SECONDS

    def _note_failure(self, peer: str) -> None:
        with self._lock:
            count, since = self._failures.pop(peer, (0, 0.0))
            now = time.monotonic()
            self._failures[peer] = (count + 1 if now - since < WAIT_SECONDS else 1), now
            while len(self._failures) > REMEMBERED:
                self._failures.popitem(last=False)

    def _is_trusted_proxy(self, request: Request) -> bool:
        if not request.peer:
            return bool(self._proxies)
        return is_in(request.peer, self._proxies)

    def _of_session(self, session: Mapping[str, Any]) -> Caller | None:
        name, stamp = session.get("user"), session.get("stamp")
        if not isinstance(name, str) or not stamp or self.users.fingerprint(name) != stamp:
            return None
        return Caller(name, "session")


def _is_forwarded(headers: Any) -> bool:
    return any(name in headers for name in FORWARDING)


def is_in(address: str, networks: Collection[Any] | Sequence[Any]) -> bool:
    """Return whether an IP address is in one of the networks."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return any((mapped or parsed) in network for network in networks)
