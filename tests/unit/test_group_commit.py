"""Who waits for others to store, or stores for others, may be ended at any moment; the others go on."""

from __future__ import annotations

import subprocess
import sys

from tests.support.live_server import PROJECT

#: In an interpreter of its own, because only greenlets can be ended from outside.
SCRIPT = """
from geventcore.cores.cooperation import patch_standard_library
patch_standard_library()
import gevent
from gevent.event import Event
from geventcore.group_commit import GroupCommit

entered, go_on, stored = Event(), Event(), []

def carry_out(batch):
    entered.set()
    go_on.wait()
    for ticket in batch:
        stored.append(ticket.item)
        ticket.result = ticket.item * 10
        ticket.finish()

group = GroupCommit(carry_out, 2)

def put(item):
    greenlet = gevent.spawn(group.put, item)
    gevent.sleep(0)
    return greenlet

def gather(first, others):
    entered.clear()
    go_on.clear()
    greenlets = [put(first)]
    entered.wait()
    return greenlets + [put(item) for item in others]

# The next in line is ended while it waits.
leader, gone, *left = gather(1, [2, 3, 4, 5])
gone.kill()
go_on.set()
assert [greenlet.get(timeout=20) for greenlet in (leader, *left)] == [10, 30, 40, 50]
assert stored == [1, 3, 4, 5], stored

# It is ended after its turn has come, and before it runs.
leader, gone, *left = gather(1, [2, 3])
go_on.set()
leader.rawlink(lambda _: gone.kill(block=False))
assert [greenlet.get(timeout=20) for greenlet in (leader, *left)] == [10, 30]

# Who carries out is ended, and so is one of those for whom it was done.
leader, *left = gather(1, [2])
go_on.set()
leader.get(timeout=20), left[0].get(timeout=20)
leader, first, second, third = gather(1, [2, 3, 4])
stored.clear()
entered.clear()
go_on.set()
leader.get(timeout=20)
go_on.clear()
entered.wait()
second.kill()
first.kill()
go_on.set()
assert third.get(timeout=20) == 40
assert stored == [1, 4], stored

# Nobody is left behind: the next one stores at once.
assert put(6).get(timeout=20) == 60
"""


def test_who_is_ended_holds_up_nobody() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, cwd=PROJECT, check=False
    )
    assert done.returncode == 0, done.stderr
