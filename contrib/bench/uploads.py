"""Uploads of clients over the network into a database, sharing commits or with a commit for each.

    python -m contrib.bench.uploads --seconds 4

Sixty-four clients upload to a server of the gevent core, one upload after the other: results of five probes, which
differ in each upload, or a report of a hundred entries of which ten are bad. A call is answered when what it brought is
durable: both kinds of databases sync the disk (``fsync``). Connections are *kept*, or *new* for each call, as the
client of Bcfg2 makes them; the latter costs a TLS handshake, which then is most of the work. *Alone* is a server whose
uploads do not share commits, as no option makes it. The server is started afresh for each line, with an empty
database, and those who share commits and those who do not take turns.

The clients are threads of this program, on the same processors as the server. The processor time is that of all
processes of the server, without those of PostgreSQL.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import socket
import ssl
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contrib.bench import postgresql
from contrib.bench.candidates import Candidate
from contrib.bench.command import add_report, write_report
from geventcore.cli.command import termination_as_interrupt
from geventcore.errors import GeventcoreError
from geventcore.simulation.answers import Answer, AttemptFailed
from geventcore.simulation.conversation import check_answer
from geventcore.simulation.load import RECV_PROBE_DATA, RECV_STATS, SimulatedClient
from geventcore.simulation.report_page import Section, Table
from geventcore.simulation.repository import Shape
from geventcore.simulation.sampler import Sampler
from geventcore.simulation.test_bed import HOST, PASSWORD, Sections, TestBed
from geventcore.storage import migration
from geventcore.storage.config import DatabaseConfig
from geventcore.wire.basicauth import format_authorization
from geventcore.wire.xmlrpc import dump_call

CONCURRENCY = 64
PLUGINS = ("Metadata", "Probes", "Reporting")
ALONE = "contrib.bench.commit_alone.CommitAlone"
HEADER = ("database", "workers", "connections", "calls", "commits", "calls/s", "p50 ms", "p99 ms", "CPU ms/call")
_METHODS = {"RecvProbeData": RECV_PROBE_DATA, "RecvStats": RECV_STATS}
_PATIENCE_SECONDS = 60.0
_GOOD = "".join(
    f'<Path name="/etc/good{number}" type="file" owner="root" group="root" mode="0644" current_owner="0"/>'
    for number in range(90)
)
_BAD = "".join(
    f'<Path name="/etc/service{number}" type="file" owner="root" mode="0600" current_mode="0644"/>'
    for number in range(10)
)


def probe_upload(client: int, number: int) -> bytes:
    """The body of a call of RecvProbeData; `number` tells it from others of the client."""
    text = f"result {number} of {client}\n" * 4
    data = "".join(f'<probe-data name="probe{probe}" source="Probes">{text}</probe-data>' for probe in range(5))
    return dump_call("RecvProbeData", (f"<probe-data-list>{data}</probe-data-list>",))


def report_upload(client: int, number: int) -> bytes:
    """The same of RecvStats."""
    start = 1_790_000_000 + client + 60 * number
    document = (
        '<upload-statistics><Statistics total="100" good="90" version="2.0" revision="-1" state="dirty"><Modified/>'
        f'<Extra/><Good>{_GOOD}</Good><Bad>{_BAD}</Bad><OpStamps start="{start}.25" config_download="{start}.75" '
        f'inventory="{start + 14}.5" finished="{start + 15}.0"/></Statistics></upload-statistics>'
    )
    return dump_call("RecvStats", (document,))


_BODIES = {"RecvProbeData": probe_upload, "RecvStats": report_upload}


@dataclass
class Caller:
    """One client.

    Attributes:
        seconds: how long each call took.
        error: what ended it before its time.
    """

    number: int
    client: SimulatedClient
    port: int
    context: ssl.SSLContext
    method: str
    keeps: bool
    seconds: list[float] = field(default_factory=list)
    error: Exception | None = None

    def call_until(self, begin: threading.Barrier, duration: float) -> None:
        """Connect if the connection is kept, wait for the others, and call until the time is over."""
        try:
            with contextlib.ExitStack() as stack:
                kept = stack.enter_context(self._connected()) if self.keeps else None
                if kept is not None:
                    self._call(kept, 0)
                begin.wait(_PATIENCE_SECONDS)
                end = time.monotonic() + duration
                for number in itertools.count(1):
                    started = time.monotonic()
                    if started >= end:
                        break
                    if kept is not None:
                        self._call(kept, number)
                    else:
                        with self._connected() as connection:
                            self._call(connection, number)
                    self.seconds.append(time.monotonic() - started)
        except (OSError, AttemptFailed, threading.BrokenBarrierError) as error:
            self.error = error

    def _connected(self) -> ssl.SSLSocket:
        source = (self.client.address or HOST, 0)
        tcp = socket.create_connection((HOST, self.port), timeout=_PATIENCE_SECONDS, source_address=source)
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.context.wrap_socket(tcp)

    def _call(self, connection: ssl.SSLSocket, number: int) -> None:
        body = _BODIES[self.method](self.number, number)
        head = (
            f"POST /RPC2 HTTP/1.1\r\nHost: {HOST}:{self.port}\r\nContent-Type: text/xml\r\n"
            f"Authorization: {format_authorization(self.client.user, PASSWORD)}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        answer = Answer()
        while data := connection.recv(65536):
            if answer.receive(memoryview(data)):
                break
        else:
            answer.end()
        check_answer(_METHODS[self.method], answer.body())


@dataclass(frozen=True)
class Rate:
    """Calls in a second, how long half and 99 % of them took at most, and processor time of the server for each, the
    latter in milliseconds."""

    calls: float
    half: float
    most: float
    processor: float


def measure(bed: TestBed, candidate: Candidate, method: str, keeps: bool, seconds: float) -> Rate:
    """Upload for some seconds; `AttemptFailed` or `OSError` if a call fails."""
    context = ssl.create_default_context(cafile=str(bed.ca))
    context.check_hostname = False
    with bed.serving(candidate.options, candidate.command) as running:
        callers = [
            Caller(number, client, running.port, context, method, keeps)
            for number, client in enumerate(bed.clients[:CONCURRENCY])
        ]
        begin = threading.Barrier(len(callers) + 1)
        threads = [threading.Thread(target=caller.call_until, args=(begin, seconds)) for caller in callers]
        for thread in threads:
            thread.start()
        begin.wait(_PATIENCE_SECONDS)
        sampler, started = Sampler([running.pid]), time.monotonic()
        before = sampler.cpu_seconds()
        for thread in threads:
            thread.join()
        elapsed, busy = time.monotonic() - started, sampler.cpu_seconds() - before
    for caller in callers:
        if caller.error is not None:
            raise caller.error
    durations = sorted(duration for caller in callers for duration in caller.seconds)
    ranks = statistics.quantiles(durations, n=100)
    return Rate(len(durations) / elapsed, ranks[49] * 1000, ranks[98] * 1000, busy / len(durations) * 1000)


def lines(bed: TestBed, options: argparse.Namespace) -> Iterator[list[str]]:
    """A line of the table for each measurement."""
    with contextlib.ExitStack() as stack:
        cases = itertools.product(options.databases, options.workers, options.connections, _METHODS, options.commits)
        for engine, workers, connections, method, commits in cases:
            if engine == "postgresql" and not postgresql.is_available():
                continue
            database = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))) / "bench.sqlite"
            is_file = engine == "sqlite3"
            config = DatabaseConfig(engine, str(database)) if is_file else postgresql.new_config()
            migration.upgrade(config)
            sections: Sections = {
                "gevent": {"workers": workers},
                "probes": {"use_database": "true"},
                "database": postgresql.database_section(config),
            }
            plugins = PLUGINS if commits == "together" else (ALONE, *PLUGINS)
            candidate = Candidate(engine, {**sections, "server": {"plugins": ",".join(plugins)}})
            rate = measure(bed, candidate, method, connections == "kept", options.seconds)
            figures = [f"{rate.calls:.0f}", f"{rate.half:.1f}", f"{rate.most:.1f}", f"{rate.processor:.2f}"]
            yield [engine, workers, connections, method, commits, *figures]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table, and write it."""
    made = argparse.ArgumentParser(
        prog="python -m contrib.bench.uploads",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )

    def some_of(*names: str) -> dict[str, object]:
        return {"nargs": "+", "choices": names, "default": names, "help": f"default: {' '.join(names)}"}

    made.add_argument("--databases", **some_of("sqlite3", "postgresql"))  # type: ignore[arg-type]
    made.add_argument("--connections", **some_of("kept", "new"))  # type: ignore[arg-type]
    made.add_argument("--commits", **some_of("alone", "together"))  # type: ignore[arg-type]
    made.add_argument("--workers", nargs="+", default=["1", "2"], help="default: 1 2")
    made.add_argument("--seconds", type=float, default=4.0, help="for each line (default: 4)")
    add_report(made, "uploads")
    options = made.parse_args(arguments)
    rows: list[list[str]] = []
    pattern = "{:11} {:>7} {:11} {:13} {:9} {:>8} {:>8} {:>8} {:>12}"
    print(pattern.format(*HEADER), flush=True)
    try:
        with termination_as_interrupt(), tempfile.TemporaryDirectory(prefix="bench-") as directory:
            bed = TestBed(Path(directory), Shape(clients=CONCURRENCY, entries=20), PLUGINS)
            for row in lines(bed, options):
                rows.append(row)
                print(pattern.format(*row), flush=True)
    except (GeventcoreError, AttemptFailed, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    note = f"{CONCURRENCY} clients at once, {options.seconds:g} s for each line."
    table = Table("Uploads", HEADER, rows, text_columns=frozenset({0, 2, 3, 4}))
    write_report(
        options.report, "Uploads into a database", note, [Section("", note, [], [table])], {"seconds": options.seconds}
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
