"""``geventcore bench``: a load of thousands of clients on a server, and a page with charts of it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import click

from geventcore.cli.client_flags import EXIT_INTERRUPTED, ClientFlags, client_flags, load_progress
from geventcore.cli.command import ignore_interrupts, termination_as_interrupt, with_settings
from geventcore.cores import CORES
from geventcore.errors import ConfigError
from geventcore.options import LoadedSettings
from geventcore.options.server import CA, PASSWORD
from geventcore.simulation import Load, Target
from geventcore.simulation.load import check_allowed
from geventcore.simulation.measurement import Measurement, measure_load
from geventcore.simulation.repository import Shape
from geventcore.simulation.test_bed import HOST, Sections, TestBed, parse_options
from geventcore.simulation.test_bed import PASSWORD as TEST_PASSWORD

DEFAULT_REPORT = Path("bench.html")
#: All clients of a site at the full hour.
HERD_SECONDS = 1.0
#: The end of a load without another one: three timeouts for each call of a run.
LONGEST_SECONDS = 1800.0
#: Of each process, before the clock starts: of clients with different profiles.
WARM_UP_RUNS = 4


@dataclass(frozen=True)
class Candidate:
    """A server to measure.

    Attributes:
        label: its name in the report.
        target: of a server that runs already, or None for one to start.
        options: section -> option -> value of a server to start.
    """

    label: str
    target: Target | None
    options: Sections


def parse_candidate(text: str) -> Candidate:
    """Parse a URL, or ``CORE[,SECTION.OPTION=VALUE…]``.

    Raises:
        ConfigError: there is no such core, or clients cannot call the URL.
    """
    if "://" in text:
        return Candidate(text, parse_url(text), {})
    core, *settings = text.split(",")
    if core not in CORES:
        raise ConfigError(f"{core!r} is no core, and no URL: expected one of {', '.join(CORES)}, or https://HOST:PORT")
    options = parse_options(settings)
    options["server"] = {"core": core, **options.get("server", {})}
    return Candidate(text, None, options)


def parse_url(url: str) -> Target:
    """Return the server that a URL leads to; `ConfigError` if clients cannot call it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme != "https" or not parts.hostname or not port or parts.username:
        raise ConfigError(f"{url!r} is no URL that clients can call: expected https://HOST:PORT")
    return Target(parts.hostname, port)


def measure(
    candidates: Sequence[Candidate], load: Load, bed: TestBed | None, flags: ClientFlags, rounds: int
) -> list[Measurement]:
    """Let candidates take turns until all have had theirs, or the load is interrupted."""
    measurements = [Measurement(one.label, load.pace.describe()) for one in candidates]
    for number in range(rounds):
        for candidate, measurement in zip(candidates, measurements, strict=True):
            if len(candidates) > 1:
                click.echo(f"Round {number + 1}: {candidate.label}", err=True)
            with _serving(candidate, bed, measurement, flags) as (target, pids), load_progress(load) as progress:
                measure_load(measurement, replace(load, target=target), pids, progress)
                if measurement.interrupted:
                    ignore_interrupts()
                    return measurements
    return measurements


@contextmanager
def _serving(
    candidate: Candidate, bed: TestBed | None, measurement: Measurement, flags: ClientFlags
) -> Iterator[tuple[Target, Sequence[int]]]:
    """Give the server's target and processes."""
    if candidate.target is not None:
        yield candidate.target, flags.server_pids(candidate.target)
        return
    assert bed is not None, "there is a test bed if there is a server to start"
    with bed.serving(candidate.options) as server:
        measurement.facts["time from its start until it served"] = f"{server.start_seconds:.2f} s"
        yield server.target, [server.pid]


def _shape(clients: int, entries: int) -> Shape:
    try:
        return Shape(clients=clients, entries=entries)
    except ValueError as err:
        raise ConfigError(str(err)) from err


@click.command()
@click.option(
    "--url",
    metavar="URL",
    help="A server that runs already, as https://HOST:PORT.  [default: one is started, on a generated repository]",
)
@click.option(
    "--compare",
    nargs=2,
    metavar="A B",
    help="Two servers that take turns: each a URL, or CORE[,SECTION.OPTION=VALUE…] for one to start.",
)
@click.option("--rounds", type=click.IntRange(1), default=2, show_default=True, help="Turns of each with --compare.")
@click.option(
    "--core", type=click.Choice(list(CORES)), default="gevent", show_default=True, help="Of the server to start."
)
@click.option(
    "--option",
    "server_options",
    metavar="SECTION.OPTION=VALUE",
    multiple=True,
    help="An option in the configuration of the server to start.",
)
@click.option(
    "--entries", type=click.IntRange(20), default=400, show_default=True, help="Entries of each client, generated."
)
@click.option(
    "--i-run-this-server",
    "named_host",
    metavar="HOST",
    help="The host of --url once more, if it is another machine: you may put its server out of service.",
)
@client_flags("all", f"{HERD_SECONDS:g}, a herd", clients=100, check_answers=False, report=DEFAULT_REPORT)
@with_settings(PASSWORD)
def command(
    settings: LoadedSettings,
    url: str | None,
    compare: tuple[str, str] | None,
    rounds: int,
    core: str,
    server_options: tuple[str, ...],
    entries: int,
    named_host: str | None,
    flags: ClientFlags,
) -> int:
    """Put a load on a server: thousands of clients that make whole runs as real clients do, each call over a new TLS
    connection, and a page with charts of their calls and of the server's processes.

    Without a URL a server is started on a generated repository, on this machine only. A server that runs already has
    to know the clients, or to register them: use a copy of the real one. Its processes are watched if they run on this
    machine and psutil is installed (extra: bench).

    The clients share this machine with the server; the report tells how much of it they took. Ctrl-C ends the load, and
    what was measured by then is reported. The exit status is 1 if a run failed.
    """
    flags.check()
    steady = flags.concurrency is not None
    pace = flags.pace(steady=steady, splay_seconds=0.0 if steady else HERD_SECONDS, concurrency=None)
    if url is not None and compare is not None:
        raise ConfigError("--url and --compare exclude one another")
    candidates = [parse_candidate(text) for text in compare or [url or ",".join((core, *server_options))]]
    targets = [one.target for one in candidates if one.target is not None]
    if targets and len(targets) < len(candidates):
        raise ConfigError("a server that is started and one that runs already have no clients in common: use two URLs")
    for target in targets:
        check_allowed(target, named_host)
    try:
        with termination_as_interrupt(), contextlib.ExitStack() as stack:
            bed = None
            if targets:
                load = flags.site_load(settings, targets[0], pace)
                if load.ca is None:
                    raise ConfigError(
                        f"there is no CA certificate: give one (--ca), or a configuration file with {CA.label} (-C)"
                    )
            else:
                directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="geventcore-bench-")))
                click.echo(f"Generating a repository: {flags.clients} clients, {entries} entries each.", err=True)
                bed = TestBed(directory, _shape(flags.clients, entries))
                load = flags.load(Target(HOST, 0), pace, bed.clients, bed.ca, TEST_PASSWORD)
            seconds = flags.seconds or min(load.seconds, LONGEST_SECONDS)
            load = replace(load, warm_up_runs=WARM_UP_RUNS, seconds=seconds)
            measurements = measure(candidates, load, bed, flags, rounds if compare else 1)
    except KeyboardInterrupt:
        click.echo("Interrupted before anything was measured.", err=True)
        return EXIT_INTERRUPTED
    return flags.show(measurements, load)
