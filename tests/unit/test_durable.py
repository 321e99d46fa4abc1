"""Durable writing, and one write for many who wait."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from geventcore.specfiles.durable import GroupCommit, write_durably

PATIENCE = 10.0


def test_a_new_file_and_a_replaced_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_durably(path, b"one")
    path.chmod(0o640)
    write_durably(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["file"]


def test_a_link_stays_and_what_it_names_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write_durably(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        write_durably(path, None)  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_callers_that_wait_share_one_write() -> None:
    state = {"value": 0}
    written: list[int] = []
    first_write_runs, go_on = threading.Event(), threading.Event()

    def write() -> None:
        value = state["value"]
        if not written:
            first_write_runs.set()
            assert go_on.wait(PATIENCE)
        written.append(value)

    commit = GroupCommit(write)
    seen: list[int] = []

    def change(value: int) -> None:
        state["value"] = max(state["value"], value)
        commit.commit()
        seen.append(max(written))

    threads = [threading.Thread(target=change, args=(1,), daemon=True)]
    threads[0].start()
    assert first_write_runs.wait(PATIENCE)
    for value in range(2, 52):
        threads.append(threading.Thread(target=change, args=(value,), daemon=True))
        threads[-1].start()
    while commit._requested < 51:
        threading.Event().wait(0.01)
    go_on.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert written == [1, 51]
    assert len(seen) == 51


def test_a_failed_write_fails_all_who_waited_for_it_and_no_others() -> None:
    failing = threading.Event()
    failing.set()
    entered, go_on = threading.Event(), threading.Event()

    def write() -> None:
        entered.set()
        assert go_on.wait(PATIENCE)
        if failing.is_set():
            raise OSError("disk full")

    commit = GroupCommit(write)
    results: list[str] = []

    def change() -> None:
        try:
            commit.commit()
            results.append("stored")
        except OSError:
            results.append("failed")

    threads = [threading.Thread(target=change, daemon=True) for _ in range(5)]
    threads[0].start()
    assert entered.wait(PATIENCE)
    for thread in threads[1:]:
        thread.start()
    while commit._requested < 5:
        threading.Event().wait(0.01)
    go_on.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert results == ["failed"] * 5
    failing.clear()
    change()
    assert results[-1] == "stored"
