"""``geventcore bench``: a load of thousands of clients on a server, and a page that tells how it did."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import click

from geventcore.cli.common import termination_as_interrupt, with_settings
from geventcore.cli.simulate import client_names, read_clients_file
from geventcore.cores import CORES
from geventcore.errors import ConfigError
from geventcore.fleet.connection import Target
from geventcore.fleet.load import own_server
from geventcore.fleet.load.crew import Load, Progress, check_allowed
from geventcore.fleet.load.job import LoadClient, Pace, Patience
from geventcore.fleet.load.measurement import Measurement, machine_facts
from geventcore.fleet.load.own_server import OwnSite, RunningServer, parse_options
from geventcore.fleet.load.page import Section, html_page
from geventcore.fleet.load.sampler import listening_processes
from geventcore.fleet.load.text import comparison, summary
from geventcore.fleet.load.turn import take_turn
from geventcore.fleet.repository import Shape
from geventcore.options import LoadedSettings
from geventcore.options.common import CA, PASSWORD
from geventcore.specfiles.durable import write_durably

EXIT_INTERRUPTED = 130

DEFAULT_REPORT = "bench.html"
#: A herd: what cron does to a site whose clients all run at the full hour.
HERD_SECONDS = 1.0
#: Long enough for the first runs to be a small part of all.
STEADY_SECONDS = 30.0
#: The most that a load with an end of its own may take: three timeouts for each call of a run.
LONGEST_SECONDS = 1800.0


@dataclass(frozen=True)
class Contender:
    """A server to measure.

    Attributes:
        label: what it is called in the report.
        target: of a server that runs already, or None for one to start.
        core, options: of a server to start.
    """

    label: str
    target: Target | None = None
    core: str = "gevent"
    options: own_server.Sections | None = None


def parse_contender(text: str) -> Contender:
    """A contender of the command line: a URL, or ``CORE[,SECTION.OPTION=VALUE…]``.

    Raises:
        ConfigError: there is no such core, or the URL is none that clients can call.
    """
    if "://" in text:
        return Contender(text, parse_url(text))
    core, *settings = text.split(",")
    if core not in CORES:
        raise ConfigError(f"{core!r} is no core, and no URL: expected one of {', '.join(CORES)}, or https://HOST:PORT")
    given = {name: value for name, _, value in (setting.partition("=") for setting in settings)}
    return Contender(text, core=core, options=parse_options(given))


def parse_url(url: str) -> Target:
    """Where a URL leads; `ConfigError` if clients cannot call it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme != "https" or not parts.hostname or not port or parts.username:
        raise ConfigError(f"{url!r} is no URL that clients can call: expected https://HOST:PORT")
    return Target(parts.hostname, port)


class Bench:
    """Contenders, what clients do to each of them, and what has come of it."""

    def __init__(self, contenders: Sequence[Contender], load: Load, site: OwnSite | None, pids: Sequence[int]) -> None:
        self._contenders = contenders
        self._load = load
        self._site = site
        self._pids = pids
        self.measurements = [Measurement(one.label, load.pace.describe()) for one in contenders]

    def run(self, rounds: int) -> bool:
        """Let the contenders take turns; false if Ctrl-C has ended that."""
        for number in range(rounds):
            for contender, measurement in zip(self._contenders, self.measurements, strict=True):
                if len(self._contenders) > 1:
                    click.echo(f"Round {number + 1}: {contender.label}", err=True)
                with self._serving(contender, measurement) as (load, pids), _progress() as progress:
                    take_turn(measurement, load, pids, progress)
                if measurement.interrupted:
                    return False
        return True

    @contextmanager
    def _serving(self, contender: Contender, measurement: Measurement) -> Iterator[tuple[Load, Sequence[int]]]:
        if contender.target is not None:
            yield self._aimed_at(contender.target), self._pids or _processes_of(contender.target)
            return
        assert self._site is not None, "there is a site if there is a server to start"
        with self._site.serving(contender.core, contender.options or {}) as server:
            _note_start(measurement, server)
            yield self._aimed_at(server.target), [server.pid]

    def _aimed_at(self, target: Target) -> Load:
        return replace(self._load, target=target)


def _note_start(measurement: Measurement, server: RunningServer) -> None:
    measurement.facts["time from its start until it served"] = f"{server.start_seconds:.2f} s"


def _processes_of(target: Target) -> list[int]:
    """Those that listen on the port, if that is one of this machine and psutil is there to tell."""
    try:
        check_allowed(target, None)
        return listening_processes(target.port)
    except ConfigError:
        return []


