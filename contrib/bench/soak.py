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

from contrib.bench.candidates import parse_candidate
from contrib.bench.command import load_of, parser, show_progress, with_test_bed, write_report
from geventcore.simulation.load import Pace
from geventcore.simulation.measurement import Measurement, measure_load
from geventcore.simulation.report_page import Section, Table
from geventcore.simulation.report_text import summary
from geventcore.simulation.repository import Shape
from geventcore.simulation.sampler import Sample
from geventcore.simulation.test_bed import TestBed

#: Runs under way while the most is measured that the server can do.
_FULL_LOAD = Pace(None, concurrency=64)

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

    def measure(bed: TestBed) -> int:
        candidate = parse_candidate(options.server)
        full = Measurement(candidate.name, _FULL_LOAD.describe())
        with bed.serving(candidate.options, candidate.command) as running:
            rate = options.rate
            if rate is None:
                load = load_of(bed, running, _FULL_LOAD, options.full_seconds)
                measure_load(full, load, [running.pid], show_progress)
                rate = full.per_second("runs_ok") / 2
            pace = Pace(None, rate=rate)
            half = Measurement(candidate.name, pace.describe())
            load = load_of(bed, running, pace, options.minutes * 60)
            measure_load(half, load, [running.pid], show_progress)
        table = growth(half.turns[0].samples.samples)
        print(summary(half))
        print()
        for row in (table.header, *table.rows):
            print("".join(f"{cell:>24}" for cell in row))
        note = f"{options.clients} clients with {options.entries} entries each, {options.minutes:g} minutes."
        sections = [Section("Half load", pace.describe(), [half], [table])]
        if full.turns:
            sections.append(Section("Full load, before", _FULL_LOAD.describe(), [full]))
        write_report(options.report, f"A soak of {candidate.name}", note, sections, vars(options))
        return 1 if half.total("runs_failed") else 0

    return with_test_bed(lambda: Shape(clients=options.clients, entries=options.entries), measure)


if __name__ == "__main__":
    sys.exit(main())
