"""``geventcore simulate``: whole runs of many clients against a server, with every call measured."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from geventcore.cli.common import with_settings
from geventcore.errors import ConfigError
from geventcore.fleet import CallPolicy, Fleet, Identity, RunPlan, RunResult, Schedule, Target
from geventcore.fleet.client_run import CLIENT_VERSION
from geventcore.fleet.probes import Probe, ProbeAnswer, plausible_answer
from geventcore.fleet.report import format_summary
from geventcore.options import LoadedSettings
from geventcore.options.common import CA, PASSWORD, SERVER_URL
from geventcore.specfiles.durable import write_durably

#: A usual number of clients that call at the same time, and within what a process may open.
DEFAULT_CONCURRENCY = 100

EXIT_INTERRUPTED = 130


class FleetProgress:
    """Tells how many runs have ended: a bar on a terminal, or a line for every tenth of the runs elsewhere."""

    def __init__(self, runs: int) -> None:
        self._runs = runs
        self._done = 0
        self._failed = 0
        self._bar: Any = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show it while the body is executed."""
        if not sys.stderr.isatty():
            yield
            return
        bar = click.progressbar(
            length=self._runs, label="runs", show_pos=True, file=sys.stderr, item_show_func=self._failures
        )
        with bar as self._bar:
            yield

    def run_ended(self, result: RunResult) -> None:
        """Count one more."""
        self._done += 1
        self._failed += not result.ok
        if self._bar is not None:
            self._bar.update(1, self._failed)
        elif self._done * 10 // self._runs > (self._done - 1) * 10 // self._runs:
            click.echo(f"{self._done} of {self._runs} runs, {self._failed} failed", err=True)

    @staticmethod
    def _failures(failed: int | None) -> str | None:
        return f"{failed} failed" if failed else None


