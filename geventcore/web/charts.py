"""The geometry of charts. The templates draw them as SVG with classes for colours, without inline styles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from geventcore.web.fleet import State


@dataclass(frozen=True)
class Part:
    """A part of a bar: its class, number, and position and width in per mille."""

    name: str
    number: int
    start: float
    width: float


def stacked(counts: Mapping[State, int], smallest: float = 6.0) -> list[Part]:
    """Divide a bar of 1000 by counts. No part that counts something is narrower than `smallest`."""
    shown = {state: number for state, number in counts.items() if number}
    total = sum(shown.values())
    if not total:
        return []
    widths = {state: max(smallest, 1000 * number / total) for state, number in shown.items()}
    excess = sum(widths.values()) - 1000
    widest = max(widths, key=lambda state: widths[state])
    widths[widest] -= excess
    parts, start = [], 0.0
    for state, number in shown.items():
        parts.append(Part(state.value, number, round(start, 1), round(widths[state], 1)))
        start += widths[state]
    return parts


@dataclass(frozen=True)
class Column:
    """A column of a chart.

    Attributes:
        x, width: position.
        parts: class, top and height of each part, from below.
        label: the column in words.
        link: address of what it counts.
        is_known: false if the number is still being counted.
    """

    x: float
    width: float
    parts: Sequence[tuple[str, float, float]]
    label: str
    link: str
    is_known: bool = True


@dataclass(frozen=True)
class Chart:
    """A chart of columns: its size, its columns, its largest value, and labels below with positions."""

    width: int
    height: int
    columns: Sequence[Column]
    top: float
    ticks: Sequence[tuple[float, str]] = ()


def columns(
    values: Sequence[Mapping[str, float] | None],
    labels: Sequence[str],
    links: Sequence[str],
    ticks: Mapping[int, str],
    *,
    width: int = 720,
    height: int = 120,
) -> Chart:
    """Make a chart of stacked columns: class -> value from below, or None where nothing is known yet."""
    top = nice_top(max((sum(value.values()) for value in values if value), default=0.0))
    step = width / max(1, len(values))
    gap = 0.0 if step < 3 else min(3.0, step * 0.22)
    made = []
    for number, value in enumerate(values):
        parts, base = [], float(height)
        for name, amount in (value or {}).items():
            tall = amount / top * height
            if amount:
                # A small amount stays visible.
                tall = max(tall, 1.5)
                base -= tall
                parts.append((name, round(base, 2), round(tall, 2)))
        place = round(number * step + gap / 2, 2)
        made.append(Column(place, round(step - gap, 2), parts, labels[number], links[number], value is not None))
    return Chart(
        width, height, made, top, [(round((number + 0.5) * step, 1), text) for number, text in sorted(ticks.items())]
    )


def nice_top(largest: float) -> float:
    """Return a round number that is not smaller."""
    if largest <= 0:
        return 1.0
    power = 1.0
    while power * 10 <= largest:
        power *= 10
    while power > largest:
        power /= 10
    for factor in (1, 1.5, 2, 3, 4, 5, 6, 8, 10):
        if factor * power >= largest:
            return factor * power
    return largest
