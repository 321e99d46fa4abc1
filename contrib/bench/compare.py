"""Compare servers under the load of many clients.

    python -m contrib.bench.compare geventcore bcfg2-builtin --levels 1:15,64:20,1000:90 --json out.json

All serve copies of one generated repository with the same options. At every level of concurrency they take turns, A,
B, A, B, so that whatever else the machine does meets all. For each turn the server is started afresh, on a fresh copy,
and is stopped when the time of the level is over; `load` says what the clients do. Options of one server are given with
its name: `geventcore,gevent.pool_size=100`. With one server only, it is measured alone; `geventcore-builtin
geventcore-gevent geventcore-multiprocessing …` puts all cores side by side.

The table has a row for each level and server, and below each but the first what the first divided by it gives. Runs are
whole client runs, calls single answers; failed runs gave up as a client would, cut ones were not finished when the time
was over. What was not finished counts among the times with those it had taken so far. Errors are failed attempts, bad
are entries the server could not bind. `cpu/call` is the processor time of all processes of the server divided by the
calls answered; memory is the largest seen under load, in `pss` shared pages count once. Everything runs on this
machine's loopback addresses.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from contrib.bench.load import PREPARED
from contrib.bench.measurement import Measurement, table
from contrib.bench.meter import Meter
from contrib.bench.servers import SERVERS
from tests.peers.certificates import CertificateFiles
from tests.peers.environment import REPOSITORY_ROOT, PeerError
from tests.peers.server import Startable
from tests.peers.sites import PLUGINS, Sections, ServerSite
from tests.repositories.generate import Shape, generate

PASSWORD = "benchmark"
#: The more clients, the longer it takes until the first ones have made all their calls.
DEFAULT_LEVELS = "1:15,16:15,64:20,256:40,1000:90"
#: Time for a server to stop by itself; what it has stored is thrown away.
_STOP_SECONDS = 2.0
#: Time for the load to end after its clients have.
_REPORT_SECONDS = 60.0


class BenchError(Exception):
    """The comparison can't go on; the text says why."""


@dataclass(frozen=True)
class Contestant:
    """A server of the comparison.

    Attributes:
        name: as given, with its options.
        server: how it is started.
        options: section -> option -> value, on top of the common ones.
    """

    name: str
    server: Startable
    options: Sections


@dataclass(frozen=True)
class Level:
    """How much load: so many runs under way at the same time, for so many seconds."""

    clients: int
    seconds: float