@contextmanager
def _progress() -> Iterator[Callable[[Progress], None]]:
    """Something to call with each `Progress`: one line that is written over and over on a terminal, else nothing."""

    def show(progress: Progress) -> None:
        if sys.stderr.isatty():
            runs = f"{progress.ok} runs good, {progress.failed} failed, {progress.underway} under way"
            click.echo(f"\r{progress.seconds:6.0f} s: {runs}, {progress.retries} calls repeated ", err=True, nl=False)

    yield show
    if sys.stderr.isatty():
        click.echo("", err=True)


def _pace(splay: float | None, concurrency: int | None, rate: float | None, runs: int, seed: int) -> Pace:
    if sum(given is not None for given in (splay, concurrency, rate)) > 1:
        raise ConfigError("--splay, --concurrency and --rate exclude one another")
    if runs > 1 and (concurrency is not None or rate is not None):
        raise ConfigError(
            "--runs is for clients that begin together: --concurrency and --rate go on until the time is over"
        )
    return Pace(HERD_SECONDS if splay is None else splay, runs, concurrency, rate, seed)


def _check_writable(path: Path) -> None:
    """Before the load, so that what it gives is not lost for want of a place."""
    for one in (path, path.with_suffix(".json")):
        if one.is_dir() or not os.access(one.parent, os.W_OK):
            raise ConfigError(f"{one} cannot be written")
    if path.suffix == ".json":
        raise ConfigError(
            f"{path} is the page, and its numbers go to the same name with .json: expected another ending"
        )


def _write(path: Path, text: str) -> None:
    try:
        write_durably(path, text.encode())
    except OSError as err:
        raise ConfigError(f"{path} cannot be written: {err.strerror}") from err


