"""A fleet's summary as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from geventcore.fleet.result import FleetSummary, Latency

#: Reasons and problems beyond these are only counted.
_SHOWN = 10


def format_summary(summary: FleetSummary) -> str:
    """The summary in lines of plain text, without a newline at the end."""
    return "\n".join(_lines(summary))


def _lines(summary: FleetSummary) -> Iterator[str]:
    yield (
        f"{summary.clients} clients made {summary.runs_ok + summary.runs_failed} runs"
        f" in {summary.wall_seconds:.1f} s ({summary.runs_per_second:.1f} runs/s):"
        f" {summary.runs_ok} good, {summary.runs_failed} failed, {summary.retries} calls repeated"
    )
    yield ""
    yield f"{'':17}{'calls':>8}{'failed':>8}{'again':>8}{'p50':>12}{'p90':>12}{'p99':>12}{'max':>12}"
    for method in summary.methods:
        counts = f"{method.latency.count if method.latency else 0:>8}{method.failed_attempts:>8}{method.retries:>8}"
        yield f"{method.method:17}{counts}{_columns(method.latency)}"
    for name, latency in (("whole run", summary.run), ("connect + TLS", summary.connect)):
        if latency is not None:
            yield f"{name:17}{latency.count:>8}{'':16}{_columns(latency)}"
    if summary.example is not None:
        yield ""
        client = summary.example
        yield f"{client.hostname} got {client.total} entries, {client.good} of them good:"
        yield from _counts(client.entries, len(client.entries))
        for problem in client.problems[:_SHOWN]:
            yield f"  bad: {problem}"
    if summary.bad_entries:
        yield ""
        yield f"All clients together reported {summary.bad_entries} bad entries."
    for title, reasons in (("Failed runs:", summary.failures), ("Failed calls:", summary.errors)):
        if reasons:
            yield ""
            yield title
            yield from _counts(reasons, _SHOWN)


def _columns(latency: Latency | None) -> str:
    if latency is None:
        return ""
    return "".join(f"{_duration(value):>12}" for value in (latency.p50, latency.p90, latency.p99, latency.maximum))


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def _counts(counts: Mapping[str, int], shown: int) -> Iterator[str]:
    for name, count in list(counts.items())[:shown]:
        yield f"{count:>6}  {name}"
    if len(counts) > shown:
        yield f"        and {len(counts) - shown} more kinds"
