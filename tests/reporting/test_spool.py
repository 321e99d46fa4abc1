"""The directory of reports that wait: bounded, durable at once, shared by processes."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from geventcore.group_commit import GroupCommit
from geventcore.reporting.sources import SpoolSource
from geventcore.reporting.spool import Spool, Waiting
from geventcore.testing.live_site import wait_until
from tests.support.concurrent_calls import at_once
from tests.support.project import PROJECT

#: Puts reports in, one after the other, and prints the number of each that is acknowledged.
WRITER = """
import sys
from pathlib import Path
from geventcore.reporting.spool import Spool
spool = Spool(Path(sys.argv[1]), lambda: 1 << 30, lambda function, *args: function(*args))
number = 0
while True:
    spool.put(b"%d\\n" % number)
    print(number, flush=True)
    number += 1
"""
#: Takes the lock, says so, and holds it.
HOLDER = """
import sys, time
from pathlib import Path
from geventcore.reporting.spool import Spool
spool = Spool(Path(sys.argv[1]), lambda: 1, lambda function, *args: function(*args))
print(spool.lock(), flush=True)
time.sleep(600)
"""


def new_spool(directory: Path, limit: int = 1 << 30) -> Spool:
    return Spool(directory, lambda: limit, lambda function, *args: function(*args))


def content(spool: Spool) -> bytes:
    return b"".join(path.read_bytes() for path in spool.files())


def process(code: str, directory: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, str(directory)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(PROJECT)})


def test_files_are_in_the_order_of_their_writing(tmp_path: Path) -> None:
    spool = new_spool(tmp_path / "a" / "b")
    assert spool.is_empty()
    for number in range(20):
        spool.put(b"%d\n" % number)
    assert content(spool).split() == [b"%d" % number for number in range(20)]
    assert not spool.is_empty()


def test_what_waits(tmp_path: Path) -> None:
    spool = new_spool(tmp_path / "spool", limit=1000)
    assert spool.waiting() == Waiting(files=0, bytes=0, limit=1000, oldest_seconds=0.0)
    for line in (b"1\n", b"22\n"):
        spool.put(line)
    os.utime(spool.files()[0], (0, time.time() - 500))
    wait_until(lambda: spool.waiting().files == 2, "a look that is no older than those before took")
    waiting = spool.waiting()
    assert (waiting.bytes, waiting.limit) == (5, 1000)
    assert 500 <= waiting.oldest_seconds < 600
    spool.remove(spool.files()[0])
    wait_until(lambda: spool.waiting().files == 1, "it is noticed that a file is removed")
    assert spool.waiting().oldest_seconds < 400


def test_those_who_come_at_the_same_time_share_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (syncs.append(descriptor), real(descriptor)))
    spool = new_spool(tmp_path)
    assert at_once([lambda number=number: spool.put(b"%d\n" % number) for number in range(50)]) == [None] * 50
    assert sorted(map(int, content(spool).split())) == list(range(50))
    assert len(syncs) < 2 * 50


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    with process(WRITER, tmp_path) as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(50)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += map(int, writer.stdout.read().split())
    found = list(map(int, content(new_spool(tmp_path)).split()))
    assert set(acknowledged) <= set(found)
    assert len(set(found)) == len(found)


def test_the_limit_holds(tmp_path: Path) -> None:
    spool = new_spool(tmp_path, limit=100)
    spool.put(b"x" * 60)
    with pytest.raises(OSError, match=r"is full: .* of 100 bytes"):
        spool.put(b"x" * 60)
    spool.put(b"x" * 40)
    spool.remove(spool.files()[0])
    spool.put(b"x" * 60)
    assert sum(path.stat().st_size for path in spool.files()) == 100


def test_the_limit_counts_what_others_have_written(tmp_path: Path) -> None:
    new_spool(tmp_path).put(b"x" * 60)
    with pytest.raises(OSError, match="is full: 60 bytes of 100 bytes"):
        new_spool(tmp_path, limit=100).put(b"x" * 60)


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = new_spool(tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            spool.put(b"lost\n")
    assert list(tmp_path.iterdir()) == []
    spool.put(b"kept\n")
    assert content(spool) == b"kept\n"


def test_one_process_at_a_time_takes(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    spool.put(b"report\n")
    source = SpoolSource(spool)
    with process(HOLDER, tmp_path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        assert source.take() is None
        holder.send_signal(signal.SIGKILL)
    wait_until(spool.lock, "the lock of a dead process is free")
    batch = source.take()
    assert batch is not None
    assert batch.lines == [b"report\n"]
    assert source.take() is None, "it is taken already"
    batch.release()
    again = source.take()
    assert again is not None
    again.acknowledge()
    assert spool.is_empty()
    source.close()


def test_what_a_dead_process_was_writing_is_removed_some_time_later(tmp_path: Path) -> None:
    old, new = tmp_path / ".1.reports.0123456789ab.new", tmp_path / ".2.reports.0123456789ab.new"
    old.write_bytes(b"half")
    os.utime(old, (0, 0))
    new.write_bytes(b"half")
    spool = new_spool(tmp_path)
    assert spool.lock()
    assert not old.exists()
    assert new.exists()
    assert spool.is_empty()
    spool.unlock()


def test_a_failure_concerns_only_those_in_its_batch() -> None:
    stored: list[int] = []

    def commit(items: list[int]) -> list[Exception | None]:
        if -1 in items and len(items) == 1:
            raise ValueError("minus one")
        stored.extend(item for item in items if item >= 0)
        return [ValueError("minus one") if item < 0 else None for item in items]

    group = GroupCommit.storing(commit, 5)
    results = at_once([lambda item=item: group.put(item) for item in [*range(20), -1]])
    assert results[:20] == [None] * 20
    assert isinstance(results[20], ValueError)
    assert sorted(stored) == list(range(20))


def test_who_is_ended_while_it_commits_leaves_the_others_to_the_next() -> None:
    entered, go_on = threading.Event(), threading.Event()
    stored: list[int] = []

    def commit(items: list[int]) -> list[Exception | None]:
        if not entered.is_set():
            entered.set()
            assert go_on.wait(30)
            raise SystemExit
        stored.extend(items)
        return [None] * len(items)

    group = GroupCommit.storing(commit, 5)

    def first() -> None:
        with pytest.raises(SystemExit):
            group.put(1)

    threads = [threading.Thread(target=first), threading.Thread(target=group.put, args=(2,))]
    threads[0].start()
    assert entered.wait(30)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert stored == [2]
