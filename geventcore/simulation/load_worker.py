"""A process of a load: ``python -m geventcore.simulation.load_worker DESCRIPTOR``.

The descriptor is one end of a `multiprocessing.Pipe`. The process receives its `Job`, prepares its clients, and answers
with None or the text of an error. It begins at the moment that it receives then, sends a `Progress` about once a
second, and its `LoadResult` at the end. Anything more that it receives, or the end of the pipe, ends the load, so that
no process outlives the one that has started it.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from multiprocessing.connection import Connection

from geventcore.errors import GeventcoreError
from geventcore.simulation.engine import Engine, allow_descriptors, client_contexts, new_conversation, warm_up
from geventcore.simulation.load import Job

#: Calls make no cycles that would be worth a frequent look.
_GARBAGE_THRESHOLD = 50_000


def work(connection: Connection) -> None:
    """Do one job."""
    job: Job = connection.recv()
    load = job.load
    try:
        allow_descriptors(load.most_at_once)
        conversation, contexts = new_conversation(load), client_contexts(load)
        warm_up(load, conversation, contexts)
        engine = Engine(load, conversation, contexts, job.numbers)
    except GeventcoreError as error:
        connection.send(str(error))
        return
    gc.freeze()
    gc.set_threshold(_GARBAGE_THRESHOLD)
    connection.send(None)
    begin: float = connection.recv()
    connection.send(engine.drive(begin, connection.fileno(), lambda: connection.send(engine.progress)))


if __name__ == "__main__":
    # Ctrl-C is for the process that has started this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        work(Connection(int(sys.argv[1])))
    except (EOFError, OSError):
        # The process that has started this one is gone, and nobody waits for a result.
        os._exit(1)