class Arena:
    """A repository, certificates, and a place for temporary files: the same for all contestants."""

    def __init__(self, directory: Path, shape: Shape, plugins: Sequence[str]) -> None:
        self._directory = directory
        self._plugins = plugins
        self._repository = directory / "repository"
        generate(self._repository, shape)
        self._authority = CertificateFiles(directory / "certificates")
        self._certificate = self._authority.server()

    def turn(self, contestant: Contestant, level: Level, measurement: Measurement) -> None:
        """Start the server, put one load on it, stop it, and add what was seen to `measurement`.

        Raises:
            BenchError: the server or the load did not work.
        """
        with tempfile.TemporaryDirectory(dir=self._directory) as directory:
            repository = Path(directory) / "repository"
            shutil.copytree(self._repository, repository)
            site = ServerSite(
                Path(directory) / "server",
                repository,
                self._certificate,
                self._authority.ca,
                PASSWORD,
                plugins=self._plugins,
                overrides=contestant.options,
            )
            try:
                running = contestant.server.start(site)
            except PeerError as error:
                raise BenchError(f"{contestant.name}: {error}") from error
            try:
                with Meter(running.pid) as meter, self._load(site, level) as load:
                    self._wait_until_prepared(load, contestant.name, running.log_tail())
                    before = meter.cpu_seconds()
                    output = self._output(load, level)
                    used = meter.cpu_seconds() - before
                if running.process.poll() is not None:
                    raise BenchError(f"{contestant.name} ended under load:\n{running.log_tail()}")
            finally:
                running.stop(patience=_STOP_SECONDS)
        measurement.add(json.loads(output), used, meter.peak)

    def _load(self, site: ServerSite, level: Level) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "contrib.bench.load", "--url", site.url, "--ca", str(self._authority.ca)]
        command += ["--password", PASSWORD, "--repository", str(self._repository), "--concurrency", str(level.clients)]
        command += ["--seconds", str(level.seconds)]
        return subprocess.Popen(command, cwd=REPOSITORY_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @staticmethod
    def _output(load: subprocess.Popen[str], level: Level) -> str:
        try:
            output, complaints = load.communicate(timeout=level.seconds + _REPORT_SECONDS)
        except subprocess.TimeoutExpired as error:
            load.kill()
            raise BenchError("the load did not end") from error
        if load.returncode != 0:
            raise BenchError(f"the load failed:\n{complaints}")
        return output

    @staticmethod
    def _wait_until_prepared(load: subprocess.Popen[str], name: str, server_log: str) -> None:
        assert load.stderr is not None
        line = load.stderr.readline()
        if line.strip() != PREPARED:
            raise BenchError(f"{name}: {line}{load.stderr.read()}\nThe server said:\n{server_log}")


def parse_contestant(text: str) -> Contestant:
    """A contestant from the command line: `NAME[,section.option=value…]`.

    Raises:
        BenchError: there is no such server, or an option is malformed.
    """
    name, *settings = text.split(",")
    if name not in SERVERS:
        raise BenchError(f"{name} is not a known server; there are: {', '.join(SERVERS)}")
    options: dict[str, dict[str, str]] = defaultdict(dict)
    for setting in settings:
        key, equals, value = setting.partition("=")
        section, dot, option = key.partition(".")
        if not (equals and dot and section and option):
            raise BenchError(f"{setting}: an option of a server is section.option=value")
        options[section][option] = value
    try:
        return Contestant(text, SERVERS[name](), options)
    except PeerError as error:
        raise BenchError(f"{name}: {error}") from error


def parse_level(text: str) -> Level:
    """A level from the command line: `CLIENTS:SECONDS`.

    Raises:
        BenchError: it is malformed.
    """
    clients, _, seconds = text.partition(":")
    try:
        level = Level(int(clients), float(seconds))
    except ValueError as error:
        raise BenchError(f"{text}: a level is CLIENTS:SECONDS") from error
    if level.clients < 1 or not 0 < level.seconds < math.inf:
        raise BenchError(f"{text}: clients and seconds must be positive")
    return level


def compare(
    arena: Arena, contestants: Sequence[Contestant], levels: Sequence[Level], rounds: int
) -> list[tuple[int, str, Measurement]]:
    """Measure every contestant at every level, by turns; says on standard error what it is doing.

    Raises:
        BenchError: a server or the load did not work.
    """
    rows: list[tuple[int, str, Measurement]] = []
    for level in levels:
        measurements = [Measurement() for _ in contestants]
        for number in range(rounds):
            for contestant, measurement in zip(contestants, measurements, strict=True):
                print(f"{level.clients} clients, round {number + 1}: {contestant.name}", file=sys.stderr, flush=True)
                arena.turn(contestant, level, measurement)
        rows += [
            (level.clients, contestant.name, measurement)
            for contestant, measurement in zip(contestants, measurements, strict=True)
        ]
    return rows


def report(rows: Sequence[tuple[int, str, Measurement]], settings: Mapping[str, object]) -> dict[str, object]:
    """Everything measured, for a JSON file."""
    measured = [{"clients": level, "server": name, **measurement.as_json()} for level, name, measurement in rows]
    return {"settings": settings, "measurements": measured}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m contrib.bench.compare",
        description="Compare Bcfg2 servers under the load of many clients.",
        epilog=f"Servers: {', '.join(SERVERS)}",
    )
    parser.add_argument(
        "servers",
        nargs="+",
        metavar="server",
        help="NAME[,section.option=value…]; the others are compared with the first",
    )
    parser.add_argument("--levels", default=DEFAULT_LEVELS, help=f"CLIENTS:SECONDS,… (default: {DEFAULT_LEVELS})")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each server at each level")
    parser.add_argument("--clients", type=int, help="clients in the repository (default: 100, or the highest level)")
    parser.add_argument("--entries", type=int, default=400, help="entries per client")
    parser.add_argument("--plugins", default=",".join(PLUGINS), help="of all servers, in load order")
    parser.add_argument("--json", type=Path, help="also write everything measured to this file")
    options = parser.parse_args(arguments)
    try:
        levels = [parse_level(text) for text in options.levels.split(",")]
        most = max(100, *(level.clients for level in levels))
        shape = Shape(clients=options.clients or most, entries=options.entries)
        contestants = [parse_contestant(text) for text in options.servers]
        with tempfile.TemporaryDirectory(prefix="bench-") as directory:
            arena = Arena(Path(directory), shape, options.plugins.split(","))
            rows = compare(arena, contestants, levels, options.rounds)
    except (BenchError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(table(rows))
    if options.json is not None:
        settings = {"levels": options.levels, "rounds": options.rounds, "plugins": options.plugins}
        options.json.write_text(json.dumps(report(rows, settings | vars(shape)), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
