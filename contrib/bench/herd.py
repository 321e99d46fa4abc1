"""Ten thousand clients that all begin within one second, as after a power cut or at the full hour.

    python -m contrib.bench.herd
    python -m contrib.bench.herd geventcore,gevent.workers=2

Each makes one whole run, with the patience of a real client: a call that fails is tried three times, and waits 90
seconds for its answer. The server does well if no run fails. The exit status is 1 if one did.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from contrib.bench.candidates import parse_candidate
from contrib.bench.command import load_of, parser, show_progress, with_test_bed, write_report
from geventcore.simulation.load import Pace
from geventcore.simulation.measurement import Measurement, measure_load
from geventcore.simulation.report_page import Section
from geventcore.simulation.report_text import summary
from geventcore.simulation.repository import Shape
from geventcore.simulation.test_bed import TestBed


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    made = parser("herd", __doc__ or "", server="geventcore", clients=10_000, entries=100)
    made.add_argument("--within", type=float, default=1.0, help="seconds in which all begin (default: 1)")
    made.add_argument("--seconds", type=float, default=1800.0, help="when to end at the latest (default: 1800)")
    options = made.parse_args(arguments)

    def measure(bed: TestBed) -> int:
        candidate = parse_candidate(options.server)
        measurement = Measurement(candidate.name, Pace(splay_seconds=options.within).describe())
        with bed.serving(candidate.options, candidate.command) as running:
            load = load_of(bed, running, Pace(splay_seconds=options.within), options.seconds)
            measure_load(measurement, load, [running.pid], show_progress)
        print(summary(measurement))
        note = f"{options.clients} clients with {options.entries} entries each begin within {options.within:g} s."
        write_report(
            options.report, f"A herd at {candidate.name}", note, [Section("", "", [measurement])], vars(options)
        )
        unfinished = measurement.total("runs_failed") + measurement.total("runs_cut")
        return 1 if unfinished else 0

    return with_test_bed(lambda: Shape(clients=options.clients, entries=options.entries), measure)


if __name__ == "__main__":
    sys.exit(main())
