"""The lock between renders and changes of the repository."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from geventcore.repository.lock import RepositoryLock

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


def test_a_reader_that_does_not_end_keeps_others_out_only_for_a_while() -> None:
    lock = RepositoryLock()
    end, written = threading.Event(), threading.Event()
    reading = threading.Event()

    def endless_reader() -> None:
        with lock.shared():
            reading.set()
            end.wait(PATIENCE)

    def writer() -> None:
        with lock.exclusive():
            written.set()

    threads = [in_thread(endless_reader)]
    assert reading.wait(PATIENCE)
    threads.append(in_thread(writer))
    while not lock.has_waiting_writers:
        threading.Event().wait(0.01)
    with lock.shared():
        assert not written.is_set()
    end.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert written.is_set()


def test_a_writer_gets_in_though_there_is_always_a_reader() -> None:
    lock = RepositoryLock()
    stop, written = threading.Event(), threading.Event()

    def readers() -> None:
        while not stop.is_set():
            with lock.shared():
                stop.wait(0.01)

    def writer() -> None:
        with lock.exclusive():
            written.set()

    threads = [in_thread(readers) for _ in range(20)]
    threads.append(in_thread(writer))
    assert written.wait(PATIENCE)
    stop.set()
    for thread in threads:
        thread.join(PATIENCE)


def test_thousands_of_greenlets_read_and_some_write() -> None:
    """In a process of its own, because it has to be patched."""
    program = """
from gevent import monkey
monkey.patch_all()
import gevent
from geventcore.repository.lock import RepositoryLock

lock, state, seen = RepositoryLock(), [0, 0], []

def read(number):
    gevent.sleep(number % 7 / 1000)
    with lock.shared():
        first = state[0]
        gevent.sleep(0.001)
        with lock.shared():
            seen.append(first == state[1])

def write():
    with lock.exclusive():
        state[0] += 1
        gevent.sleep(0.002)
        state[1] += 1

greenlets = [gevent.spawn(read, number) if number % 200 else gevent.spawn(write) for number in range(2000)]
gevent.joinall(greenlets, timeout=60, raise_error=True)
assert all(greenlet.ready() for greenlet in greenlets)
assert state == [10, 10] and len(seen) == 1990 and all(seen), (state, len(seen))
"""
    pytest.importorskip("gevent")
    subprocess.run([sys.executable, "-c", program], check=True, timeout=90)
