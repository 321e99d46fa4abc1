"""A function called for many hosts, in several processes that share what the core has read."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from geventcore.errors import GeventcoreError

T = TypeVar("T")

#: Starting processes takes longer than building a few hosts.
FEWEST_HOSTS_FOR_PROCESSES = 8
#: The hosts that a process gets at once, at most: fewer give a smoother progress, more cost fewer messages.
LONGEST_CHUNK = 8

#: The function that the processes call. They are forks, so they have it from the start.
_function: Callable[[str], Any] | None = None


def usable_processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0))


def for_hosts(
    function: Callable[[str], T], hosts: Sequence[str], processes: int = 0, *, longest_chunk: int = LONGEST_CHUNK
) -> Iterator[tuple[str, T]]:
    """Yield each host with the function's result, in the order of the hosts.

    The results must be picklable. What the function changes in memory is lost if there are several processes.

    Args:
        processes: how many; 0 for one for each processor, or this process alone for a few hosts.
        longest_chunk: the hosts that a process gets at once, at most.

    Raises:
        GeventcoreError: a process ended before its result.
    """
    if not processes:
        processes = usable_processors() if len(hosts) >= FEWEST_HOSTS_FOR_PROCESSES else 1
    processes = min(processes, len(hosts))
    if processes <= 1:
        for host in hosts:
            yield host, function(host)
        return
    global _function
    _function = function
    chunk = max(1, min(longest_chunk, len(hosts) // (4 * processes)))
    executor = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("fork"))
    try:
        yield from zip(hosts, executor.map(_call, hosts, chunksize=chunk), strict=True)
    except BrokenProcessPool as err:
        raise GeventcoreError("a process that built configurations was killed; is there enough memory?") from err
    finally:
        executor.shutdown(cancel_futures=True)
        _function = None


def _call(host: str) -> Any:
    assert _function is not None
    return _function(host)
