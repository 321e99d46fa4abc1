"""The geometry of line charts: where lines, ticks and texts are. The page's template draws them as SVG.

Colours are classes that the page's style sheet fills (``c0``, ``c1``, …). Each chart carries its numbers in JSON, from
which the page's script shows the values under the pointer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

Point = tuple[float, float | None]

_WIDTH, _HEIGHT = 640, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 12, 40
#: As many as the style sheet has colours for.
MOST_LINES = 8


@dataclass(frozen=True)
class Line:
    """A line of a chart: points from left to right; those without a value make a gap.

    Attributes:
        colour: number of its colour, below MOST_LINES.
        dashed: to tell two lines of one colour apart.
    """

    name: str
    points: Sequence[Point]
    colour: int = 0
    dashed: bool = False


@dataclass(frozen=True)
class Axis:
    """The scale and the format of values.

    Attributes:
        label: of the values, with the unit.
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
        """Return the place of a value, in the axis' own measure."""
        if self.place is not None:
            return self.place(value)
        return math.log10(value) if self.is_log else value


@dataclass(frozen=True)
class Chart:
    """A chart as the template draws it; lengths are in units of its view box.

    Attributes:
        note: how to read it.
        unit: of the values.
        x_ticks, y_ticks: place and text of each tick; none if there is nothing to show.
        paths: the lines with the commands of their paths.
        legend: one line for each name, if there are several.
        data: the numbers, in JSON.
    """

    title: str
    note: str
    label: str
    unit: str
    x_ticks: Sequence[tuple[float, str]] = ()
    y_ticks: Sequence[tuple[float, str]] = ()
    paths: Sequence[tuple[Line, str]] = ()
    legend: Sequence[Line] = ()
    data: str = ""
    width: int = _WIDTH
    height: int = _HEIGHT
    left: int = _LEFT
    right: int = _WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = _HEIGHT - _BOTTOM


def line_chart(title: str, note: str, lines: Sequence[Line], x: Axis, y: Axis) -> Chart:
    """Place lines, ticks and a legend on a chart."""
    if y.is_log:
        lines = [
            replace(line, points=[(at, value if value and value > 0 else None) for at, value in line.points])
            for line in lines
        ]
    xs = [at for line in lines for at, _ in line.points]
    ys = [value for line in lines for _, value in line.points if value is not None]
    empty = Chart(title, note, x.label, y.label)
    if not xs or not ys:
        return empty
    x_ticks = x.ticks or [tick for tick in _even_ticks(max(xs), whole=False) if tick <= max(xs)]
    y_ticks = _log_ticks(min(ys), max(ys)) if y.is_log else _even_ticks(max(ys), y.is_count)
    x_low, x_high = _range(x, [*xs, *x_ticks])
    y_low, y_high = _range(y, [*ys, *y_ticks])

    def across(value: float) -> float:
        return _LEFT + (x.position(value) - x_low) / (x_high - x_low) * (_WIDTH - _LEFT - _RIGHT)

    def up(value: float) -> float:
        return _HEIGHT - _BOTTOM - (y.position(value) - y_low) / (y_high - y_low) * (_HEIGHT - _TOP - _BOTTOM)

    # One line for each name: several turns of a server have one.
    unique = list({line.name: line for line in reversed(lines)}.values())[::-1]
    values = [
        {
            "name": line.name,
            "colour": line.colour,
            "points": [
                [round(across(at), 1), x.write(at), None if value is None else y.write(value)]
                for at, value in line.points
            ],
        }
        for line in lines
    ]
    sides = {"left": empty.left, "right": empty.right, "top": empty.top, "bottom": empty.bottom, "label": x.label}
    return replace(
        empty,
        x_ticks=[(across(tick), x.write(tick)) for tick in x_ticks],
        y_ticks=[(up(tick), y.write(tick)) for tick in y_ticks],
        paths=[(line, _path(line, across, up)) for line in lines],
        legend=unique if len(unique) > 1 else (),
        data=json.dumps({"lines": values, **sides}, separators=(",", ":")),
    )


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
    # A round end makes a point without neighbours visible.
    commands.extend(f"M{across(at):.1f} {up(value):.1f}h0" for at, value in alone)
    return "".join(commands)


def _range(axis: Axis, values: Sequence[float]) -> tuple[float, float]:
    low, high = (axis.position(value) for value in (min(values), max(values)))
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _log_ticks(low: float, high: float) -> list[float]:
    """Return round values that cover the range, more of them in a narrow one."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 2 else (1, 3) if last - first <= 3 else (1,)
    every = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
    below = max((tick for tick in every if tick <= low), default=low)
    above = min((tick for tick in every if tick >= high), default=high)
    return [tick for tick in every if below <= tick <= above]


def _even_ticks(high: float, whole: bool) -> list[float]:
    """Return round values from 0 to `high` or a little beyond."""
    if high <= 0:
        return [0.0, 1.0]
    rough = high / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    if whole:
        step = math.ceil(step)
    return [round(number * step, 10) for number in range(math.ceil(high / step) + 1)]
