"""What the server itself has written does not count as a change to wait for, in whichever process and order."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from geventcore.filemonitor.inotify import Inotify
from geventcore.filemonitor.own_writes import OWN_WRITES
from geventcore.repository.durable_writes import make_directories, write_durably
from geventcore.testing.live_site import wait_until
from tests.filemonitor.handlers import IGNORE, Recorder


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Inotify]:
    made = Inotify(IGNORE)
    made.start()
    made.add_monitor(str(tmp_path), Recorder())
    made.handle_events()
    yield made
    made.shutdown()


def write_as_another(path: Path) -> tuple[str, int, int, int]:
    """Write a file as another process does; return what it will say about it."""
    path.write_text("new")
    status = path.stat()
    return str(path), status.st_ino, status.st_size, status.st_mtime_ns


def is_quiet_since(monitor: Inotify, moment: float) -> bool:
    """Return true if others have changed nothing since a moment of `time.monotonic`."""
    monitor.look()
    return monitor.quiet_for() > time.monotonic() - moment


def test_files_and_directories_of_this_process(monitor: Inotify, tmp_path: Path) -> None:
    began = time.monotonic()
    make_directories(tmp_path / "new")
    write_durably(tmp_path / "file", b"new")
    wait_until(monitor.pending, "events")
    assert monitor.unsettled_changes == 0
    wait_until(lambda: is_quiet_since(monitor, began), "nothing that others have changed")


def test_another_process_tells_after_the_event(monitor: Inotify, tmp_path: Path) -> None:
    began = time.monotonic()
    write = write_as_another(tmp_path / "file")
    wait_until(monitor.pending, "events")
    assert monitor.unsettled_changes == 1
    OWN_WRITES.others_wrote([write])
    monitor.discount([write[0]])
    assert monitor.unsettled_changes == 0
    wait_until(lambda: is_quiet_since(monitor, began), "nothing that others have changed")


def test_changes_of_others_still_count(monitor: Inotify, tmp_path: Path) -> None:
    write = write_as_another(tmp_path / "file")
    (tmp_path / "other").write_text("by an administrator")
    wait_until(monitor.pending, "events")
    OWN_WRITES.others_wrote([write])
    monitor.discount([write[0], os.path.join(tmp_path, "other")])
    assert monitor.unsettled_changes == 1
    assert monitor.quiet_for() < 60


def test_a_file_that_somebody_has_changed_since(monitor: Inotify, tmp_path: Path) -> None:
    write = write_as_another(tmp_path / "file")
    (tmp_path / "file").write_text("changed by an administrator")
    wait_until(monitor.pending, "events")
    OWN_WRITES.others_wrote([write])
    monitor.discount([write[0]])
    assert monitor.unsettled_changes == 1
