"""The state of sources, for people and for programs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from geventcore.metrics.definitions import PACKAGE_SOURCE_AGE, PACKAGE_SOURCES
from geventcore.plugins.packages.cache import SourceState
from geventcore.plugins.packages.kinds.base import Origin
from geventcore.plugins.packages.urls import public_url

States = Mapping[Origin, SourceState]


def moment(seconds: float) -> str:
    """Return a time as text in ISO 8601, in UTC; ``never`` for 0."""
    if not seconds:
        return "never"
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(state: SourceState) -> str:
    """Return ``current``, ``failing`` (the last data are in use) or ``missing`` (there are no data)."""
    if not state.packages:
        return "missing"
    return "failing" if state.is_failing else "current"


def status_of(origin: Origin, state: SourceState) -> dict[str, Any]:
    """Return the state of a source as a JSON object. Times are in seconds since the epoch, null for never."""
    return {
        "type": origin.kind,
        "url": public_url(origin.rawurl or origin.url),
        "version": origin.version,
        "components": list(origin.components),
        "architectures": list(origin.architectures),
        "state": condition(state),
        "packages": state.packages,
        "checked": state.checked or None,
        "fetched": state.fetched or None,
        "failing_since": state.failing_since or None,
        "error": state.error if state.is_failing else "",
        "notes": state.notes,
    }


def status_lines(origin: Origin, state: SourceState) -> Iterator[str]:
    """Yield the lines about a source for a terminal."""
    parts = " ".join((origin.version, *origin.components)).strip()
    yield f"{origin.kind} {public_url(origin.rawurl or origin.url)} {parts}".rstrip()
    counts = ", ".join(f"{number} for {architecture}" for architecture, number in sorted(state.packages.items()))
    yield f"  {condition(state)}; packages: {counts or 'none'}; fetched: {moment(state.fetched)}"
    if state.is_failing:
        yield f"  fails since {moment(state.failing_since)}: {state.error}"
    yield from (f"  note: {note}" for note in state.notes)


def failures(states: States) -> str:
    """Return one line on the sources that fail, and since when; empty if none does."""
    found = [
        f"{state.place} fails since {moment(state.failing_since)}" for state in states.values() if state.is_failing
    ]
    return "; ".join(found)


def update_metrics(states: States) -> None:
    """Set the metrics of sources."""
    counts = dict.fromkeys(("current", "failing", "missing"), 0)
    PACKAGE_SOURCE_AGE.reset()
    now = time.time()
    for origin, state in states.items():
        counts[condition(state)] += 1
        if state.fetched:
            label = " ".join((public_url(origin.rawurl or origin.url), origin.version)).strip()
            PACKAGE_SOURCE_AGE.set(now - state.fetched, label)
    for name, count in counts.items():
        PACKAGE_SOURCES.set(count, name)
