"""What one process of a load is to do: told as JSON, since the process begins with an interpreter of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class LoadClient:
    """A client.

    Attributes:
        name: its host name.
        user: for basic authentication: ``root`` where the server tells clients apart by their addresses.
        address: the local address to call from, or None for any.
    """

    name: str
    user: str
    address: str | None = None


@dataclass(frozen=True)
class Patience:
    """How long clients try; the defaults are those of Bcfg2 1.3.4."""

    attempts: int = 3
    delay_seconds: float = 1.0
    silence_seconds: float = 90.0


@dataclass(frozen=True)
class Pace:
    """When runs begin, in one of three ways.

    * ``Pace(splay_seconds=S, runs=N)``: each client makes N runs, the first at a random moment of the first S seconds.
    * ``Pace(concurrency=N)``: N runs are under way all the time; one that ends makes room for the next client's.
    * ``Pace(rate=R)``: R runs begin in each second, whatever becomes of those before.

    A client never runs twice at a time.

    Attributes:
        seed: of the random moments, so that a splay can be repeated.
    """

    splay_seconds: float = 0.0
    runs: int = 1
    concurrency: int | None = None
    rate: float | None = None
    seed: int = 0

    def describe(self) -> str:
        """The pace in words."""
        if self.concurrency is not None:
            return f"{self.concurrency} runs under way at any time"
        if self.rate is not None:
            return f"{self.rate:.3g} runs begin in each second"
        runs = "one run" if self.runs == 1 else f"{self.runs} runs"
        return f"each client makes {runs}, begun within {self.splay_seconds:g} s"

    def share(self, number: int, of: int) -> Pace:
        """What process `number` (from 0) of several does."""
        concurrency, rate = self.concurrency, self.rate
        if concurrency is not None:
            concurrency = concurrency // of + (number < concurrency % of)
        if rate is not None:
            rate /= of
        return Pace(self.splay_seconds, self.runs, concurrency, rate, self.seed + number)


@dataclass(frozen=True)
class Job:
    """One process's part.

    Attributes:
        family, sockaddr: where to connect to, as `socket.connect` takes it.
        authority: ``host:port`` for the Host header.
        ca: the CA certificate that the server's is checked with.
        seconds: after which everything ends.
        warm_up: number of clients that make a run before the clock starts.
        results: the file that the records go to.
    """

    family: int
    sockaddr: tuple[Any, ...]
    authority: str
    path: str
    ca: Path
    password: str = field(repr=False)
    clients: Sequence[LoadClient]
    pace: Pace
    seconds: float
    patience: Patience
    warm_up: int
    results: Path

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self) | {"ca": str(self.ca), "results": str(self.results)})

    @classmethod
    def from_json(cls, text: str) -> Job:
        """What `to_json` has written."""
        given = json.loads(text)
        return cls(
            **given
            | {
                "sockaddr": tuple(given["sockaddr"]),
                "ca": Path(given["ca"]),
                "clients": [LoadClient(**client) for client in given["clients"]],
                "pace": Pace(**given["pace"]),
                "patience": Patience(**given["patience"]),
                "results": Path(given["results"]),
            }
        )
