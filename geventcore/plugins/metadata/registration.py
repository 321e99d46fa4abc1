"""The registration of clients that are not in the client list.

``[metadata] register`` says who may become a client: with ``open`` everybody who can authenticate, with ``approve``
those that an administrator has approved, with ``closed`` nobody. Whoever waits for approval has a file
``Metadata/pending/<name>``, and gets no access meanwhile.

Registrations are bounded in rate and in total, so that nobody fills the client list with invented names.
"""

from __future__ import annotations

import difflib
import logging
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from geventcore.errors import MetadataConsistencyError, MetadataRuntimeError
from geventcore.options import Option, Settings, types
from geventcore.plugin.client_names import ClientNames, is_local_name
from geventcore.plugin.interfaces import Address
from geventcore.plugins.ip_addresses import is_loopback

log = logging.getLogger(__name__)

REGISTER = Option(
    "metadata",
    "register",
    types.choice("open", "approve", "closed"),
    "open",
    "Registration of clients that are not in the client list.\n\n"
    "open: whoever knows the password that all clients share, or has a certificate, becomes a client under any free "
    "name. approve: access is denied until an administrator runs geventcore admin client approve. closed: access is "
    "denied; only administrators add clients.",
)
REGISTER_LIMIT = Option(
    "metadata",
    "register_limit",
    types.integer(0, 10_000_000),
    100_000,
    "The number of clients in the client list from which on no more are registered. Administrators can add more.",
)
REGISTER_RATE = Option(
    "metadata",
    "register_rate",
    types.integer(1, 1_000_000),
    1200,
    "The limit on new registrations per minute, in each process. Further clients get a fault and try again later.",
)
CLIENT_NAMES: Option[tuple[re.Pattern[str], ...]] = Option(
    "metadata",
    "client_names",
    types.ANCHORED_REGEXES,
    "",
    "Names of clients that are accepted although they are not host names: regular expressions, separated by white "
    "space.\n\n"
    "An expression must match the whole name in lower case. Names never have other characters than letters, digits and "
    "_ . : + -, and begin with a letter, digit or underscore.",
)
OPTIONS = (REGISTER, REGISTER_LIMIT, REGISTER_RATE, CLIENT_NAMES)

#: The limit on clients that wait for approval. They are invented at no cost, and each has a file.
PENDING_LIMIT = 1000


class Waiting(MetadataConsistencyError):
    """A client waits for approval."""


@dataclass(frozen=True)
class PendingClient:
    """A client that waits for approval.

    Attributes:
        name: its name.
        address: where its first call came from.
        since: the time of its first call, in seconds since the epoch.
    """

    name: str
    address: str
    since: float


class PendingClients:
    """The clients that wait for approval: one file for each, with the address from which it called first."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def add(self, name: str, address: str) -> bool:
        """Add a client; return true if it is new. `MetadataRuntimeError` if there are too many, or on disk errors.

        `name` is accepted by `ClientNames`, so it is a file name.
        """
        path = self.directory / name
        try:
            if path.exists():
                return False
            self.directory.mkdir(mode=0o755, exist_ok=True)
            if sum(1 for _ in self.directory.iterdir()) >= PENDING_LIMIT:
                raise MetadataRuntimeError(
                    f"client {name} cannot wait for approval: {PENDING_LIMIT} clients already do; approve or remove "
                    f"the files in {self.directory}"
                )
            with path.open("x", encoding="utf-8") as file:
                file.write(f"{address}\n")
        except FileExistsError:
            return False
        except OSError as err:
            raise MetadataRuntimeError(f"{path}: cannot be written: {err.strerror}") from err
        return True

    def discard(self, name: str) -> bool:
        """Remove a client; return true if it was waiting."""
        try:
            (self.directory / name).unlink()
        except FileNotFoundError:
            return False
        except OSError as err:
            raise MetadataRuntimeError(f"{self.directory / name}: cannot be removed: {err.strerror}") from err
        return True

    def all(self) -> list[PendingClient]:
        """Return all waiting clients, sorted by name."""
        found = []
        try:
            for path in sorted(self.directory.iterdir()):
                address = path.read_text("utf-8", "replace").partition("\n")[0]
                found.append(PendingClient(path.name, address, path.stat().st_mtime))
        except FileNotFoundError:
            pass
        except OSError as err:
            raise MetadataRuntimeError(f"{self.directory}: cannot be read: {err.strerror}") from err
        return found

    @staticmethod
    def time_of(client: PendingClient) -> str:
        """Return the time since when a client waits, as text."""
        return datetime.fromtimestamp(client.since, timezone.utc).isoformat(timespec="seconds")


def what_is_shown(name: str, profile: str, clients: Iterable[str]) -> str:
    """Return what a command that only looks shows for a name that no client has."""
    close = difflib.get_close_matches(name, list(clients), n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"{name} is not a client{hint}; showing what it would get with the profile {profile}"


class Registration:
    """The rules for clients that are not in the client list."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        directory: Path,
        count: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set up; `count` returns the number of clients in the client list."""
        self._settings = settings
        self._count = count
        self._clock = clock
        self.pending = PendingClients(directory / "pending")
        self._lock = threading.Lock()
        self._tokens: float | None = None
        self._counted_at = 0.0

    @property
    def names(self) -> ClientNames:
        """The rule for names."""
        wider = self._settings()[CLIENT_NAMES]
        return ClientNames(wider)

    def check_name(self, name: str) -> None:
        """Raise `MetadataConsistencyError` if no client can have this name."""
        problem = self.names.problem(name)
        if problem:
            raise MetadataConsistencyError(problem)

    def require_access(self, name: str, address: Address) -> None:
        """Raise `MetadataError` if an authenticated but unknown client gets no access."""
        mode = self._settings()[REGISTER]
        if mode == "closed":
            raise MetadataConsistencyError(f"client {name} is not in the client list, and [metadata] register = closed")
        if mode == "approve":
            # Without an address it is a tool on this machine, not the client.
            if address[0] is not None and self.pending.add(name, str(address[0])):
                log.warning("client %s from %s is new and waits for approval", name, address[0])
            raise Waiting(f"client {name} is new and waits for approval; run geventcore admin client approve {name}")

    def admit(self, name: str, address: Address) -> None:
        """Raise `MetadataError` if an unknown client may not be added to the list."""
        self.check_name(name)
        if is_local_name(name) and address[0] is not None and not is_loopback(address):
            raise MetadataConsistencyError(f"client {name} calls from {address[0]}, which is not this machine")
        self.require_access(name, address)
        limit = self._settings()[REGISTER_LIMIT]
        if self._count() >= limit:
            raise MetadataRuntimeError(
                f"client {name} cannot be registered: there are {limit} clients, the limit ([metadata] register_limit)"
            )
        if not self._take_token():
            raise MetadataRuntimeError(
                f"client {name} cannot be registered yet: too many new clients in this minute "
                "([metadata] register_rate)"
            )

    def _take_token(self) -> bool:
        """Count a registration; return false if there were too many in the last minute."""
        rate = self._settings()[REGISTER_RATE]
        with self._lock:
            now = self._clock()
            tokens = rate if self._tokens is None else self._tokens + (now - self._counted_at) * rate / 60
            self._tokens, self._counted_at = min(tokens, rate), now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True
