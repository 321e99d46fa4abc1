"""The cost of thousands of misbehaving connections to everybody else.

    python -m contrib.bench.hostile

Well-behaved clients call a server as fast as they get answers, each call over a new TLS connection. Phases without and
with misbehaving connections take turns. Of these there are three kinds, of each as many as `--each` says, and who is
cut off comes back. A phase begins when the server has answered what they asked for when they came:

silent, trickling and unread; `contrib.bench.attack` describes them.

How many calls the server answers in a second of its own processor time depends less than other numbers on what else the
machine does, but those who misbehave need a processor, too, and where two share their units each is slower then. What
the server uses while only they are there does not depend on that. Everything runs on this machine's loopback addresses.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from contrib.bench.attack import Attack, attackers
from geventcore.simulation.load import METHODS, Load, Pace, RetryPolicy, RunPlan
from geventcore.simulation.load_processes import LoadProcesses
from geventcore.simulation.repository import Shape
from geventcore.simulation.sampler import Sampler
from geventcore.simulation.test_bed import PASSWORD, TestBed
from geventcore.units import size_text
from geventcore.wire.basicauth import format_authorization

KINDS = ("silent", "trickling", "unread")
#: How long the server may take for what the connections have asked for.
SETTLE_SECONDS = 30.0


@dataclass(frozen=True)
class Phase:
    """The result of one phase.

    Attributes:
        answered, failed: numbers of calls.
        cpu_seconds: processor time of the server.
    """

    answered: int
    failed: int
    cpu_seconds: float

    @property
    def goodput(self) -> float:
        """Answered calls for each second of the server's processor time."""
        return self.answered / self.cpu_seconds


def measure(directory: Path, options: argparse.Namespace) -> tuple[list[Phase], list[Phase], float, int]:
    """Return the phases without and with misbehaving connections, the share of a processor that these alone take, and
    the most memory of the server in bytes."""
    bed = TestBed(directory, Shape(clients=options.clients + 1, entries=options.entries))
    quiet: list[Phase] = []
    disturbed: list[Phase] = []
    alone: list[float] = []
    with bed.serving({"gevent": {"workers": str(options.workers)}}) as server, Sampler([server.pid]) as sampler:
        load = replace(
            bed.load(server),
            clients=bed.clients[:-1],
            pace=Pace(None, concurrency=options.clients),
            seconds=options.seconds,
            retry=RetryPolicy(attempts=1),
            plan=RunPlan(only=frozenset({METHODS.index(options.method)})),
        )
        authorization = format_authorization(bed.clients[-1].name, PASSWORD)
        attack = Attack(server.port, bed.ca, options.each, options.kinds, authorization)
        phase(load, sampler)
        for number in range(options.rounds):
            quiet.append(phase(load, sampler))
            with attackers(attack):
                settle(sampler)
                before = sampler.cpu_seconds()
                time.sleep(options.seconds)
                alone.append((sampler.cpu_seconds() - before) / options.seconds)
                disturbed.append(phase(load, sampler))
            goodput = f"{quiet[-1].goodput:.1f} and {disturbed[-1].goodput:.1f} calls per CPU second"
            print(f"round {number + 1}: {goodput}", file=sys.stderr)
    return quiet, disturbed, median(alone), sampler.result.peak_pss


def settle(sampler: Sampler) -> None:
    """Wait until the server has done what the connections have asked for: that much anybody may ask."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        before = sampler.cpu_seconds()
        time.sleep(0.5)
        if sampler.cpu_seconds() - before < 0.1:
            return


def phase(load: Load, sampler: Sampler) -> Phase:
    """Make the load once."""
    with LoadProcesses(load) as processes:
        processes.prepare()
        before = sampler.cpu_seconds()
        counts = processes.run().counts
        return Phase(counts.calls, counts.runs_failed, sampler.cpu_seconds() - before)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was measured."""
    parser = argparse.ArgumentParser(prog="python -m contrib.bench.hostile", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clients", type=int, default=20, help="well-behaved ones")
    parser.add_argument("--entries", type=int, default=100, help="of a client's configuration")
    parser.add_argument(
        "--method", default="GetConfig", choices=("GetProbes", "GetConfig"), help="the method that they call"
    )
    parser.add_argument("--each", type=int, default=667, help="misbehaving connections of each kind")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--workers", type=int, default=1, help="processes of the server")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a phase")
    parser.add_argument("--rounds", type=int, default=3, help="phases with and without them")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        quiet, disturbed, alone, memory = measure(Path(directory), options)
    ratio = median(phase.goodput for phase in disturbed) / median(phase.goodput for phase in quiet)
    for name, phases in (("quiet", quiet), ("disturbed", disturbed)):
        print(
            f"{name:10} {sum(phase.answered for phase in phases):6d} answered "
            f"{sum(phase.failed for phase in phases):4d} failed "
            f"{median(phase.goodput for phase in phases):8.1f} calls per CPU second"
        )
    print(f"{len(options.kinds) * options.each} misbehaving connections leave {100 * ratio:.1f} %; {size_text(memory)}")
    print(f"without anybody else they take {100 * alone:.1f} % of a processor")
    return 0


if __name__ == "__main__":
    sys.exit(main())
