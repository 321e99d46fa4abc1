"""The flags of ``simulate`` and ``bench``: the simulated clients, their runs, and the report of them."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import update_wrapper
from pathlib import Path
from typing import Any, TypeVar

import click

from geventcore.cli.terminal import progress_bar
from geventcore.errors import ConfigError
from geventcore.options import LoadedSettings
from geventcore.options.server import CA, PASSWORD
from geventcore.repository.durable_writes import write_durably
from geventcore.simulation.engine import Progress
from geventcore.simulation.load import (
    CLIENT_VERSION,
    Load,
    Pace,
    RetryPolicy,
    RunPlan,
    SimulatedClient,
    Target,
    check_allowed,
)
from geventcore.simulation.measurement import Measurement, machine_facts
from geventcore.simulation.report_page import Section, check_page_possible, html_page
from geventcore.simulation.report_text import comparison, summary
from geventcore.simulation.sampler import listening_processes
from geventcore.units import counted

F = TypeVar("F", bound=Callable[..., Any])

EXIT_INTERRUPTED = 130
#: The time of a load whose clients go on until it ends: long enough for the first runs to be a small part of all.
STEADY_SECONDS = 30.0


def _probe_answers(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    answers = {}
    for value in values:
        name, separator, text = value.partition("=")
        if not separator:
            raise click.BadParameter(f"{value!r}: expected NAME=TEXT")
        answers[name] = text.replace("\\n", "\n")
    return answers


_FILE = click.Path(path_type=Path, dir_okay=False)
_POSITIVE = click.FloatRange(0, min_open=True)
#: Flag -> how it is parsed, in the order of --help.
_FLAGS: dict[str, dict[str, Any]] = {
    "--clients": {"type": click.IntRange(1), "show_default": True, "help": "Number of clients."},
    "--client-name-format": {
        "metavar": "FORMAT",
        "default": "client{:04d}.example.com",
        "show_default": True,
        "help": "Their host names, from the number 1 on.",
    },
    "--clients-file": {
        "type": _FILE,
        "help": "A file with a host name in each line, and perhaps the address to call from; instead of the two above.",
    },
    "--user": {
        "help": "The user that all clients log in as, for example root, whom servers tell apart by their addresses."
        "  [default: each client its host name]"
    },
    "--certificates": {
        "metavar": "DIR",
        "type": click.Path(path_type=Path, file_okay=False),
        "help": "A directory with NAME.crt and NAME.key of each client.",
    },
    "--ca": {
        "type": _FILE,
        "help": "CA certificates to check the server's with, if not those of the configuration file.",
    },
    "--profile": {"metavar": "NAME", "help": "The profile that each client asserts."},
    "--decision-mode": {
        "type": click.Choice(["whitelist", "blacklist"]),
        "help": "Ask for the list of decisions as well.",
    },
    "--client-version": {
        "metavar": "VERSION",
        "default": CLIENT_VERSION,
        "show_default": True,
        "help": "The release that clients declare.",
    },
    "--probe-answer": {
        "metavar": "NAME=TEXT",
        "multiple": True,
        "callback": _probe_answers,
        "help": "The output of a probe; \\n is a new line, {client} the host name. Other probes choose one of the"
        " groups that their script names, or a number.",
    },
    "--check-answers/--no-check-answers": {
        "show_default": True,
        "help": "Parse every answer and look at every entry, as a real client does, or let clients be cheap: they check"
        " what can be checked without parsing, and send what was made once for all.",
    },
    "--runs": {
        "type": click.IntRange(1),
        "help": "Runs of each client.  [default: until the end with --rate, --seconds or, in bench, --concurrency;"
        " else 1]",
    },
    "--concurrency": {
        "type": click.IntRange(1),
        "help": "Runs under way at a time, at most.  [default: {concurrency}]",
    },
    "--splay": {
        "type": click.FloatRange(0),
        "metavar": "SECONDS",
        "help": "Each client begins at a random moment of this time.  [default: {splay}]",
    },
    "--rate": {"type": _POSITIVE, "help": "Runs that begin in each second, whatever becomes of those before."},
    "--seconds": {
        "type": click.FloatRange(0, min_open=True, max=86400),
        "help": f"The end of the load.  [default: {STEADY_SECONDS:g} if clients go on until then, else when all have"
        " run; in bench after 1800 at most]",
    },
    "--seed": {"type": int, "default": 0, "show_default": True, "help": "Random seed of the splay."},
    "--timeout": {
        "type": _POSITIVE,
        "default": RetryPolicy.timeout_seconds,
        "show_default": True,
        "metavar": "SECONDS",
        "help": "The longest silence of the server that a client accepts.",
    },
    "--retries": {
        "type": click.IntRange(1),
        "default": RetryPolicy.attempts,
        "show_default": True,
        "help": "Attempts of each call, the first one included.",
    },
    "--retry-delay": {
        "type": click.FloatRange(0),
        "default": RetryPolicy.delay_seconds,
        "show_default": True,
        "metavar": "SECONDS",
        "help": "The pause before a call is tried again.",
    },
    "--processes": {
        "type": click.IntRange(1),
        "help": "Processes that make the calls.  [default: one for each 2500 clients at a time]",
    },
    "--pid": {"type": click.IntRange(1), "multiple": True, "help": "A server process to watch, with its descendants."},
    "--report": {
        "type": click.Path(path_type=Path),
        "show_default": True,
        "help": "The page to write, with charts.",
    },
    "--json": {
        "type": click.Path(path_type=Path),
        "help": "The file for all numbers, down to each call; - is the standard output."
        "  [default: beside the page, with the ending .json]",
    },
}


@dataclass(frozen=True)
class ClientFlags:
    """The values of the flags, by their names."""

    clients: int
    client_name_format: str
    clients_file: Path | None
    user: str | None
    certificates: Path | None
    ca: Path | None
    profile: str | None
    decision_mode: str | None
    client_version: str
    probe_answer: Mapping[str, str]
    check_answers: bool
    runs: int | None
    concurrency: int | None
    splay: float | None
    rate: float | None
    seconds: float | None
    seed: int
    timeout: float
    retries: int
    retry_delay: float
    processes: int | None
    pid: tuple[int, ...]
    report: Path | None
    json: Path | None

    def check(self) -> None:
        """Check before the load that its results can be written; raises `ConfigError`."""
        if self.rate is not None and (self.splay is not None or self.concurrency is not None):
            raise ConfigError("--rate and --splay or --concurrency exclude one another")
        if self.report is not None:
            check_page_possible()
            if self.report.suffix == ".json":
                raise ConfigError(f"{self.report} is the page, and .json the ending of its numbers: take another one")
            _check_writable(self.report)
        if self.json_file is not None:
            _check_writable(self.json_file)

    @property
    def json_file(self) -> Path | None:
        """The file for the numbers; None if there is none, or it is the standard output."""
        given = self.json or (self.report and self.report.with_suffix(".json"))
        return None if given == Path("-") else given

    def pace(self, *, steady: bool, splay_seconds: float, concurrency: int | None) -> Pace:
        """Return the pace, with these values for flags that are not given.

        Args:
            steady: clients go on until the end, unless a number of runs is given.
        """
        runs = self.runs
        if runs is None and not steady and self.rate is None and self.seconds is None:
            runs = 1
        if self.rate is not None:
            return Pace(runs, rate=self.rate, seed=self.seed)
        splay = splay_seconds if self.splay is None else self.splay
        return Pace(runs, self.concurrency or concurrency, splay, seed=self.seed)

    def load(
        self, target: Target, pace: Pace, clients: Sequence[SimulatedClient], ca: Path | None, password: str
    ) -> Load:
        """Return the load of these clients."""
        seconds = self.seconds or (STEADY_SECONDS if pace.runs is None else math.inf)
        return Load(
            target,
            ca,
            password,
            clients,
            pace,
            seconds,
            RetryPolicy(self.retries, self.retry_delay, self.timeout),
            RunPlan(self.decision_mode, self.client_version, self.probe_answer, self.check_answers),
            self.processes or 0,
        )

    def site_load(self, settings: LoadedSettings, target: Target, pace: Pace) -> Load:
        """Return the load of the clients of a site; `ConfigError` if they could not log in."""
        password = settings[PASSWORD]
        if password is None and self.certificates is None:
            raise ConfigError("there is no password: give one (-x), or a configuration file that has one (-C)")
        file = self.clients_file
        named = read_clients_file(file) if file else client_names(self.client_name_format, self.clients)
        clients = [self._client(name, address) for name, address in named]
        return self.load(target, pace, clients, self.ca or settings[CA], password or "")

    def _client(self, name: str, address: str | None) -> SimulatedClient:
        user = name if self.user is None else self.user
        if ":" in user:
            raise ConfigError(f"{user!r} cannot be a user name: it has a colon")
        certificate = key = None
        if self.certificates is not None:
            certificate, key = self.certificates / f"{name}.crt", self.certificates / f"{name}.key"
        return SimulatedClient(name, user, address, certificate, key, self.profile)

    def server_pids(self, target: Target) -> Sequence[int]:
        """Return the processes to watch: those given, or those that listen on the port if that is on this machine."""
        if self.pid:
            return self.pid
        try:
            check_allowed(target, None)
            return listening_processes(target.port)
        # It is another machine, or psutil is not installed.
        except ConfigError:
            return []

    def show(self, measurements: Sequence[Measurement], load: Load) -> int:
        """Print what was measured, write it to the files, and return the exit status."""
        to_standard_output = self.json == Path("-")
        measured = [one for one in measurements if one.turns]
        compares = len(measured) > 1
        text = comparison([("", one) for one in measured]) if compares else summary(measured[0])
        click.echo(f"\n{text}", err=to_standard_output)
        facts = machine_facts()
        numbers = {
            "machine": facts,
            "clients": len(load.clients),
            "measurements": [one.as_json() for one in measured],
        }
        if to_standard_output:
            click.echo(json.dumps(numbers))
        if self.json_file is not None:
            _write(self.json_file, json.dumps(numbers) + "\n")
        if self.report is not None:
            title = " and ".join(dict.fromkeys(one.label for one in measured))
            pace = load.pace.describe()
            note = f"{counted(len(load.clients), 'client')}; {pace}. Every call is a new TCP and TLS connection."
            _write(self.report, html_page(f"Load on {title}", note, [Section(pace, "", measured)], facts))
            click.echo(f"\nThe page: {self.report}; its numbers: {self.json_file or 'above'}", err=to_standard_output)
        if any(one.interrupted for one in measured):
            click.echo("\nInterrupted: the figures are those until then.", err=True)
            return EXIT_INTERRUPTED
        return 1 if any(one.total("runs_failed") for one in measured) else 0


def client_flags(concurrency: str, splay: str, **defaults: Any) -> Callable[[F], F]:
    """Return a decorator: the command has the flags of clients, and gets their values as argument ``flags``.

    Args:
        concurrency, splay: the defaults of these flags, in words.
        defaults: flag -> its default.
    """

    def decorate(function: F) -> F:
        def call(*args: Any, **values: Any) -> Any:
            given = {field.name: values.pop(field.name) for field in fields(ClientFlags)}
            return function(*args, flags=ClientFlags(**given), **values)

        wrapped = update_wrapper(call, function)
        for flag, attributes in reversed(_FLAGS.items()):
            name = flag.partition("/")[0].removeprefix("--").replace("-", "_")
            values = dict(attributes)
            if flag in ("--concurrency", "--splay"):
                values["help"] = values["help"].replace("{concurrency}", concurrency).replace("{splay}", splay)
            if name in defaults:
                values["default"] = defaults[name]
            wrapped = click.option(flag, **values)(wrapped)
        return wrapped  # type: ignore[return-value]

    return decorate


def read_clients_file(path: Path) -> list[tuple[str, str | None]]:
    """Return host names, each with the address to call from or None; `ConfigError` if the file is of no use.

    A line has a host name and, after a blank, perhaps an address of this machine. ``#`` begins a comment.
    """
    clients: dict[str, str | None] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError(f"{path} cannot be read: {err}") from err
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].split()
        if len(words) > 2:
            raise ConfigError(f"{path}:{number}: expected a host name and perhaps an address")
        if words and words[0] in clients:
            raise ConfigError(f"{path}:{number}: {words[0]} is there twice")
        if words:
            clients[words[0]] = words[1] if len(words) == 2 else None
    if not clients:
        raise ConfigError(f"{path}: there is no client in it")
    return list(clients.items())


def client_names(name_format: str, count: int) -> list[tuple[str, str | None]]:
    """Return names from a format such as ``client{:04d}.example.com``; `ConfigError` if it gives none, or one twice."""
    try:
        names = [name_format.format(number) for number in range(1, count + 1)]
    except (ValueError, IndexError, KeyError, AttributeError) as err:
        raise ConfigError(f"{name_format!r} is no format for host names: expected one like host{{:03d}}") from err
    if len(set(names)) < count:
        raise ConfigError(f"{name_format!r} gives the same host name twice: expected a format like host{{:03d}}")
    return [(name, None) for name in names]


@contextmanager
def load_progress(load: Load) -> Iterator[Callable[[Progress], None]]:
    """Give a function that shows the progress of a load: as a bar on a terminal, else as a line for each tenth."""
    runs = None if load.pace.runs is None else load.pace.runs * len(load.clients)
    total = load.seconds if runs is None else runs

    def words(progress: Progress) -> str:
        return f"{progress.failed} failed, {progress.under_way} under way, {counted(progress.retries, 'call')} repeated"

    if sys.stderr.isatty():
        with progress_bar("seconds" if runs is None else "runs") as show:

            def update(progress: Progress) -> None:
                done = progress.seconds if runs is None else progress.ok + progress.failed
                show(int(done), int(total), words(progress))

            yield update
        return
    tenth = 0

    def write(progress: Progress) -> None:
        nonlocal tenth
        done = progress.ok + progress.failed
        if runs is not None and done * 10 // runs > tenth:
            tenth = done * 10 // runs
            click.echo(f"{done} of {runs} runs, {words(progress)}", err=True)

    yield write


def _check_writable(path: Path) -> None:
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise ConfigError(f"{path} cannot be written")


def _write(path: Path, text: str) -> None:
    try:
        write_durably(path, text.encode())
    except OSError as err:
        raise ConfigError(f"{path} cannot be written: {err.strerror}") from err
