"""What handlers learn of changes, from each monitor that notices any."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from geventcore.filemonitor.inotify import Inotify
from geventcore.filemonitor.polling import Polling
from geventcore.filemonitor.queue import QueuedMonitor
from tests.filemonitor.handlers import DEADLINE, IGNORE, Mirror, Recorder, apply_until, tree

MAKERS: dict[str, Callable[[], QueuedMonitor]] = {
    "inotify": lambda: Inotify(IGNORE),
    "polling": lambda: Polling(IGNORE, interval=0.05),
}


@pytest.fixture(params=sorted(MAKERS))
def unstarted(request: pytest.FixtureRequest) -> Iterator[QueuedMonitor]:
    monitor = MAKERS[request.param]()
    yield monitor
    monitor.shutdown()


@pytest.fixture
def monitor(unstarted: QueuedMonitor) -> QueuedMonitor:
    unstarted.start()
    return unstarted


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A directory with some files that are older than a moment."""
    top = tmp_path / "repository"
    for name in ("one.xml", "two.xml", "sub/three.xml", "sub/deep/four.xml"):
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    while time.time_ns() - path.stat().st_ctime_ns < 100_000_000:
        time.sleep(0.01)
    return top


def watch(monitor: QueuedMonitor, path: Path) -> Recorder:
    """Add a monitor, apply the initial events and forget them."""
    recorder = Recorder()
    monitor.add_monitor(str(path), recorder)
    monitor.handle_events()
    recorder.events.clear()
    return recorder


def mirror(monitor: QueuedMonitor, path: Path) -> Mirror:
    handler = Mirror(monitor)
    handler.follow(path)
    monitor.handle_events()
    return handler


def test_edit_in_place(monitor: QueuedMonitor, repository: Path) -> None:
    recorder = watch(monitor, repository)
    (repository / "one.xml").write_text("edited")
    apply_until(monitor, lambda: recorder.has("changed", "one.xml"))
    assert {event.filename for event in recorder.events} == {"one.xml"}


def test_edit_by_a_writer_that_keeps_the_file_open(monitor: QueuedMonitor, repository: Path) -> None:
    handler = mirror(monitor, repository)
    path = repository / "one.xml"
    with path.open("w") as file:
        for content in ("a", "ab", "abc"):
            file.seek(0)
            file.write(content)
            file.flush()
            apply_until(monitor, lambda expected=content: handler.files[str(path)] == expected)  # type: ignore[misc]


def test_edit_that_keeps_size_and_time(monitor: QueuedMonitor, repository: Path) -> None:
    handler = mirror(monitor, repository)
    path = repository / "one.xml"
    path.write_text("eno.xml")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    apply_until(monitor, lambda: handler.files[str(path)] == "eno.xml")


def test_rename_over(monitor: QueuedMonitor, repository: Path) -> None:
    recorder = watch(monitor, repository)
    (repository / "new~").write_text("new")
    os.replace(repository / "new~", repository / "one.xml")
    apply_until(monitor, lambda: recorder.has("changed", "one.xml"))
    assert {event.filename for event in recorder.events} == {"one.xml"}


def test_rename_inside_a_directory(monitor: QueuedMonitor, repository: Path) -> None:
    recorder = watch(monitor, repository)
    os.rename(repository / "one.xml", repository / "ten.xml")
    apply_until(monitor, lambda: len(recorder.events) >= 2)
    assert recorder.seen() == [("deleted", "one.xml"), ("created", "ten.xml")]


def test_delete_and_create(monitor: QueuedMonitor, repository: Path) -> None:
    recorder = watch(monitor, repository)
    (repository / "one.xml").unlink()
    apply_until(monitor, lambda: recorder.has("deleted", "one.xml"))
    (repository / "one.xml").write_text("again")
    apply_until(monitor, lambda: recorder.has("created", "one.xml"))


def test_monitored_file_has_events_with_its_full_path_and_no_others(monitor: QueuedMonitor, repository: Path) -> None:
    path = repository / "one.xml"
    recorder = watch(monitor, path)
    (repository / "two.xml").write_text("not asked for")
    os.replace(repository / "two.xml", path)
    apply_until(monitor, lambda: recorder.has("changed", path))
    path.unlink()
    apply_until(monitor, lambda: recorder.has("deleted", path))
    path.write_text("again")
    apply_until(monitor, lambda: recorder.has("created", path))
    assert {event.filename for event in recorder.events} == {str(path)}
    assert {event.handle for event in recorder.events} == {str(path)}


