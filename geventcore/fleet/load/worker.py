"""The process of a load: ``python -m geventcore.fleet.load.worker``.

It reads its job, one line, from standard input, makes what its clients send, says that it is prepared, and begins at
the moment that the next line gives. Anything more on standard input, or its end, ends the load, so that no process
outlives the one that has started it. On standard output it says how far it is, one JSON object a line.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from geventcore.errors import GeventcoreError
from geventcore.fleet.load.conversation import Conversation
from geventcore.fleet.load.engine import Engine, allow_descriptors, warm_up
from geventcore.fleet.load.job import Job
from geventcore.tls.client import ClientContext


def main() -> int:
    """Returns the exit status."""
    # Ctrl-C is for the process that has started this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job = Job.from_json(_read_line())
    try:
        pace = job.pace
        allow_descriptors(min(len(job.clients), pace.concurrency or len(job.clients)))
        conversation = Conversation(job.authority, job.path, job.password)
        context = ClientContext(job.ca)
        warm_up(job, conversation, context)
    except GeventcoreError as error:
        _say(error=str(error))
        return 1
    _say(prepared=True)
    line = _read_line()
    if not line:
        return 1
    engine = Engine(job, conversation, context)

    def tell() -> None:
        counts = engine.counts
        _say(ok=counts.runs_ok, failed=counts.runs_failed, retries=counts.retries, underway=engine.underway)

    engine.drive(float(line), sys.stdin.fileno(), tell).write(job.results)
    _say(done=True)
    return 0


def _read_line() -> str:
    """The next line; less if the input ends. Nothing is sent after it before this process has answered."""
    line = bytearray()
    while not line.endswith(b"\n"):
        read = os.read(sys.stdin.fileno(), 65536)
        if not read:
            break
        line += read
    return line.decode()


def _say(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        # Who has started this process is gone, and nobody waits for a result.
        os._exit(1)
