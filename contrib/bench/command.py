"""The common part of the benchmarks' command lines: the server, the shape of the repository, and the report."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from geventcore.cli.command import termination_as_interrupt
from geventcore.errors import GeventcoreError
from geventcore.simulation.engine import Progress
from geventcore.simulation.load import Load, Pace
from geventcore.simulation.measurement import machine_facts
from geventcore.simulation.report_page import Section, html_page
from geventcore.simulation.repository import Shape
from geventcore.simulation.test_bed import ServerProcess, TestBed

#: Of each process, before the clock starts: of clients with different profiles.
WARM_UP_RUNS = 4


def parser(name: str, text: str, *, server: str, clients: int, entries: int) -> argparse.ArgumentParser:
    """Return a parser of what every benchmark of one server takes; `text` is the module's docstring."""
    made = argparse.ArgumentParser(
        prog=f"python -m contrib.bench.{name}", description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("server", nargs="?", default=server, help=f"NAME[,section.option=value…] (default: {server})")
    made.add_argument("--clients", type=int, default=clients, help=f"clients in the repository (default: {clients})")
    made.add_argument("--entries", type=int, default=entries, help=f"entries per client (default: {entries})")
    add_report(made, name)
    return made


def add_report(made: argparse.ArgumentParser, name: str) -> None:
    """Add the option for the page."""
    default = Path(f"bench-{name}.html")
    made.add_argument(
        "--report", type=Path, default=default, help=f"the page; its numbers go beside it as .json (default: {default})"
    )


def with_test_bed(shape: Callable[[], Shape], measure: Callable[[TestBed], int]) -> int:
    """Generate a repository and measure; an error becomes a line on standard error and the exit status 1."""
    try:
        with termination_as_interrupt(), tempfile.TemporaryDirectory(prefix="bench-") as directory:
            return measure(TestBed(Path(directory), shape()))
    except (GeventcoreError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted before anything was measured", file=sys.stderr)
        return 130


def load_of(bed: TestBed, server: ServerProcess, pace: Pace, seconds: float) -> Load:
    """Return a load of all clients on a server, with some runs to warm up."""
    return replace(bed.load(server), pace=pace, seconds=seconds, warm_up_runs=WARM_UP_RUNS)


def show_progress(progress: Progress) -> None:
    """Write one line on a terminal, over and over."""
    if sys.stderr.isatty():
        runs = f"{progress.ok} runs good, {progress.failed} failed, {progress.under_way} under way"
        print(f"\r{progress.seconds:6.0f} s: {runs}, {progress.retries} calls repeated ", end="", file=sys.stderr)


def write_report(
    path: Path, title: str, note: str, sections: Sequence[Section], settings: Mapping[str, object]
) -> None:
    """Write the page, and everything measured as JSON beside it."""
    facts = machine_facts()
    path.write_text(html_page(title, note, sections, facts), encoding="utf-8")
    given = {name: value if isinstance(value, (int, float)) else str(value) for name, value in settings.items()}
    numbers = {
        "machine": facts,
        "settings": given,
        "sections": [
            {
                "title": section.title,
                "measurements": [measurement.as_json() for measurement in section.measurements],
                "tables": [{"title": one.title, "header": one.header, "rows": one.rows} for one in section.tables],
            }
            for section in sections
        ],
    }
    path.with_suffix(".json").write_text(json.dumps(numbers) + "\n", encoding="utf-8")
    print(f"\nThe page: {path}; its numbers: {path.with_suffix('.json')}")
