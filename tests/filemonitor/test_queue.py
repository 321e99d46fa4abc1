"""What every file monitor does alike: initial events, order, handlers, names of monitors."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest

from geventcore.errors import ConfigError, RepositoryError
from geventcore.filemonitor import MONITORS, FileAction, FileEvent, FileMonitor, create_monitor
from geventcore.filemonitor.inotify import Inotify
from geventcore.filemonitor.polling import Polling
from geventcore.filemonitor.pseudo import Pseudo
from tests.filemonitor.handlers import DEADLINE, IGNORE, Recorder


@pytest.fixture
def monitor() -> Pseudo:
    return Pseudo(IGNORE)


def test_initial_events_of_a_directory(monitor: Pseudo, tmp_path: Path) -> None:
    for name in ("b", "a", "c~", "ü"):
        (tmp_path / name).touch()
    (tmp_path / ".svn").mkdir()
    recorder = Recorder()
    handle = monitor.add_monitor(f"{tmp_path}/", recorder)
    assert handle == str(tmp_path)
    assert recorder.events == []
    assert monitor.pending()
    assert monitor.handle_events() == 5
    assert not monitor.pending()
    top = str(tmp_path)
    assert recorder.seen() == [("exists", top), ("exists", "a"), ("exists", "b"), ("exists", "ü"), ("endExist", top)]
    assert {event.handle for event in recorder.events} == {handle}


def test_initial_events_of_a_file_and_of_nothing(monitor: Pseudo, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    recorder = Recorder()
    monitor.add_monitor(str(tmp_path / "a"), recorder)
    monitor.add_monitor(str(tmp_path / "missing" / "b"), recorder)
    monitor.add_monitor(str(tmp_path / "dangling"), recorder)
    monitor.handle_events()
    assert recorder.seen() == [("exists", str(tmp_path / "a"))]


def test_names_that_are_not_text(monitor: Pseudo, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9\n")
    (tmp_path / name).touch()
    recorder = Recorder()
    monitor.add_monitor(str(tmp_path), recorder)
    monitor.handle_events()
    assert recorder.has("exists", name)


def test_relative_path_stays_what_it_is_now(monitor: Pseudo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").touch()
    monkeypatch.chdir(tmp_path)
    assert monitor.add_monitor("a", Recorder()) == str(tmp_path / "a")


@pytest.mark.parametrize("path", ["", "a\0b", "\ud800"])
@pytest.mark.parametrize("monitor_class", [Pseudo, Polling, Inotify])
def test_impossible_path_is_refused_and_forgotten(monitor_class: type[Pseudo], path: str) -> None:
    monitor = monitor_class(())
    with pytest.raises(ValueError, match=r"not a valid path|surrogates"):
        monitor.add_monitor(path, Recorder())
    assert monitor.list_event_handlers() == {}
    monitor.start()
    monitor.shutdown()


def test_several_handlers_of_a_path_each_get_initial_events(monitor: Pseudo, tmp_path: Path) -> None:
    first, second = Recorder(), Recorder()
    monitor.add_monitor(str(tmp_path), first)
    monitor.handle_events()
    monitor.add_monitor(str(tmp_path), second)
    monitor.handle_events()
    assert first.seen() == second.seen() == [("exists", str(tmp_path)), ("endExist", str(tmp_path))]
    assert monitor.list_event_handlers() == {str(tmp_path): "Recorder, Recorder"}


def test_what_handlers_queue_is_applied_too(monitor: Pseudo, tmp_path: Path) -> None:
    (tmp_path / "one" / "two").mkdir(parents=True)
    (tmp_path / "one" / "two" / "file").touch()

    class Nested(Recorder):
        def handle_event(self, event: FileEvent) -> None:
            super().handle_event(event)
            path = os.path.join(event.handle, event.filename)
            if path != event.handle and os.path.isdir(path):
                monitor.add_monitor(path, self)

    nested = Nested()
    monitor.add_monitor(str(tmp_path), nested)
    assert monitor.handle_events() == len(nested.events)
    assert nested.has("exists", "file")
    assert not monitor.pending()


def test_events_are_applied_from_inside_a_handler(monitor: Pseudo, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    applied: list[int] = []

    class Impatient(Recorder):
        def handle_event(self, event: FileEvent) -> None:
            super().handle_event(event)
            applied.append(monitor.handle_events())

    impatient = Impatient()
    monitor.add_monitor(str(tmp_path), impatient)
    assert monitor.handle_events() == 1
    assert applied == [0, 1, 1]
    assert impatient.seen() == [("exists", str(tmp_path)), ("exists", "a"), ("endExist", str(tmp_path))]


def test_failing_handler_is_logged_and_harms_nobody(
    monitor: Pseudo, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("broken.xml", "bug.xml", "good.xml"):
        (tmp_path / name).touch()

    class Failing(Recorder):
        def handle_event(self, event: FileEvent) -> None:
            super().handle_event(event)
            if event.filename == "broken.xml":
                raise RepositoryError("line 3: no such element")
            if event.filename == "bug.xml":
                raise ZeroDivisionError("a bug")

        def __str__(self) -> str:
            return "Bundles of the site"

    failing, other = Failing(), Recorder()
    monitor.add_monitor(str(tmp_path), failing)
    monitor.add_monitor(str(tmp_path), other)
    assert monitor.handle_events() == 10
    assert len(failing.events) == len(other.events) == 5
    broken, bug = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "Bundles of the site" in broken.getMessage()
    assert str(tmp_path / "broken.xml") in broken.getMessage()
    assert "line 3: no such element" in broken.getMessage()
    assert not broken.exc_info
    assert str(tmp_path / "bug.xml") in bug.getMessage()
    assert bug.exc_info


def test_pending_duplicates_are_merged_in_order(monitor: Pseudo, tmp_path: Path) -> None:
    recorder = Recorder()
    handle = monitor.add_monitor(str(tmp_path), recorder)
    monitor.handle_events()
    recorder.events.clear()
    created, changed, deleted = FileAction.CREATED, FileAction.CHANGED, FileAction.DELETED
    changes = [("a", created), ("a", changed), ("b", changed), ("b", changed), ("a", deleted), ("a", created)]
    with monitor._changed:
        monitor._queue_changes(handle, changes)
    monitor.handle_events()
    assert recorder.seen() == [("created", "a"), ("changed", "b"), ("deleted", "a"), ("created", "a")]
    with monitor._changed:
        monitor._queue_changes(handle, [("a", created), ("b", changed)])
    assert monitor.handle_events() == 2


def test_threads_apply_each_event_once_and_in_order(monitor: Pseudo, tmp_path: Path) -> None:
    for number in range(500):
        (tmp_path / f"{number:03}").touch()
    recorder = Recorder()
    monitor.add_monitor(str(tmp_path), recorder)
    threads = [threading.Thread(target=monitor.handle_events) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    names = [event.filename for event in recorder.events]
    assert names == [str(tmp_path), *(f"{number:03}" for number in range(500)), str(tmp_path)]


@pytest.mark.parametrize(
    ("glob", "name", "is_ignored"),
    [
        ("*~", "a~", True),
        ("*~", "a~b", False),
        (".#*", "sub/.#a", True),
        ("4913", "/repo/4913", True),
        ("4913", "49130", False),
        ("sub/*", "sub/a", True),
        ("[ab].xml", "b.xml", True),
        ("", "a", False),
    ],
)
def test_globs_match_the_file_name_or_the_base_name(glob: str, name: str, is_ignored: bool) -> None:
    assert Pseudo([glob]).is_ignored(name) is is_ignored


def test_no_globs_ignore_nothing() -> None:
    assert not Pseudo([]).is_ignored("a~")


def test_debug_switch_logs_events(monitor: Pseudo, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert monitor.set_debug(False) is False
    monitor.add_monitor(str(tmp_path), Recorder())
    assert not caplog.records
    assert monitor.toggle_debug() is True
    monitor.add_monitor(str(tmp_path), Recorder())
    assert any("exists" in record.getMessage() for record in caplog.records)
    assert monitor.toggle_debug() is False


@pytest.mark.parametrize("monitor_class", [Pseudo, Polling, Inotify])
def test_remote_methods_exist_and_return_what_can_be_sent(monitor_class: type[Pseudo], tmp_path: Path) -> None:
    monitor = monitor_class(())
    monitor.add_monitor(str(tmp_path), Recorder())
    monitor.start()
    expected = {"toggle_debug", "set_debug", "list_event_handlers"}
    if monitor_class is Inotify:
        expected |= {"list_watches", "list_paths"}
    assert set(monitor.remote_methods) == expected
    assert monitor.list_event_handlers() == {str(tmp_path): "Recorder"}
    if isinstance(monitor, Inotify):
        assert monitor.list_paths() == [str(tmp_path)]
        assert str(tmp_path) in monitor.list_watches()
    monitor.shutdown()


@pytest.mark.parametrize(
    ("name", "class_name"),
    [("inotify", "Inotify"), ("polling", "Polling"), ("pseudo", "Pseudo"), ("default", "Inotify")],
)
def test_monitors_by_name(name: str, class_name: str, caplog: pytest.LogCaptureFixture) -> None:
    monitor = create_monitor(name, IGNORE)
    assert isinstance(monitor, FileMonitor)
    assert monitor.name == type(monitor).__name__ == class_name
    assert not caplog.records


def test_gamin_means_polling_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    assert isinstance(create_monitor("gamin", IGNORE), Polling)
    assert "gamin" in caplog.text


def test_unknown_monitor_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="'fanotify' is unknown") as caught:
        create_monitor("fanotify", IGNORE)
    assert all(name in str(caught.value) for name in ("default", *MONITORS))
