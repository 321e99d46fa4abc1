"""Many writers, one commit; and finding what is bad among many."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence

import pytest

from geventcore.group_commit import GroupCommit, failures
from geventcore.testing.live_site import wait_until
from tests.support.project import PROJECT

PATIENCE_SECONDS = 10.0

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


class Gate:
    """A store that waits at its first call, so that others come meanwhile.

    Attributes:
        batches: the items of each call.
        error: what it raises, or None.
    """

    def __init__(self) -> None:
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.batches: list[list[int]] = []
        self.error: Exception | None = None
        self.group: GroupCommit[int] = GroupCommit.storing(self.store)

    def store(self, items: list[int]) -> Sequence[Exception | None]:
        self.entered.set()
        assert self.go_on.wait(PATIENCE_SECONDS)
        self.batches.append(items)
        if self.error is not None:
            raise self.error
        return [None] * len(items)

    def outcomes(self, first: int, others: Sequence[int]) -> list[str]:
        """Put `first` and, while it is stored, `others`; return what each caller was told."""
        told: list[str] = []

        def put(item: int) -> None:
            try:
                self.group.put(item)
                told.append("stored")
            except OSError:
                told.append("failed")

        threads = [threading.Thread(target=put, args=(item,), daemon=True) for item in (first, *others)]
        threads[0].start()
        assert self.entered.wait(PATIENCE_SECONDS)
        for thread in threads[1:]:
            thread.start()
        wait_until(lambda: len(self.group._waiting) == len(others), "the others wait")
        self.go_on.set()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
        return told


def test_callers_that_wait_share_one_write() -> None:
    gate = Gate()
    assert gate.outcomes(1, range(2, 52)) == ["stored"] * 51
    assert [sorted(batch) for batch in gate.batches] == [[1], list(range(2, 52))]


def test_a_failed_write_fails_all_who_waited_for_it_and_no_others() -> None:
    gate = Gate()
    gate.error = OSError("disk full")
    assert gate.outcomes(1, [2, 3, 4, 5]) == ["failed"] * 5
    gate.error = None
    gate.group.put(6)
    assert gate.batches[-1] == [6]


@pytest.mark.parametrize("bad", [set(), {0}, {41}, {7, 8, 99}, set(range(100))])
def test_the_bad_ones_among_many_are_found(bad: set[int]) -> None:
    """Each bad item gets its own error, and everything else is done exactly once."""
    done: list[int] = []
    attempts = 0

    def attempt(numbers: Sequence[int]) -> Exception | None:
        nonlocal attempts
        attempts += 1
        wrong = [number for number in numbers if number in bad]
        if wrong:
            return ValueError(wrong[0])
        done.extend(numbers)
        return None

    errors = failures(range(100), attempt)
    assert {number: err.args[0] for number, err in errors.items()} == {number: number for number in bad}
    assert sorted(done) == sorted(set(range(100)) - bad)
    assert attempts <= 1 + 14 * len(bad)
