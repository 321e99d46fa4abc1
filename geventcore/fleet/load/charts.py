"""Line charts as SVG: small, without any library, readable on light and dark, and without a script.

Colours are classes that the page's style sheet fills (``c0``, ``c1``, …). Each chart carries its numbers as an
attribute in JSON, from which the page's script shows the values under the pointer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

Point = tuple[float, float | None]

_WIDTH, _HEIGHT = 640, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 12, 40
#: As many as the style sheet has colours for.
MOST_LINES = 8


@dataclass(frozen=True)
class Line:
    """A line of a chart: points from left to right; those without a value make a gap.

    Attributes:
        colour: number of its colour.
        dashed: to tell two lines of one colour apart.
    """

    name: str
    points: Sequence[Point]
    colour: int = 0
    dashed: bool = False


@dataclass(frozen=True)
class Axis:
    """How values are placed and written.

    Attributes:
        label: what they are, with the unit.
        write: a value as a short text.
        is_log: whether equal distances are equal factors; only values above 0 are shown then.
        ticks: the values to mark; chosen if there are none, from 0 on where the scale is even.
        place: value -> something that grows evenly along the axis, instead of the value itself.
        is_count: whether only whole numbers are marked.
    """

    label: str
    write: Callable[[float], str]
    is_log: bool = False
    ticks: Sequence[float] = field(default_factory=tuple)
    place: Callable[[float], float] | None = None
    is_count: bool = False

    def position(self, value: float) -> float:
        """Where a value is, in the axis' own measure."""
        if self.place is not None:
            return self.place(value)
        return math.log10(value) if self.is_log else value


def line_chart(title: str, note: str, lines: Sequence[Line], x: Axis, y: Axis) -> str:
    """A figure with its title, a note on how to read it, a legend and the chart."""
    if y.is_log:
        lines = [
            Line(
                line.name,
                [(at, value if value and value > 0 else None) for at, value in line.points],
                line.colour,
                line.dashed,
            )
            for line in lines
        ]
    xs = [at for line in lines for at, _ in line.points]
    ys = [value for line in lines for _, value in line.points if value is not None]
    head = f"<figcaption><b>{escape(title)}</b> <span>{escape(note)}</span></figcaption>"
    if not xs or not ys:
        return f'<figure class="chart">{head}<p class="none">Nothing to show.</p></figure>'
    x_ticks = x.ticks or [tick for tick in _even_ticks(max(xs), whole=False) if tick <= max(xs)]
    y_ticks = _log_ticks(min(ys), max(ys)) if y.is_log else _even_ticks(max(ys), y.is_count)
    x_low, x_high = _range(x, [*xs, *x_ticks])
    y_low, y_high = _range(y, [*ys, *y_ticks])

    def across(value: float) -> float:
        return _LEFT + (x.position(value) - x_low) / (x_high - x_low) * (_WIDTH - _LEFT - _RIGHT)

    def up(value: float) -> float:
        return _HEIGHT - _BOTTOM - (y.position(value) - y_low) / (y_high - y_low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">']
    for tick in y_ticks:
        at = up(tick)
        parts.append(f'<path class="grid" d="M{_LEFT} {at:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{y.write(tick)}</text>')
    for tick in x_ticks:
        at = across(tick)
        parts.append(f'<path class="mark" d="M{at:.1f} {_HEIGHT - _BOTTOM}v4"/>')
        parts.append(
            f'<text class="tick" x="{at:.1f}" y="{_HEIGHT - _BOTTOM + 17}" text-anchor="middle">{x.write(tick)}</text>'
        )
    parts.append(f'<path class="axis" d="M{_LEFT} {_HEIGHT - _BOTTOM}H{_WIDTH - _RIGHT}"/>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text class="label" x="{middle}" y="{_HEIGHT - 4}" text-anchor="middle">{escape(x.label)}</text>')
    for line in lines:
        parts.append(_path(line, across, up))
    parts.append('<path class="cursor" d=""/></svg>')
    data = {
        "lines": [
            {
                "name": line.name,
                "colour": line.colour,
                "points": [
                    [round(across(at), 1), x.write(at), None if value is None else y.write(value)]
                    for at, value in line.points
                ],
            }
            for line in lines
        ],
        "left": _LEFT,
        "right": _WIDTH - _RIGHT,
        "top": _TOP,
        "bottom": _HEIGHT - _BOTTOM,
        "label": x.label,
    }
    legend = "".join(
        f'<li><i class="b{line.colour}{" dashed" if line.dashed else ""}"></i>{escape(line.name)}</li>'
        for line in _unique(lines)
    )
    legend = f'<ul class="legend">{legend}</ul>' if len(_unique(lines)) > 1 else ""
    return (
        f'<figure class="chart" data-chart="{escape(json.dumps(data, separators=(",", ":")))}">{head}{legend}'
        f'<div class="plot">{"".join(parts)}<output></output></div><p class="unit">{escape(y.label)}</p></figure>'
    )


def _unique(lines: Sequence[Line]) -> list[Line]:
    """One line for each name: several turns of a server have one."""
    return list({line.name: line for line in reversed(lines)}.values())[::-1]


def _path(line: Line, across: Callable[[float], float], up: Callable[[float], float]) -> str:
    commands, drawn, alone = [], False, []
    for at, value in line.points:
        if value is None:
            drawn = False
            continue
        commands.append(f"{'L' if drawn else 'M'}{across(at):.1f} {up(value):.1f}")
        if not drawn:
            alone.append((at, value))
        drawn = True
    dashed = " dashed" if line.dashed else ""
    # A round end makes a point without neighbours visible.
    commands.extend(f"M{across(at):.1f} {up(value):.1f}h0" for at, value in alone)
    return f'<path class="line c{line.colour}{dashed}" d="{"".join(commands)}"/>'


def _range(axis: Axis, values: Sequence[float]) -> tuple[float, float]:
    low, high = (axis.position(value) for value in (min(values), max(values)))
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _log_ticks(low: float, high: float) -> list[float]:
    """Round values that cover the range, more of them in a narrow one."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 2 else (1, 3) if last - first <= 3 else (1,)
    every = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
    below = max((tick for tick in every if tick <= low), default=low)
    above = min((tick for tick in every if tick >= high), default=high)
    return [tick for tick in every if below <= tick <= above]


def _even_ticks(high: float, whole: bool) -> list[float]:
    """Round values from 0 to `high` or a little beyond."""
    if high <= 0:
        return [0.0, 1.0]
    rough = high / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    if whole:
        step = math.ceil(step)
    return [round(number * step, 10) for number in range(math.ceil(high / step) + 1)]
