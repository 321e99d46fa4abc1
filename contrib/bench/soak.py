"""A while at half load: does anything grow?

    python -m contrib.bench.soak --minutes 20

First the server is measured with as many clients as it can serve at once, for half a minute. Then as many runs begin in
each second as make half of that, for as long as asked for. The table tells what the server held in the first tenth of
the time, after a warm-up of the same length, and in the last: memory, descriptors and threads have to be the same but
for noise.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence

from contrib.bench.arena import Arena, parse_contestant
from contrib.bench.command import parser, show_progress, with_arena, write_report
from geventcore.fleet.load.job import Pace
from geventcore.fleet.load.measurement import Measurement
from geventcore.fleet.load.page import Section, Table
from geventcore.fleet.load.sampler import Sample
from geventcore.fleet.load.text import summary
from geventcore.fleet.load.turn import take_turn
from geventcore.fleet.repository import Shape

#: Runs under way while the most is measured that the server can do.
_FULL_LOAD = Pace(concurrency=64)

_WATCHED: tuple[tuple[str, Callable[[Sample], float]], ...] = (
    ("memory, PSS in MB", lambda sample: sample.pss / 1e6),
    ("memory, RSS in MB", lambda sample: sample.rss / 1e6),
    ("descriptors", lambda sample: sample.descriptors),
    ("threads", lambda sample: sample.threads),
    ("processes", lambda sample: sample.processes),
)


def growth(samples: Sequence[Sample]) -> Table:
    """Medians of the second and of the last tenth of the samples, and what lies between them."""
    tenth = max(1, len(samples) // 10)
    early, late = samples[tenth : 2 * tenth] or samples, samples[-tenth:]
    rows = []
    for name, value in _WATCHED:
        before, after = (statistics.median(map(value, part)) for part in (early, late))
        change = f"{100 * (after - before) / before:+.1f} %" if before else ""
        rows.append([name, f"{before:.1f}", f"{after:.1f}", change])
    return Table("What grew", ["", "after the first tenth", "in the last tenth", "change"], rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    made = parser("soak", __doc__ or "", server="geventcore", clients=1000, entries=400)
    made.add_argument("--minutes", type=float, default=20.0, help="how long (default: 20)")
    made.add_argument("--full-seconds", type=float, default=30.0, help="how long the most is measured (default: 30)")
    made.add_argument("--rate", type=float, help="runs that begin in each second (default: half of the most)")
    options = made.parse_args(arguments)

    def measure(arena: Arena) -> int:
        contestant = parse_contestant(options.server)
        full = Measurement(contestant.name, _FULL_LOAD.describe())
        with arena.serving(contestant) as running:
            rate = options.rate
            if rate is None:
                load = arena.load(running, _FULL_LOAD, options.full_seconds)
                take_turn(full, load, [running.pid], show_progress)
                rate = full.per_second("runs_ok") / 2
            pace = Pace(rate=rate)
            half = Measurement(contestant.name, pace.describe())
            load = arena.load(running, pace, options.minutes * 60)
            take_turn(half, load, [running.pid], show_progress)
        table = growth(half.turns[0].samples.samples)
        print(summary(half))
        print()
        for row in (table.header, *table.rows):
            print("".join(f"{cell:>24}" for cell in row))
        note = f"{options.clients} clients with {options.entries} entries each, {options.minutes:g} minutes."
        sections = [Section("Half load", pace.describe(), [half], [table])]
        if full.turns:
            sections.append(Section("Full load, before", _FULL_LOAD.describe(), [full]))
        write_report(options.report, f"A soak of {contestant.name}", note, sections, vars(options))
        return 1 if half.total("runs_failed") else 0

    return with_arena(lambda: Shape(clients=options.clients, entries=options.entries), measure)


if __name__ == "__main__":
    sys.exit(main())
