"""One turn: a load on a running server, with its processes watched meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from geventcore.fleet.load.crew import Crew, Load, Progress
from geventcore.fleet.load.measurement import Measurement, Turn
from geventcore.fleet.load.sampler import Sampler


def take_turn(
    measurement: Measurement,
    load: Load,
    server_pids: Sequence[int] = (),
    progress: Callable[[Progress], None] = lambda _: None,
    begin: Callable[[], None] = lambda: None,
) -> None:
    """Make the load and add what was seen to the measurement, which says if it was interrupted.

    Args:
        server_pids: the processes to watch, with their descendants; none if they are not on this machine.
        begin: called when the clients are prepared, before the clock starts.

    Raises:
        LoadError: the server does not answer as it should even to one client alone, or the load did not end.
        ConfigError: the server's name cannot be resolved.
    """
    measurement.facts.setdefault("load of the machine before", f"{os.getloadavg()[0]:.2f}")
    with Crew(load) as crew:
        crew.prepare()
        begin()
        if not server_pids:
            measurement.add(Turn(crew.run(progress)))
        else:
            with Sampler(server_pids) as sampler:
                before = sampler.cpu_seconds()
                result = crew.run(progress)
                used = sampler.cpu_seconds() - before
            measurement.add(Turn(result, used, sampler.result))
        measurement.interrupted = measurement.interrupted or crew.interrupted
