"""The runs of simulated clients, put together from the records of their calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from geventcore.simulation import Load, make_runs
from geventcore.simulation.observation import Observation
from geventcore.simulation.records import CUT, FAILED, KINDS, RUN, LoadResult


@dataclass(frozen=True)
class Attempt:
    """One try of a call; `error` is None if it was answered, and `connect_seconds` if there was no handshake."""

    method: str
    number: int
    connect_seconds: float | None
    seconds: float
    error: str | None


@dataclass(frozen=True)
class ClientRun:
    """A run that has ended; `reason` is None if it was good."""

    client: str
    reason: str | None
    started: float
    attempts: Sequence[Attempt]
    observation: Observation | None


def client_runs(result: LoadResult, clients: Sequence[str]) -> list[ClientRun]:
    """The runs of a load, in the order of their ends; `clients` are the names of all clients."""
    records = result.records
    attempts: dict[int, list[Attempt]] = {}
    runs = []
    rows = zip(
        records.client,
        records.kind,
        records.attempt,
        records.outcome,
        records.started,
        records.connected,
        records.seconds,
        strict=True,
    )
    for client, kind, number, outcome, started, connected, seconds in rows:
        reason = records.reasons[outcome - FAILED] if outcome >= FAILED else None
        if kind != RUN:
            reached = connected if connected >= 0 else None
            error = reason and reason.partition(": ")[2]
            attempts.setdefault(client, []).append(Attempt(KINDS[kind], number, reached, seconds, error))
        elif outcome != CUT:
            name = clients[client]
            runs.append(ClientRun(name, reason, started, attempts.pop(client, []), result.observed.get(name)))
    return runs


def runs_of(load: Load) -> list[ClientRun]:
    """Let clients make their runs in this thread."""
    return client_runs(make_runs(load), [client.name for client in load.clients])
