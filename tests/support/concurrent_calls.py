"""Calls that are made by many threads at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

#: How long a thread may take, in seconds.
PATIENCE = 60.0


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """The results of calls that are made by as many threads at the same time; failures are results, too."""
    results: list[Any] = [None] * len(calls)
    barrier = threading.Barrier(len(calls))

    def run(index: int) -> None:
        barrier.wait(PATIENCE)
        try:
            results[index] = calls[index]()
        except Exception as err:  # noqa: BLE001 - it is a result
            results[index] = err

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return results
