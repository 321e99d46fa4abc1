"""Reading ahead: what has not changed is no event, and what has is read and parsed before it is applied."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from geventcore.errors import RepositoryError
from geventcore.file_contents import FILE_CONTENTS
from geventcore.filemonitor import FileAction, FileEvent, FileMonitor
from geventcore.filemonitor.inotify import Inotify
from geventcore.filemonitor.polling import Polling
from geventcore.regular_files import read_file
from geventcore.testing.live_site import wait_until


class Reader:
    """Reads the file of each event, with a parser that counts."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.contents: list[bytes] = []
        self.parsed = 0
        self.failure: Exception | None = None

    def handle_event(self, event: FileEvent) -> None:
        if event.action in (FileAction.DELETED, FileAction.END_EXIST) or event.filename == event.handle:
            return
        path = self.directory / event.filename
        self.contents.append(FILE_CONTENTS.parsed("count", path, read_file(path), self._parse))
        if self.failure is not None:
            raise self.failure

    def _parse(self, data: bytes) -> bytes:
        self.parsed += 1
        return data


class Blind(Reader):
    """Does not tell what it reads."""

    def handle_event(self, event: FileEvent) -> None:
        self.contents.append((self.directory / "f").read_bytes())


class Picky(Reader):
    needs_every_event = True


@pytest.fixture(params=[Inotify, lambda ignore: Polling(ignore, interval=0.01)], ids=["inotify", "polling"])
def monitor(request: pytest.FixtureRequest) -> Iterator[FileMonitor]:
    made: FileMonitor = request.param(())
    made.start()
    yield made
    FILE_CONTENTS.forget_prepared()
    made.shutdown()


def watched(monitor: FileMonitor, directory: Path, kind: Callable[[Path], Reader] = Reader) -> Reader:
    (directory / "f").write_bytes(b"one")
    reader = kind(directory)
    monitor.add_monitor(str(directory), reader)
    monitor.handle_events()
    # The state of a file that has just been written is not trusted: let that be over.
    wait_until(lambda: not monitor.wait(0.2) or not monitor.handle_events(), "quiet")
    reader.contents.clear()
    reader.parsed = 0
    return reader


def changed(monitor: FileMonitor) -> None:
    wait_until(lambda: monitor.wait(0.1), "a change")


def touch(path: Path) -> None:
    os.utime(path, (1e9, 1e9))


def test_a_file_that_is_touched_or_replaced_by_the_same_is_no_event(monitor: FileMonitor, tmp_path: Path) -> None:
    reader = watched(monitor, tmp_path)
    touch(tmp_path / "f")
    changed(monitor)
    monitor.prepare()
    assert monitor.handle_events(collect=False) == 0
    (tmp_path / "g").write_bytes(b"one")
    (tmp_path / "g").rename(tmp_path / "f")
    changed(monitor)
    monitor.prepare()
    monitor.handle_events(collect=False)
    assert reader.contents == [] or reader.contents == [b"one"]  # of g, if it was seen under that name


def test_a_change_is_parsed_ahead(monitor: FileMonitor, tmp_path: Path) -> None:
    reader = watched(monitor, tmp_path)
    (tmp_path / "f").write_bytes(b"two")
    changed(monitor)
    monitor.prepare()
    assert (reader.contents, reader.parsed) == ([], 1)
    monitor.handle_events(collect=False)
    assert (reader.contents, reader.parsed) == ([b"two"], 1)


def test_the_state_that_was_prepared_is_applied(monitor: FileMonitor, tmp_path: Path) -> None:
    reader = watched(monitor, tmp_path)
    (tmp_path / "f").write_bytes(b"two")
    changed(monitor)
    monitor.prepare()
    (tmp_path / "f").write_bytes(b"three")
    monitor.handle_events(collect=False)
    assert reader.contents == [b"two"]
    FILE_CONTENTS.forget_prepared()
    wait_until(lambda: monitor.wait(0.1) and monitor.handle_events() and reader.contents[-1] == b"three", "the last")


def test_permissions_count(monitor: FileMonitor, tmp_path: Path) -> None:
    reader = watched(monitor, tmp_path)
    (tmp_path / "f").chmod(0o600)
    changed(monitor)
    monitor.prepare()
    monitor.handle_events(collect=False)
    assert reader.contents == [b"one"]


@pytest.mark.parametrize("kind", [Blind, Picky])
def test_handlers_that_get_every_event(monitor: FileMonitor, tmp_path: Path, kind: type[Reader]) -> None:
    reader = watched(monitor, tmp_path, kind)
    touch(tmp_path / "f")
    changed(monitor)
    monitor.prepare()
    monitor.handle_events(collect=False)
    assert reader.contents == [b"one"]


def test_a_handler_that_failed_gets_another_chance(monitor: FileMonitor, tmp_path: Path) -> None:
    reader = watched(monitor, tmp_path)
    reader.failure = RepositoryError("not now")
    (tmp_path / "f").write_bytes(b"two")
    changed(monitor)
    monitor.prepare()
    monitor.handle_events(collect=False)
    FILE_CONTENTS.forget_prepared()
    reader.failure = None
    touch(tmp_path / "f")
    changed(monitor)
    monitor.prepare()
    monitor.handle_events(collect=False)
    assert reader.contents == [b"two", b"two"]


def test_content_that_another_handler_saw_change(monitor: FileMonitor, tmp_path: Path) -> None:
    """The file changes and changes back, and one of the handlers has the state in between."""
    first, second = watched(monitor, tmp_path), watched(monitor, tmp_path)
    second.failure = RepositoryError("not read again")
    (tmp_path / "f").write_bytes(b"two")
    changed(monitor)
    monitor.handle_events()
    (tmp_path / "f").write_bytes(b"one")
    changed(monitor)
    monitor.prepare()
    monitor.handle_events(collect=False)
    assert first.contents[-1] == b"one"
    assert second.contents[-1] == b"one"