def _report(path: Path, measurements: Sequence[Measurement], load: str, clients: int) -> None:
    facts = machine_facts()
    title = " and ".join(dict.fromkeys(one.label for one in measurements))
    note = f"{clients} clients; {load}. Every call is a new TCP connection with a full TLS handshake."
    page = html_page(f"Load on {title}", note, [Section(load, "", measurements)], facts)
    _write(path, page)
    numbers = {"machine": facts, "clients": clients, "measurements": [one.as_json() for one in measurements]}
    _write(path.with_suffix(".json"), json.dumps(numbers) + "\n")
    click.echo(f"\nThe page: {path}; its numbers: {path.with_suffix('.json')}")


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
@click.option("--clients", type=click.IntRange(1, 60000), default=100, show_default=True, help="How many clients.")
@click.option(
    "--client-name-format",
    metavar="FORMAT",
    default="client{:04d}.example.com",
    show_default=True,
    help="Their host names at a server that runs already, from the number 1 on.",
)
@click.option(
    "--clients-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file with a host name in each line, and perhaps the address to call from; instead of the two above.",
)
@click.option(
    "--user",
    help="The user that all clients log in as, for example root, whom servers tell apart by their addresses."
    "  [default: each client its host name]",
)
@click.option(
    "--splay",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help=f"Each client begins at a random moment of this time.  [default: {HERD_SECONDS:g}, a herd]",
)
@click.option(
    "--runs", type=click.IntRange(1), default=1, show_default=True, help="How many runs each client makes then."
)
@click.option("--concurrency", type=click.IntRange(1), help="Instead: so many runs are under way all the time.")
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), help="Instead: so many runs begin in each second, come what may."
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True, max=86400),
    help=f"When to end.  [default: {STEADY_SECONDS:g} with --concurrency or --rate, else when all have run, and"
    f" {LONGEST_SECONDS:g} at most]",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Other numbers, other random moments.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=Patience.silence_seconds,
    show_default=True,
    metavar="SECONDS",
    help="How long a client waits for the server to do anything.",
)
@click.option(
    "--retries", type=click.IntRange(1), default=Patience.attempts, show_default=True, help="How often a call is tried."
)
@click.option(
    "--retry-delay",
    type=click.FloatRange(0),
    default=Patience.delay_seconds,
    show_default=True,
    metavar="SECONDS",
    help="The pause before a call is tried again.",
)
@click.option(
    "--processes", type=click.IntRange(1), help="How many play the clients.  [default: one for each 2500 at a time]"
)
@click.option("--pid", "pids", type=click.IntRange(1), multiple=True, help="A process to watch, with its descendants.")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    default=DEFAULT_REPORT,
    show_default=True,
    help="The page to write; its numbers go beside it, with the ending .json.",
)
@click.option(
    "--ca",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The CA certificate that the server's is checked with, if not that of the configuration file.",
)
@click.option(
    "--i-run-this-server",
    "named_host",
    metavar="HOST",
    help="The host of --url once more, if it is another machine: you may put its server out of service.",
)
@with_settings(PASSWORD)
def command(
    settings: LoadedSettings,
    url: str | None,
    compare: tuple[str, str] | None,
    rounds: int,
    core: str,
    server_options: tuple[str, ...],
    entries: int,
    clients: int,
    client_name_format: str,
    clients_file: Path | None,
    user: str | None,
    splay: float | None,
    runs: int,
    concurrency: int | None,
    rate: float | None,
    seconds: float | None,
    seed: int,
    timeout: float,
    retries: int,
    retry_delay: float,
    processes: int | None,
    pids: tuple[int, ...],
    report: Path,
    ca: Path | None,
    named_host: str | None,
) -> int:
    """Put a load on a server: thousands of clients that make whole runs as real clients do, each call over a new TLS
    connection, and a page with what they saw and what the server used.

    Without a URL a server is started on a generated repository, on this machine only. A server that runs already has
    to know the clients, or to register them: use a copy of the real one. Its processes are watched if they run on this
    machine and psutil is installed (extra: bench).

    The clients share this machine with the server; the report says how much of it they took. Ctrl-C ends the load, and
    what was measured by then is reported. The exit status is 1 if a run failed.
    """
    _check_writable(report)
    pace = _pace(splay, concurrency, rate, runs, seed)
    if seconds is None:
        seconds = LONGEST_SECONDS if concurrency is None and rate is None else STEADY_SECONDS
    if url is not None and compare is not None:
        raise ConfigError("--url and --compare exclude one another")
    if compare is not None:
        contenders = [parse_contender(text) for text in compare]
    else:
        contenders = [parse_contender(url if url is not None else ",".join((core, *server_options)))]
    own = [contender.target is None for contender in contenders]
    if any(own) and not all(own):
        raise ConfigError("a server that is started and one that runs already have no clients in common: use two URLs")
    for contender in contenders:
        if contender.target is not None:
            check_allowed(contender.target, named_host)
    try:
        with termination_as_interrupt(), contextlib.ExitStack() as stack:
            site = None
            if all(own):
                directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="geventcore-bench-")))
                click.echo(f"A repository is generated: {clients} clients with {entries} entries each.", err=True)
                site = OwnSite(directory, Shape(clients=clients, entries=entries))
                callers, ca_file, password = site.clients, site.ca, own_server.PASSWORD
            else:
                callers, ca_file, password = _site_clients(
                    settings, clients_file, client_name_format, clients, user, ca
                )
            load = Load(
                contenders[0].target or Target(own_server.HOST, 0),
                ca_file,
                password,
                callers,
                pace,
                seconds,
                Patience(retries, retry_delay, timeout),
                processes or 0,
            )
            bench = Bench(contenders, load, site, pids)
            finished = bench.run(rounds if compare else 1)
    except KeyboardInterrupt:
        click.echo("Interrupted before anything was measured.", err=True)
        return EXIT_INTERRUPTED
    measured = [one for one in bench.measurements if one.turns]
    click.echo("")
    if len(measured) > 1:
        click.echo(comparison([("", one) for one in measured]))
    else:
        click.echo(summary(measured[0]))
    _report(report, measured, pace.describe(), len(load.clients))
    if not finished:
        click.echo("Interrupted: this is what was measured by then.", err=True)
        return EXIT_INTERRUPTED
    return 1 if any(one.total("runs_failed") for one in measured) else 0


def _site_clients(
    settings: LoadedSettings,
    clients_file: Path | None,
    name_format: str,
    count: int,
    user: str | None,
    ca: Path | None,
) -> tuple[list[LoadClient], Path, str]:
    """Who calls a server that runs already, the CA it is checked with, and the password: both have to be known."""
    named = read_clients_file(clients_file) if clients_file else client_names(name_format, count)
    callers = [LoadClient(name, name if user is None else user, address) for name, address in named]
    for caller in callers:
        if ":" in caller.user:
            raise ConfigError(f"{caller.user!r} cannot be a user name: it has a colon")
    ca_file = ca or settings[CA]
    if ca_file is None:
        raise ConfigError("there is no CA certificate: give one (--ca), or a configuration file that has one (-C)")
    password = settings[PASSWORD]
    if password is None:
        raise ConfigError("there is no password: give one (-x), or a configuration file that has one (-C)")
    return callers, ca_file, password
