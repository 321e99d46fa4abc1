"""Signals around a fork: each is noted by the process that it was sent to."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from geventcore.process.signals import SignalQueue


@pytest.fixture
def signals() -> Iterator[SignalQueue]:
    queue = SignalQueue()
    queue.install()
    try:
        yield queue
    finally:
        queue.restore()
        queue.close()


def status_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_signal_that_comes_right_after_a_fork_is_noted_by_the_child(signals: SignalQueue) -> None:
    def fork() -> int:
        pid = os.fork()
        if pid == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return pid

    pid = signals.fork(fork)
    if pid == 0:
        os._exit(0 if signals.wait(10) == signal.SIGTERM and signals.take() is None else 1)
    assert status_of(pid) == 0
    assert signals.wait(0) is None


def test_what_the_parent_was_told_stays_with_the_parent(signals: SignalQueue) -> None:
    os.kill(os.getpid(), signal.SIGHUP)

    def fork() -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        return os.fork()

    pid = signals.fork(fork)
    if pid == 0:
        os._exit(0 if signals.wait(0) is None else 1)
    assert status_of(pid) == 0
    assert signals.take() == signal.SIGHUP
    assert signals.is_told_to_end
    assert signals.take() == signal.SIGTERM
    assert not signals.is_told_to_end


def test_parent_and_child_wake_only_themselves(signals: SignalQueue) -> None:
    parent = os.getpid()
    pid = signals.fork(os.fork)
    if pid == 0:
        os.kill(os.getpid(), signal.SIGUSR1)
        os._exit(0 if os.getppid() == parent and signals.wait(10) == signal.SIGUSR1 else 1)
    assert status_of(pid) == 0
    with pytest.raises(BlockingIOError):
        os.read(signals.fileno(), 1)


def test_a_fork_that_fails_leaves_signals_as_they_were(signals: SignalQueue) -> None:
    def fork() -> int:
        raise BlockingIOError("no more processes")

    with pytest.raises(BlockingIOError):
        signals.fork(fork)
    os.kill(os.getpid(), signal.SIGTERM)
    assert signals.wait(10) == signal.SIGTERM
