"""The lock between renders and changes of the repository."""

from __future__ import annotations

import threading

import pytest

from geventcore.core.repository_lock import RepositoryLock

PATIENCE = 10.0


def in_thread(function: object) -> threading.Thread:
    thread = threading.Thread(target=function, daemon=True)  # type: ignore[arg-type]
    thread.start()
    return thread


def test_readers_do_not_exclude_each_other() -> None:
    lock = RepositoryLock()
    both_in = threading.Barrier(2, timeout=PATIENCE)

    def read() -> None:
        with lock.shared():
            both_in.wait()

    other = in_thread(read)
    read()
    other.join(PATIENCE)
    assert not both_in.broken


def test_a_writer_waits_for_readers_and_keeps_new_ones_out() -> None:
    lock = RepositoryLock()
    order: list[str] = []
    reading, release = threading.Event(), threading.Event()

    def first_reader() -> None:
        with lock.shared():
            reading.set()
            release.wait(PATIENCE)
            order.append("first reader")

    def writer() -> None:
        with lock.exclusive():
            order.append("writer")

    def late_reader() -> None:
        with lock.shared():
            order.append("late reader")

    threads = [in_thread(first_reader)]
    assert reading.wait(PATIENCE)
    threads.append(in_thread(writer))
    deadline = threading.Event()
    while not lock._waiting_writers and not deadline.wait(0.01):
        pass
    threads.append(in_thread(late_reader))
    release.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert order == ["first reader", "writer", "late reader"]


def test_whoever_reads_may_read_again_while_a_writer_waits() -> None:
    lock = RepositoryLock()
    writing = threading.Event()

    def writer() -> None:
        with lock.exclusive():
            writing.set()

    with lock.shared():
        thread = in_thread(writer)
        while not lock._waiting_writers:
            threading.Event().wait(0.01)
        with lock.shared():
            assert not writing.is_set()
    thread.join(PATIENCE)
    assert writing.is_set()


def test_asking_for_it_exclusively_while_reading_is_a_mistake() -> None:
    lock = RepositoryLock()
    with lock.shared(), pytest.raises(RuntimeError, match="held shared"), lock.exclusive():
        pass
    with lock.exclusive():
        assert lock.is_held_here
    assert not lock.is_held_here