def run_fleet(fleet: Fleet, progress: FleetProgress) -> bool:
    """Let the fleet make its runs; false if SIGINT or SIGTERM ended that before its time.

    What has come of it is in ``fleet.result``.
    """
    signals = (signal.SIGINT, signal.SIGTERM)

    async def run() -> bool:
        running = asyncio.ensure_future(fleet.run())
        for number in signals:
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        try:
            await running
        except asyncio.CancelledError:
            return False
        return True

    # The loop gives signals back their default actions, not those that they had.
    handlers = {number: signal.getsignal(number) for number in signals}
    try:
        with progress.shown():
            return asyncio.run(run())
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def read_clients_file(path: Path) -> list[tuple[str, str | None]]:
    """Host names, each with the address to call from, if it is given; `ConfigError` if the file is of no use.

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
    """Names from a format such as ``client{:04d}.example.com``; `ConfigError` if it gives none, or one twice."""
    try:
        names = [name_format.format(number) for number in range(1, count + 1)]
    except (ValueError, IndexError, KeyError, AttributeError) as err:
        raise ConfigError(f"{name_format!r} is no format for host names: expected one like host{{:03d}}") from err
    if len(set(names)) < count:
        raise ConfigError(f"{name_format!r} gives the same host name twice: expected a format like host{{:03d}}")
    return [(name, None) for name in names]


def make_identities(
    clients: Sequence[tuple[str, str | None]],
    *,
    user: str | None,
    password: str | None,
    certificates: Path | None,
    profile: str | None,
) -> list[Identity]:
    """Identities of clients given by host name and source address; `ConfigError` if they could not log in."""
    if password is None and certificates is None:
        raise ConfigError("there is no password: give one (-x), or a configuration file that has one (-C)")
    identities = []
    for hostname, source_address in clients:
        login = hostname if user is None else user
        if ":" in login:
            raise ConfigError(f"{login!r} cannot be a user name: it has a colon")
        certificate = key = None
        if certificates is not None:
            certificate, key = certificates / f"{hostname}.crt", certificates / f"{hostname}.key"
        identities.append(Identity(hostname, login, password or "", source_address, certificate, key, profile))
    return identities


def given_answers(answers: Mapping[str, str]) -> ProbeAnswer:
    """Answers by the names of probes; other probes get a plausible one."""

    def answer(hostname: str, probe: Probe) -> str:
        given = answers.get(probe.name)
        return plausible_answer(hostname, probe) if given is None else given.replace("{client}", hostname)

    return answer


def _probe_answers(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    answers = {}
    for value in values:
        name, separator, text = value.partition("=")
        if not separator:
            raise click.BadParameter(f"{value!r}: expected NAME=TEXT")
        answers[name] = text.replace("\\n", "\n")
    return answers


def _write_results(path: Path, fleet: Fleet) -> None:
    text = json.dumps(fleet.result.as_json(), indent=1) + "\n"
    if str(path) == "-":
        click.echo(text, nl=False)
    else:
        try:
            write_durably(path, text.encode())
        except OSError as err:
            raise ConfigError(f"{path} cannot be written: {err.strerror}") from err


def _check_writable(path: Path) -> None:
    """Before the runs, so that their results are not lost for want of a place."""
    if str(path) != "-" and (path.is_dir() or not os.access(path.parent, os.W_OK)):
        raise ConfigError(f"{path} cannot be written")


def _target(settings: LoadedSettings) -> Target:
    url = settings[SERVER_URL]
    if url.scheme != "https" or not url.port:
        raise ConfigError(f"{url} is no URL that clients can call: expected https://HOST:PORT")
    return Target(url.host, url.port)


@click.command()
@click.option("--clients", type=click.IntRange(1), default=50, show_default=True, help="How many clients.")
@click.option(
    "--client-name-format",
    metavar="FORMAT",
    default="client{:04d}.example.com",
    show_default=True,
    help="Their host names, from the number 1 on.",
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
    "--certificates",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="A directory with NAME.crt and NAME.key of each client.",
)
@click.option("--profile", metavar="NAME", help="The profile that each client asserts.")
@click.option(
    "--decision-mode", type=click.Choice(["whitelist", "blacklist"]), help="Ask for the list of decisions as well."
)
@click.option(
    "--client-version", metavar="VERSION", default=CLIENT_VERSION, show_default=True, help="What clients declare to be."
)
@click.option(
    "--probe-answer",
    "probe_answers",
    metavar="NAME=TEXT",
    multiple=True,
    callback=_probe_answers,
    help="What a probe prints; \\n is a new line, {client} the host name. Other probes choose one of the groups that"
    " their script names, or a number.",
)
@click.option("--runs", type=click.IntRange(1), default=1, show_default=True, help="How many runs each client makes.")
@click.option(
    "--concurrency",
    type=click.IntRange(1),
    help=f"How many clients run at a time, at most.  [default: {DEFAULT_CONCURRENCY}; with a splay: all]",
)
@click.option(
    "--splay",
    type=click.FloatRange(0),
    default=0,
    metavar="SECONDS",
    help="Start each client at a random moment of this time.  [default: all at once]",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Other numbers, other random moments.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=CallPolicy.timeout_seconds,
    show_default=True,
    metavar="SECONDS",
    help="How long a client waits for the server to do anything.",
)
@click.option(
    "--retries",
    type=click.IntRange(1),
    default=CallPolicy.attempts,
    show_default=True,
    help="How often a client tries a call, in all.",
)
@click.option(
    "--retry-delay",
    type=click.FloatRange(0),
    default=CallPolicy.retry_delay_seconds,
    show_default=True,
    metavar="SECONDS",
    help="The pause before a call is tried again.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path),
    help="Write the summary, and each call with its latency, to this file; - is the standard output.",
)
@click.option(
    "--ca",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CA certificates to check the server's with, if not those of the configuration file. Without any it is not"
    " checked.",
)
@with_settings(SERVER_URL, PASSWORD)
def command(
    settings: LoadedSettings,
    clients: int,
    client_name_format: str,
    clients_file: Path | None,
    user: str | None,
    certificates: Path | None,
    profile: str | None,
    decision_mode: str | None,
    client_version: str,
    probe_answers: Mapping[str, str],
    runs: int,
    concurrency: int | None,
    splay: float,
    seed: int,
    timeout: float,
    retries: int,
    retry_delay: float,
    json_file: Path | None,
    ca: Path | None,
) -> int:
    """Let simulated clients make whole runs, as real clients do, and measure every call.

    Each call has a new TLS connection. Nothing is installed and no script of a probe is executed anywhere. The server
    may be any Bcfg2 server; it will register the clients, take their probe data, and record their reports. The
    configuration file may be that of a client or of the server itself.

    The exit status is 1 if a run failed.
    """
    named = read_clients_file(clients_file) if clients_file else client_names(client_name_format, clients)
    if concurrency is None:
        concurrency = len(named) if splay else DEFAULT_CONCURRENCY
    if json_file is not None:
        _check_writable(json_file)
    progress = FleetProgress(len(named) * runs)
    fleet = Fleet(
        _target(settings),
        make_identities(named, user=user, password=settings[PASSWORD], certificates=certificates, profile=profile),
        Schedule(concurrency, runs, splay, seed),
        RunPlan(decision_mode, client_version, given_answers(probe_answers)),
        CallPolicy(retries, retry_delay, timeout),
        ca or settings[CA],
        progress.run_ended,
    )
    finished = run_fleet(fleet, progress)
    if json_file is not None:
        _write_results(json_file, fleet)
    summary = fleet.result.summary()
    click.echo(format_summary(summary), err=str(json_file) == "-")
    if not finished:
        click.echo(f"\nInterrupted after {len(fleet.result.runs)} of {len(named) * runs} runs.", err=True)
        return EXIT_INTERRUPTED
    return 1 if summary.runs_failed else 0