def test_path_that_appears_step_by_step(monitor: QueuedMonitor, tmp_path: Path) -> None:
    path = tmp_path / "not" / "yet" / "there.xml"
    handler = Mirror(monitor)
    handler.follow(path)
    other = watch(monitor, tmp_path)
    assert handler.events == []
    path.parent.parent.mkdir()
    apply_until(monitor, lambda: other.has("created", "not"))
    path.parent.mkdir()
    path.write_text("now")
    apply_until(monitor, lambda: handler.files == {str(path): "now"})
    shutil.rmtree(path.parent.parent)
    apply_until(monitor, lambda: handler.files == {})
    assert handler.has("deleted", path)


def test_file_made_unreadable_and_readable(monitor: QueuedMonitor, repository: Path) -> None:
    recorder = watch(monitor, repository)
    path = repository / "one.xml"
    path.chmod(0)
    apply_until(monitor, lambda: recorder.has("changed", "one.xml"))
    recorder.events.clear()
    path.chmod(0o644)
    apply_until(monitor, lambda: recorder.has("changed", "one.xml"))


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """A directory that belongs to a user without privileges, who is in effect."""
    path = Path(tempfile.mkdtemp(dir="/tmp"))
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(path, 65534, 65534)
        os.seteuid(65534)
    yield path
    if is_root:
        os.seteuid(0)
    shutil.rmtree(path)


