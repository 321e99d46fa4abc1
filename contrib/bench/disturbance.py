"""The latency of well-behaved clients beside a few misbehaving connections.

    python -m contrib.bench.disturbance geventcore-gevent geventcore-builtin bcfg2-builtin

Clients call a server at a steady rate that leaves it mostly idle, each call over a new TLS connection. Phases
without and with disturbance take turns. A disturbance is a connection that says nothing, one that stops in the middle
of the TLS handshake, or one that sends a byte of a request each second; with ``--each N`` there are N of each kind.
With ``--floods N`` there are N programs beside them that begin one TLS handshake after the other, and break each off
when the server has computed its part.

The table tells the latency of the clients' calls, handshake included, without and with the disturbance, in
milliseconds. Calls that could not begin since all clients were waiting count as failed. Everything runs on this
machine's loopback addresses.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from contrib.bench.attack import Attack, attackers
from contrib.bench.candidates import SERVERS
from contrib.bench.latencies import Latencies, print_latencies
from geventcore.simulation.load import GET_PROBES, Load, Pace, RetryPolicy, RunPlan
from geventcore.simulation.load_processes import LoadProcesses
from geventcore.simulation.repository import Shape
from geventcore.simulation.test_bed import TestBed

KINDS = ("silent", "half", "trickling")


def phase(load: Load, into: Latencies) -> None:
    """Make the load once."""
    with LoadProcesses(load) as processes:
        processes.prepare()
        into.add(processes.run(), GET_PROBES)


def measure(name: str, directory: Path, options: argparse.Namespace) -> tuple[Latencies, Latencies]:
    """Return the latencies of one server without and with disturbance."""
    bed = TestBed(directory, Shape(clients=options.clients, entries=40))
    quiet, disturbed = Latencies(), Latencies()
    with bed.serving(SERVERS[name].options, SERVERS[name].command) as server:
        load = replace(
            bed.load(server),
            pace=Pace(None, rate=options.rate),
            seconds=options.seconds,
            # As long as a client waits: it shows how long a stall lasts.
            retry=RetryPolicy(attempts=1),
            plan=RunPlan(only=frozenset({GET_PROBES})),
        )
        phase(load, Latencies())
        for number in range(options.rounds):
            print(f"{name}: round {number + 1}", file=sys.stderr, flush=True)
            phase(load, quiet)
            with contextlib.ExitStack() as stack:
                stack.enter_context(attackers(Attack(server.port, bed.ca, options.each, KINDS, "")))
                if options.floods:
                    stack.enter_context(attackers(Attack(server.port, bed.ca, options.floods, ("flood",), "")))
                phase(load, disturbed)
    return quiet, disturbed


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line for each server."""
    parser = argparse.ArgumentParser(
        prog="python -m contrib.bench.disturbance", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("servers", nargs="+", choices=sorted(SERVERS), metavar="server", help=", ".join(SERVERS))
    parser.add_argument("--clients", type=int, default=500, help="as many may wait at the same time")
    parser.add_argument("--rate", type=float, default=50.0, help="calls per second, of all clients together")
    parser.add_argument("--each", type=int, default=1, help="how many misbehaving connections of each kind")
    parser.add_argument("--floods", type=int, default=0, help="programs that begin handshakes all the time")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of a phase")
    parser.add_argument("--rounds", type=int, default=2, help="phases of each kind")
    options = parser.parse_args(arguments)
    return print_latencies(measure, options)


if __name__ == "__main__":
    sys.exit(main())
