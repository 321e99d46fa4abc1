"""Starting with a large repository: how long until the server serves, and what memory each of its processes takes.

    python -m contrib.bench.start

The repository has ten thousand files with 135 MB. The server has four workers and is started several times; each time
the table tells when the first request was answered, what all processes took then, and what they took after every
profile's clients had made runs. The last start's processes are listed one by one: PSS counts a page that several share
once in all, RSS once for each.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import psutil

from contrib.bench.candidates import parse_candidate
from contrib.bench.command import load_of, parser, show_progress, with_test_bed, write_report
from geventcore.simulation.load import Pace
from geventcore.simulation.measurement import Measurement, measure_load
from geventcore.simulation.report_page import Section, Table
from geventcore.simulation.repository import Shape
from geventcore.simulation.sampler import ProcessSample, Sampler
from geventcore.simulation.test_bed import TestBed

#: Makes some 10,000 files.
_GROUPS, _FILE_BYTES = 52, 16_000
_HEADER = ["start", "seconds until it serves", "processes", "PSS MB then", "PSS MB after runs", "runs"]


def _megabytes(processes: Sequence[ProcessSample]) -> str:
    return f"{sum(process.pss for process in processes) / 1e6:.1f}"


def _process_table(title: str, processes: Sequence[ProcessSample]) -> Table:
    rows = [
        [
            str(process.pid),
            f"{process.pss / 1e6:.1f}",
            f"{process.rss / 1e6:.1f}",
            str(process.descriptors),
            str(process.threads),
            f"{process.cpu_seconds:.2f}",
        ]
        for process in processes
    ]
    return Table(title, ["process", "PSS MB", "RSS MB", "descriptors", "threads", "processor seconds"], rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    made = parser("start", __doc__ or "", server="geventcore,gevent.workers=4", clients=520, entries=400)
    made.add_argument("--starts", type=int, default=3, help="how often it is started (default: 3)")
    made.add_argument("--groups", type=int, default=_GROUPS, help=f"profiles (default: {_GROUPS})")
    made.add_argument("--file-bytes", type=int, default=_FILE_BYTES, help=f"of each file (default: {_FILE_BYTES})")
    made.add_argument("--seconds", type=float, default=20.0, help="of runs after each start (default: 20)")
    options = made.parse_args(arguments)

    def measure(bed: TestBed) -> int:
        candidate = parse_candidate(options.server)
        pace = Pace(None, concurrency=16)
        measurement = Measurement(candidate.name, pace.describe())
        starts, at_ready, after_runs = [], [], []
        for number in range(options.starts):
            with bed.serving(candidate.options, candidate.command) as running:
                # It serves already; its age is what it took, without the copy of the repository that is made before.
                ready = time.time() - psutil.Process(running.pid).create_time()
                at_ready = Sampler([running.pid]).processes()
                before = measurement.total("runs_ok")
                measure_load(measurement, load_of(bed, running, pace, options.seconds), [running.pid], show_progress)
                after_runs = Sampler([running.pid]).processes()
            runs = measurement.total("runs_ok") - before
            sizes = [_megabytes(at_ready), _megabytes(after_runs)]
            starts.append([str(number + 1), f"{ready:.2f}", str(len(at_ready)), *sizes, f"{runs:.0f}"])
            if measurement.interrupted:
                break
        tables = [
            Table("Starts", _HEADER, starts),
            _process_table("Processes when the last start was ready", at_ready),
            _process_table("Processes after its runs", after_runs),
        ]
        for table in tables:
            print(f"\n{table.title}")
            for row in (table.header, *table.rows):
                print("".join(f"{cell:>{len(title) + 3}}" for cell, title in zip(row, table.header, strict=True)))
        note = f"{options.groups} profiles, {options.entries} entries each, files of {options.file_bytes} bytes."
        section = Section("", "", [measurement], tables)
        write_report(options.report, f"Starts of {candidate.name}", note, [section], vars(options))
        return 1 if measurement.total("runs_failed") else 0

    def shape() -> Shape:
        return Shape(options.clients, options.groups, entries=options.entries, file_bytes=options.file_bytes)

    return with_test_bed(shape, measure)


if __name__ == "__main__":
    sys.exit(main())
