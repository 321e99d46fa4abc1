"""A load: which clients call a server, what they do in a run, when runs begin, and how often clients try."""

from __future__ import annotations

import math
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from geventcore.errors import ConfigError, GeventcoreError
from geventcore.units import counted

#: The calls of a run in their order; some runs lack some of them.
METHODS = (
    "AssertProfile",
    "DeclareVersion",
    "GetProbes",
    "RecvProbeData",
    "GetDecisionList",
    "GetConfig",
    "RecvStats",
)
(
    ASSERT_PROFILE,
    DECLARE_VERSION,
    GET_PROBES,
    RECV_PROBE_DATA,
    GET_DECISION_LIST,
    GET_CONFIG,
    RECV_STATS,
) = range(len(METHODS))

#: The release that most clients in the field are.
CLIENT_VERSION = "1.3.4"


class LoadError(GeventcoreError):
    """The load cannot be made; the text says why."""


@dataclass(frozen=True)
class Address:
    """A resolved address, as `socket.connect` takes it."""

    family: int
    sockaddr: tuple[Any, ...]


@dataclass(frozen=True)
class Target:
    """A server.

    Attributes:
        host, port: a name or an address, IPv6 without brackets.
        path: the request target of HTTP.
    """

    host: str
    port: int
    path: str = "/RPC2"

    @property
    def authority(self) -> str:
        """``host:port`` for the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def resolve(self) -> list[Address]:
        """Return the host's addresses, best first; `ConfigError` if there is none."""
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as err:
            raise ConfigError(f"the server's name {self.host!r} cannot be resolved: {err}") from err
        return [Address(family, sockaddr) for family, _, _, _, sockaddr in found]


def check_allowed(target: Target, named_host: str | None) -> None:
    """Refuse a server on another machine unless `named_host` repeats its host; raises `ConfigError`."""
    if target.host == named_host:
        return
    for address in target.resolve():
        # An IPv6 address may have a scope.
        if not ip_address(str(address.sockaddr[0]).partition("%")[0]).is_loopback:
            raise ConfigError(
                f"{target.host} is not this machine, and a load may put its server out of service: if it is yours,"
                f" confirm it with --i-run-this-server {target.host}"
            )


@dataclass(frozen=True)
class SimulatedClient:
    """A client, and how it proves who it is.

    Attributes:
        name: its host name.
        user: for basic authentication. A server takes a user name for the client's host name, unless it is ``root``:
            then the address that the call comes from tells the client.
        address: the local address to call from, or None for any.
        certificate, key: files in PEM format, or None.
        profile: the profile that the client asserts in each run, or None.
    """

    name: str
    user: str
    address: str | None = None
    certificate: Path | None = None
    key: Path | None = None
    profile: str | None = None


@dataclass(frozen=True)
class RetryPolicy:
    """The number of attempts of a call, and the times to wait; the defaults are those of Bcfg2 1.3.4.

    Attributes:
        attempts: the first one included.
        delay_seconds: the pause between two attempts.
        timeout_seconds: for each operation on the socket.
    """

    attempts: int = 3
    delay_seconds: float = 1.0
    timeout_seconds: float = 90.0


@dataclass(frozen=True)
class RunPlan:
    """The calls of a run, and their contents.

    Attributes:
        decision_mode: ``whitelist`` or ``blacklist``: ask for the list of decisions, too. None: do not.
        version: the release that clients declare.
        probe_answers: probe -> what it prints, with ``{client}`` for the host name. Other probes get a plausible one.
        checks_answers: parse every answer, and look at every entry, as a real client does. Otherwise clients are
            cheap: they check what can be checked without parsing, and send what was made once for all.
        only: the calls to make, as positions in METHODS; empty: those of a whole run.
        deviations: a seed, with which some clients report that their hosts are not as they should be; None: all hosts
            are. Only clients that check answers do.
    """

    decision_mode: str | None = None
    version: str = CLIENT_VERSION
    probe_answers: Mapping[str, str] = field(default_factory=dict)
    checks_answers: bool = False
    only: frozenset[int] = frozenset()
    deviations: int | None = None


@dataclass(frozen=True)
class Pace:
    """The moments when runs begin. A client never runs twice at a time.

    Attributes:
        runs: how many each client makes; None: clients go on until the load ends.
        concurrency: how many runs may be under way; None: any number.
        splay_seconds: the first runs begin at random moments of this time.
        rate: how many runs begin in each second, whatever becomes of those before; instead of the two above.
        seed: of the random moments, so that a splay can be repeated.
    """

    runs: int | None = 1
    concurrency: int | None = None
    splay_seconds: float = 0.0
    rate: float | None = None
    seed: int = 0

    def describe(self) -> str:
        """Return the pace in words."""
        if self.rate is not None:
            return f"{self.rate:.3g} runs begin in each second"
        limit = "" if self.concurrency is None else f"{counted(self.concurrency, 'run')} under way at any time"
        if self.runs is None:
            return limit or "all clients run all the time"
        begin = f"begun within {self.splay_seconds:g} s" if self.splay_seconds else "all at once"
        made = f"each client makes {counted(self.runs, 'run')}, {begin}"
        return f"{made}; at most {limit}" if limit else made

    def share(self, number: int, of: int) -> Pace:
        """Return the part of process `number` (from 0) of several."""
        concurrency, rate = self.concurrency, self.rate
        if concurrency is not None:
            concurrency = concurrency // of + (number < concurrency % of)
        if rate is not None:
            rate /= of
        return replace(self, concurrency=concurrency, rate=rate, seed=self.seed + number)


@dataclass(frozen=True)
class Load:
    """Clients and what they do to a server.

    Attributes:
        target: the server.
        ca: the CA certificates that the server's certificate is checked with in every handshake; None: no check.
        password: of all clients.
        clients: those who call.
        seconds: the end of the load.
        processes: how many make the calls; 0 for as many as needed, at most one for each processor.
        warm_up_runs: how many runs each process makes before the clock starts: they fail early if the server does not
            work, and let it fill its caches.
    """

    target: Target
    ca: Path | None
    password: str = field(repr=False)
    clients: Sequence[SimulatedClient]
    pace: Pace = field(default_factory=Pace)
    seconds: float = math.inf
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    plan: RunPlan = field(default_factory=RunPlan)
    processes: int = 0
    warm_up_runs: int = 0

    @property
    def most_at_once(self) -> int:
        """The number of runs that can be under way."""
        return min(len(self.clients), self.pace.concurrency or len(self.clients))

    def share(self, number: int, of: int) -> Load:
        """Return the part of process `number` (from 0) of several."""
        return replace(self, clients=self.clients[number::of], pace=self.pace.share(number, of))


@dataclass(frozen=True)
class Job:
    """The part of a load that one process does; `numbers` are those of its clients among all."""

    load: Load
    numbers: Sequence[int]