def test_unreadable_directory_loses_nothing(
    unstarted: QueuedMonitor, public_directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = public_directory / "sub"
    directory.mkdir()
    (directory / "a").write_text("a")
    monitor = unstarted
    monitor.start()
    recorder = watch(monitor, directory)
    directory.chmod(0)
    apply_until(monitor, lambda: str(directory) in caplog.text)
    directory.chmod(0o700)
    (directory / "b").write_text("b")
    apply_until(monitor, lambda: recorder.has("created", "b"))
    assert not recorder.has("deleted", "a")
    assert caplog.text.count("its last known content") == 1


def test_directory_that_is_readable_only_later(unstarted: QueuedMonitor, public_directory: Path) -> None:
    directory = public_directory / "sub"
    directory.mkdir()
    (directory / "a").write_text("a")
    directory.chmod(0)
    monitor = unstarted
    monitor.start()
    recorder = watch(monitor, directory)
    directory.chmod(0o700)
    apply_until(monitor, lambda: recorder.has("created", "a"))
    (directory / "b").write_text("b")
    apply_until(monitor, lambda: recorder.has("created", "b"))


def test_hard_link_is_no_change(monitor: QueuedMonitor, repository: Path, tmp_path: Path) -> None:
    recorder = watch(monitor, repository)
    os.link(repository / "one.xml", tmp_path / "backup")
    (repository / "two.xml").write_text("edited")
    apply_until(monitor, lambda: recorder.has("changed", "two.xml"))
    assert not recorder.has("changed", "one.xml")


def test_new_directories_with_files_made_at_once(monitor: QueuedMonitor, repository: Path) -> None:
    handler = mirror(monitor, repository)
    for number in range(10):
        deep = repository / f"new{number}" / "a" / "b"
        deep.mkdir(parents=True)
        for directory in (deep, deep.parent, deep.parent.parent):
            (directory / "file").write_text(str(directory))
    apply_until(monitor, lambda: handler.files == tree(repository))
    assert len(handler.files) == 34


def test_files_made_while_directories_are_being_added(monitor: QueuedMonitor, repository: Path) -> None:
    handler = mirror(monitor, repository)

    def write() -> None:
        for number in range(300):
            directory = repository / "made" / str(number % 30) / str(number)
            directory.mkdir(parents=True)
            (directory / "file").write_text(str(number))

    writer = threading.Thread(target=write)
    writer.start()
    apply_until(monitor, lambda: not writer.is_alive())
    apply_until(monitor, lambda: handler.files == tree(repository))
    assert len(handler.files) == 304


def test_directory_renamed_away_and_back(monitor: QueuedMonitor, repository: Path, tmp_path: Path) -> None:
    handler = mirror(monitor, repository)
    sub = repository / "sub"
    handler.events.clear()
    os.rename(sub, tmp_path / "away")
    apply_until(monitor, lambda: len(handler.files) == 2)
    apply_until(monitor, lambda: handler.has("deleted", sub / "deep"))
    for action, filename in (("deleted", "sub"), ("deleted", "three.xml"), ("deleted", "four.xml"), ("deleted", sub)):
        assert handler.has(action, filename)
    assert not [seen for seen in handler.seen() if seen[0] != "deleted"]
    handler.events.clear()
    (tmp_path / "away" / "deep" / "four.xml").write_text("written elsewhere")
    (tmp_path / "away" / "five.xml").write_text("five")
    os.rename(tmp_path / "away", sub)
    apply_until(monitor, lambda: handler.files == tree(repository))
    assert len(handler.files) == 5
    for filename in ("three.xml", "four.xml", "five.xml"):
        assert handler.has("created", filename)
    (sub / "deep" / "four.xml").write_text("after that")
    apply_until(monitor, lambda: handler.files == tree(repository))


def test_whole_tree_replaced(monitor: QueuedMonitor, repository: Path, tmp_path: Path) -> None:
    handler = mirror(monitor, repository)
    other = tmp_path / "other"
    shutil.copytree(repository, other)
    (other / "sub" / "deep" / "four.xml").write_text("another release")
    (other / "sub" / "three.xml").unlink()
    (other / "sub" / "five.xml").write_text("five")
    os.rename(repository, tmp_path / "old")
    os.rename(other, repository)
    apply_until(monitor, lambda: handler.files == tree(repository))
    (repository / "sub" / "deep" / "four.xml").write_text("edited")
    apply_until(monitor, lambda: handler.files == tree(repository))


def test_tree_deleted_and_written_anew(monitor: QueuedMonitor, repository: Path) -> None:
    handler = mirror(monitor, repository)
    shutil.rmtree(repository)
    apply_until(monitor, lambda: handler.files == {})
    assert handler.has("deleted", repository)
    repository.mkdir()
    (repository / "sub").mkdir()
    (repository / "sub" / "three.xml").write_text("back")
    apply_until(monitor, lambda: handler.files == tree(repository))


def test_file_becomes_a_directory_and_back(monitor: QueuedMonitor, repository: Path) -> None:
    handler = mirror(monitor, repository)
    path = repository / "one.xml"
    path.unlink()
    path.mkdir()
    (path / "inside").write_text("inside")
    apply_until(monitor, lambda: handler.files == tree(repository))
    shutil.rmtree(path)
    path.write_text("a file again")
    apply_until(monitor, lambda: handler.files == tree(repository))


def switch(link: Path, target: str) -> None:
    """Point a symbolic link elsewhere, in one step."""
    link.with_name("next~").symlink_to(target)
    os.replace(link.with_name("next~"), link)


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    """A directory with two checkouts, and ``current`` that leads to the first by way of another link."""
    for number in (1, 2):
        directory = tmp_path / f"release-{number}" / "Bundler"
        directory.mkdir(parents=True)
        (directory / "ssh.xml").write_text(f"ssh {number}")
        (directory / f"only-{number}.xml").write_text("only")
    (tmp_path / "stable").symlink_to("release-1")
    (tmp_path / "current").symlink_to(tmp_path / "stable")
    return tmp_path


def test_deployed_checkout_is_switched(monitor: QueuedMonitor, releases: Path) -> None:
    handler = mirror(monitor, releases / "current")
    apply_until(monitor, lambda: handler.files == tree(releases / "current"))
    assert len(handler.files) == 2
    switch(releases / "stable", "release-2")
    apply_until(monitor, lambda: handler.files == tree(releases / "current"))
    assert handler.has("deleted", "only-1.xml")
    assert handler.has("created", "only-2.xml")
    (releases / "release-2" / "Bundler" / "ssh.xml").write_text("edited behind the link")
    apply_until(monitor, lambda: handler.files == tree(releases / "current"))
    switch(releases / "current", "release-1")
    apply_until(monitor, lambda: handler.files == tree(releases / "current"))
    (releases / "current").unlink()
    apply_until(monitor, lambda: handler.files == {})
    (releases / "current").symlink_to("release-2")
    apply_until(monitor, lambda: handler.files == tree(releases / "current"))
    assert len(handler.files) == 2


def test_monitored_file_behind_links(monitor: QueuedMonitor, releases: Path) -> None:
    link = releases / "ssh.xml"
    link.symlink_to("current/Bundler/../Bundler/ssh.xml")
    handler = mirror(monitor, link)
    path = str(link)
    assert handler.files == {path: "ssh 1"}
    (releases / "release-1" / "Bundler" / "ssh.xml").write_text("target edited")
    apply_until(monitor, lambda: handler.files == {path: "target edited"})
    switch(releases / "current", "release-2")
    apply_until(monitor, lambda: handler.files == {path: "ssh 2"})
    (releases / "release-2" / "Bundler" / "ssh.xml").unlink()
    apply_until(monitor, lambda: handler.files == {})
    (releases / "release-2" / "Bundler" / "ssh.xml").write_text("target again")
    apply_until(monitor, lambda: handler.files == {path: "target again"})
    link.unlink()
    apply_until(monitor, lambda: handler.files == {})


def test_entries_that_are_links(monitor: QueuedMonitor, repository: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "a").write_text("a")
    (repository / "old").symlink_to(shared / "a")
    (repository / "dangling").symlink_to("../shared/missing")
    (repository / "loop").symlink_to("loop")
    recorder = watch(monitor, repository)
    (shared / "a").write_text("edited behind the link")
    apply_until(monitor, lambda: recorder.has("changed", "old"))
    (shared / "missing").write_text("no longer")
    apply_until(monitor, lambda: recorder.has("created", "dangling"))
    (repository / "new").symlink_to(shared / "a")
    apply_until(monitor, lambda: recorder.has("created", "new"))
    recorder.events.clear()
    (shared / "a").write_text("edited behind both")
    apply_until(monitor, lambda: recorder.has("changed", "old") and recorder.has("changed", "new"))
    switch(repository / "new", "../shared/missing")
    recorder.events.clear()
    apply_until(monitor, lambda: recorder.has("changed", "new"))
    shutil.rmtree(shared)
    apply_until(monitor, lambda: all(recorder.has("deleted", name) for name in ("old", "new", "dangling")))


def test_link_to_a_directory_among_the_entries(monitor: QueuedMonitor, repository: Path, releases: Path) -> None:
    (repository / "linked").symlink_to(releases / "current")
    handler = mirror(monitor, repository)
    assert len(handler.files) == 6
    switch(releases / "current", "release-2")
    apply_until(monitor, lambda: handler.files == tree(repository))
    assert len(handler.files) == 6
    (repository / "linked").unlink()
    apply_until(monitor, lambda: len(handler.files) == 4)


def test_ignored_names_have_no_events(monitor: QueuedMonitor, tmp_path: Path) -> None:
    repository = tmp_path / "checkout.swp"
    repository.mkdir()
    recorder = watch(monitor, repository)
    file = watch(monitor, repository / "sub" / "file")
    for name in ("a~", "#a#", ".#a", ".a.swp", "a.swpx", ".a.swx", "4913", ".gitignore"):
        (repository / name).write_text(name)
    (repository / "SCCS").mkdir()
    (repository / "a").write_text("a")
    apply_until(monitor, lambda: recorder.has("created", "a"))
    (repository / "sub").mkdir()
    (repository / "sub" / "file").write_text("below an ignored name")
    apply_until(monitor, lambda: file.has("created", repository / "sub" / "file"))
    assert {event.filename for event in recorder.events} <= {"a", "sub"}
    os.rename(repository, tmp_path / "checkout")
    apply_until(monitor, lambda: file.has("deleted", repository / "sub" / "file"))


def test_changes_between_adding_and_start(unstarted: QueuedMonitor, repository: Path) -> None:
    handler = mirror(unstarted, repository)
    (repository / "one.xml").unlink()
    (repository / "two.xml").write_text("edited")
    (repository / "sub" / "new.xml").write_text("new")
    unstarted.start()
    apply_until(unstarted, lambda: handler.files == tree(repository))
    assert not [seen for seen in handler.seen() if seen[1] == "three.xml" and seen[0] != "exists"]


def test_burst_of_changes(monitor: QueuedMonitor, repository: Path) -> None:
    handler = mirror(monitor, repository)
    for number in range(5000):
        (repository / f"{number % 2500}.xml").write_text(str(number))
    apply_until(monitor, lambda: handler.files == tree(repository), 60)
    assert len(handler.files) == 2504


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_missed_whatever_happens(unstarted: QueuedMonitor, tmp_path: Path, seed: int) -> None:
    """Random changes in a tree, some while events are applied; in the end the handler knows what the disk holds."""
    chance = random.Random(seed)
    top = tmp_path / "top"
    top.mkdir()
    monitor = unstarted
    handler = mirror(monitor, top)

    def change(number: int) -> None:
        directories = [Path(found) for found, _, _ in os.walk(top)]
        directory, other = chance.choice(directories), chance.choice(directories)
        path = directory / f"f{chance.randrange(6)}"
        action = chance.randrange(12)
        if action < 5 and not path.is_dir():
            path.write_text(str(number))
        elif action < 7 and not path.exists():
            path.mkdir()
        elif action == 7 and path.is_file():
            path.unlink()
        elif action == 8 and directory != top:
            shutil.rmtree(directory)
        elif action == 9 and directory != top and directory not in (other, *other.parents):
            target = other / f"f{chance.randrange(6)}"
            if not target.exists():
                os.rename(directory, target)
        elif action == 10 and path.is_file():
            os.replace(path, directory / "f0") if not (directory / "f0").is_dir() else None
        elif action == 11 and path.is_file():
            with path.open("a") as file:
                file.write("more")

    for number in range(600):
        change(number)
        if number == 100:
            monitor.start()
        if chance.random() < 0.1:
            monitor.wait(chance.choice((0, 0, 0.01, 0.15)))
            monitor.handle_events()
    apply_until(monitor, lambda: handler.files == tree(top))


def test_shutdown_wakes_whoever_waits_and_releases_everything(unstarted: QueuedMonitor, repository: Path) -> None:
    descriptors = os.listdir("/proc/self/fd")
    monitor = unstarted
    monitor.start()
    watch(monitor, repository)
    results: list[bool] = []
    waiters = [threading.Thread(target=lambda: results.append(monitor.wait(3600))) for _ in range(3)]
    for waiter in waiters:
        waiter.start()
    monitor.shutdown()
    for waiter in waiters:
        waiter.join(DEADLINE)
    assert results == [False, False, False]
    monitor.shutdown()
    assert os.listdir("/proc/self/fd") == descriptors
    assert monitor.wait(3600) is False
    assert monitor.handle_events() == 0


@pytest.mark.parametrize("is_started", [True, False])
def test_adding_a_monitor_wakes_whoever_waits(unstarted: QueuedMonitor, repository: Path, is_started: bool) -> None:
    if is_started:
        unstarted.start()
    results: list[bool] = []
    waiter = threading.Thread(target=lambda: results.append(unstarted.wait(3600)))
    waiter.start()
    unstarted.add_monitor(str(repository), Recorder())
    waiter.join(DEADLINE)
    assert results == [True]


def test_wait_without_events_ends_in_time(monitor: QueuedMonitor, repository: Path) -> None:
    watch(monitor, repository)
    assert monitor.wait(0) is False
    assert monitor.wait(0.3) is False


def test_one_thread_waits_while_others_add_and_apply(monitor: QueuedMonitor, repository: Path) -> None:
    handler = Mirror(monitor)
    monitor.add_monitor(str(repository), handler)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            if monitor.wait(0.5):
                monitor.handle_events()

    def write(number: int) -> None:
        directory = repository / str(number)
        directory.mkdir()
        for count in range(50):
            (directory / str(count)).write_text(str(count))
            monitor.add_monitor(str(directory), handler)
            monitor.handle_events()

    server = threading.Thread(target=serve)
    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in (server, *writers):
        thread.start()
    for thread in writers:
        thread.join(DEADLINE)
    apply_until(monitor, lambda: handler.files == tree(repository))
    stop.set()
    server.join(DEADLINE)
    assert len(handler.files) == 204
