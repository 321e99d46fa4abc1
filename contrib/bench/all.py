"""The table of targets in docs/design/performance, made by one command.

    python -m contrib.bench.all --json figures.json --html figures.html
    python -m contrib.bench.all --quick

It runs the other benchmarks in processes of their own, one after the other: `site` (a configuration that is unchanged,
edited, cold), `nginx` (any call with a ready answer), and, without ``--quick``, `herd`. What a benchmark needs and the
machine lacks, such as nginx, is reported as not measured.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from geventcore.simulation.measurement import machine_facts
from geventcore.simulation.report_page import Section, Table, html_page

#: Longer than any of them takes on a busy machine, in seconds.
_TIMEOUT_SECONDS = 3600.0
_RATIO = re.compile(r"^(ecdsa|rsa)\s+[\d.]+\s+[\d.]+\s+([\d.]+)", re.MULTILINE)
_NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        what: what was measured.
        target: what was aimed at.
        figure: the result, with its unit.
        is_met: whether the target is met; None if there is none, or nothing was measured.
    """

    what: str
    target: str
    figure: str
    is_met: bool | None


def _run(module: str, *arguments: str) -> str:
    """Run a benchmark, and return what it prints; an empty text if it fails."""
    command = [sys.executable, "-m", f"contrib.bench.{module}", *arguments]
    print(f"$ {' '.join(command[1:])}", file=sys.stderr, flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    if done.returncode:
        print(f"{module} ended with exit status {done.returncode}", file=sys.stderr)
        return ""
    return done.stdout


def _ratio(what: str, limit: float, ratios: Sequence[float]) -> Row:
    if not ratios:
        return Row(what, f"≤ {limit:g} x", _NOT_MEASURED, None)
    ratio = statistics.median(ratios)
    return Row(what, f"≤ {limit:g} x", f"{ratio:.2f} x", ratio <= limit)


def site_rows(figures: dict[str, Any]) -> list[Row]:
    """Return the rows of the figures of `contrib.bench.site`."""
    rows = []
    for kind, found in figures["beside_nginx"].items():
        rows.append(_ratio(f"GetConfig of an unchanged client beside nginx, {kind}", 2, found["unchanged"]))
        rows.append(_ratio(f"GetConfig after one file changed beside nginx, {kind}", 3, found["edited"]))
    milliseconds = figures["milliseconds"]
    rows += [Row(f"a configuration, {what}", "", f"{value:.2f} ms", None) for what, value in milliseconds.items()]
    kept = figures["answer_bytes"] / 1000
    rows.append(Row("memory of a kept answer, besides what is its own", "≤ 20 KB", f"{kept:.1f} KB", kept <= 20))
    return rows


def collect(quick: bool) -> list[Row]:
    """Run everything and return the table."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        path = Path(name) / "site.json"
        sizes = ["--clients", "12", "--requests", "200", "--rounds", "1", "--keys", "ecdsa"] if quick else []
        if _run("site", *sizes, "--json", str(path)):
            rows += site_rows(json.loads(path.read_text()))
        sizes = ["--requests", "200", "--rounds", "1", "--keys", "ecdsa"] if quick else []
        ready = dict(_RATIO.findall(_run("nginx", *sizes)))
        for kind in ("ecdsa",) if quick else ("ecdsa", "rsa"):
            ratios = [float(ready[kind])] if kind in ready else []
            rows.append(_ratio(f"any call with a ready answer beside nginx, {kind}", 1.25, ratios))
        if not quick:
            text = _run("herd")
            print(text)
            figure = "see its report" if text else _NOT_MEASURED
            rows.append(Row("10,000 clients within one second", "none fails", figure, None))
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and write it to files; the exit status is 1 if nothing could be measured."""
    parser = argparse.ArgumentParser(prog="python -m contrib.bench.all", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="smaller, in about a minute")
    parser.add_argument("--json", type=Path, help="write the table to a file")
    parser.add_argument("--html", type=Path, help="write the table as a page")
    options = parser.parse_args(arguments)
    rows = collect(options.quick)
    words = {True: "met", False: "missed", None: ""}
    for row in rows:
        print(f"{row.what:66s} {row.target:12s} {row.figure:16s} {words[row.is_met]}")
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False))
    if options.html is not None:
        cells = [[row.what, row.target, row.figure, words[row.is_met]] for row in rows]
        table = Table("Targets", ("what", "target", "figure", ""), cells, frozenset({0, 1, 2, 3}))
        page = html_page("Benchmarks", "", [Section("Targets", "", (), [table])], machine_facts())
        options.html.write_text(page)
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
