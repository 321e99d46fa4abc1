"""What only the inotify monitor has to get right: its watches, the kernel's limits, events that belong together."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from geventcore.filemonitor.inotify import Inotify
from tests.filemonitor.handlers import IGNORE, Mirror, Recorder, apply_until, tree


@pytest.fixture
def monitor() -> Iterator[Inotify]:
    monitor = Inotify(IGNORE)
    monitor.start()
    yield monitor
    monitor.shutdown()


def watch(monitor: Inotify, path: Path) -> Recorder:
    recorder = Recorder()
    monitor.add_monitor(str(path), recorder)
    monitor.handle_events()
    recorder.events.clear()
    return recorder


def test_delete_and_write_anew_is_one_change(monitor: Inotify, tmp_path: Path) -> None:
    """As version control and some editors write; a handler must not take the file for deleted."""
    path = tmp_path / "clients.xml"
    path.write_text("old")
    recorder = watch(monitor, tmp_path)
    path.unlink()
    monitor.handle_events()
    path.write_text("new")
    apply_until(monitor, lambda: bool(recorder.events))
    assert recorder.seen() == [("changed", "clients.xml")]


def test_file_written_in_many_pieces_is_seen_complete(monitor: Inotify, tmp_path: Path) -> None:
    path = tmp_path / "clients.xml"
    path.write_text("old")
    handler = Mirror(monitor)
    handler.follow(tmp_path)
    monitor.handle_events()
    contents: list[str] = []
    with path.open("w") as file:
        for piece in range(100):
            file.write(f"{piece} ")
            file.flush()
            monitor.handle_events()
            contents.append(handler.files[str(path)])
    assert contents[0] == "old"
    assert len(set(contents)) <= 3
    apply_until(monitor, lambda: handler.files == tree(tmp_path))


def test_complete_file_is_known_without_waiting(monitor: Inotify, tmp_path: Path) -> None:
    """What a plugin writes can be applied at once."""
    recorder = watch(monitor, tmp_path)
    (tmp_path / "key~").write_text("key")
    os.rename(tmp_path / "key~", tmp_path / "key")
    assert monitor.pending()
    monitor.handle_events()
    assert recorder.seen() == [("created", "key")]


def test_dropped_kernel_events_lose_nothing(monitor: Inotify, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 100_000:
        pytest.skip("the kernel's queue is too long to be filled")
    sub = tmp_path / "sub"
    sub.mkdir()
    (sub / "kept").write_text("kept")
    handler = Mirror(monitor)
    handler.follow(tmp_path)
    monitor.handle_events()
    noise = tmp_path / "noise"
    noise.touch()
    for number in range(limit // 2 + 1):
        noise.chmod(0o600 + number % 2)
        (sub / "kept").chmod(0o600 + number % 2)
    for number in range(50):
        new = tmp_path / f"new{number}"
        new.mkdir()
        (new / "file").write_text(str(number))
    (sub / "kept").write_text("edited")
    noise.unlink()
    apply_until(monitor, lambda: handler.files == tree(tmp_path))
    assert "dropped" in caplog.text
    (tmp_path / "new7" / "file").write_text("watched as before")
    apply_until(monitor, lambda: handler.files == tree(tmp_path))


def test_neighbours_of_the_way_to_a_path_are_no_events(monitor: Inotify, tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    path.mkdir(parents=True)
    watch(monitor, path)
    for number in range(100):
        (tmp_path / str(number)).write_text("noise")
        (tmp_path / "a" / str(number)).write_text("noise")
    assert monitor.wait(0.5) is False


def test_watches_come_and_go_with_directories(monitor: Inotify, tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    handler = Mirror(monitor)
    handler.follow(top)
    monitor.handle_events()
    before = monitor.list_watches()
    assert before == [str(directory) for directory in reversed([top, *top.parents])]
    assert kernel_watches() == len(before)
    deep = top / "x" / "y"
    deep.mkdir(parents=True)
    apply_until(monitor, lambda: str(deep) in monitor.list_watches())
    assert kernel_watches() == len(before) + 2
    assert monitor.list_paths() == [str(top), str(top / "x"), str(deep)]
    os.rename(top / "x", tmp_path / "x")
    apply_until(monitor, lambda: monitor.list_watches() == before)
    assert kernel_watches() == len(before)


def kernel_watches() -> int:
    """How many inotify watches this process has, from the kernel."""
    count = 0
    for info in Path("/proc/self/fdinfo").iterdir():
        try:
            count += info.read_text().count("inotify wd:")
        except FileNotFoundError:
            continue
    return count


def test_two_monitors_do_not_disturb_each_other(monitor: Inotify, tmp_path: Path) -> None:
    other = Inotify(IGNORE)
    other.start()
    try:
        first, second = watch(monitor, tmp_path), watch(other, tmp_path)
        (tmp_path / "a").write_text("a")
        apply_until(monitor, lambda: first.has("created", "a"))
        apply_until(other, lambda: second.has("created", "a"))
    finally:
        other.shutdown()


def test_monitor_is_used_after_a_fork(tmp_path: Path) -> None:
    """A master adds monitors, and each worker starts its own copy."""
    monitor = Inotify(IGNORE)
    handler = Mirror(monitor)
    handler.follow(tmp_path)
    monitor.handle_events()
    (tmp_path / "a").write_text("before the start")
    children = []
    for _ in range(2):
        child = os.fork()
        if not child:
            try:
                monitor.start()
                apply_until(monitor, lambda: handler.files.get(str(tmp_path / "go")) == "go", 10)
                os._exit(0 if handler.files == tree(tmp_path) else 3)
            finally:
                os._exit(4)
        children.append(child)
    (tmp_path / "go").write_text("go")
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]


MOUNTS = """
import subprocess, sys
from pathlib import Path
from tests.filemonitor.handlers import IGNORE, Mirror, Recorder, apply_until, tree
from geventcore.filemonitor.inotify import Inotify

top = Path(sys.argv[1])
path = top / "file"
monitor = Inotify(IGNORE)
monitor.start()

def mount():
    subprocess.run(["mount", "-t", "tmpfs", "none", str(top)], check=True)
    path.write_text("on the file system that vanishes")

def unmount():
    subprocess.run(["umount", str(top)], check=True)

mount()
single = Recorder()
monitor.add_monitor(str(path), single)
monitor.handle_events()
assert single.has("exists", path)
unmount()
apply_until(monitor, lambda: single.has("deleted", path))

mount()
mirror = Mirror(monitor)
mirror.follow(top)
apply_until(monitor, lambda: single.has("created", path))
assert len(mirror.files) == 1
unmount()
apply_until(monitor, lambda: mirror.files == {})
(top / "below").write_text("below the mount point")
apply_until(monitor, lambda: mirror.files == tree(top))
assert len(mirror.files) == 1

mount()
monitor.add_monitor(str(top / "missing"), Recorder())
apply_until(monitor, lambda: mirror.files == tree(top))
assert list(mirror.files) == [str(path)]
monitor.shutdown()
"""


def run_apart(script: str, *arguments: str, prefix: list[str] | None = None) -> str:
    """Run a script in an interpreter of its own; returns what it prints."""
    result = subprocess.run(
        [*(prefix or ()), sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def apart(*options: str, command: str = "true") -> list[str]:
    """What runs a command in namespaces of its own, after a shell command."""
    prefix = ["unshare", "--user", "--map-root-user", *options, "sh", "-c", f'{command} && exec "$@"', "sh"]
    if not shutil.which("unshare") or subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("user namespaces are not available")
    return prefix


def test_file_systems_that_come_and_go(tmp_path: Path) -> None:
    """The kernel tells that one was unmounted; that one was mounted shows when anything there is looked at."""
    run_apart(MOUNTS, str(tmp_path), prefix=apart("--mount"))


LIMITED = """
import logging, os, sys
from pathlib import Path
from tests.filemonitor.handlers import IGNORE, Mirror, apply_until, tree
from geventcore.filemonitor.inotify import Inotify

logging.basicConfig(format="%(message)s", stream=sys.stdout)
top = Path(sys.argv[1])
monitor = Inotify(IGNORE)
monitor.start()
handler = Mirror(monitor)
handler.follow(top)
monitor.handle_events()
for number in range(20):
    (top / str(number)).mkdir()
    (top / str(number) / "file").write_text("new")
apply_until(monitor, lambda: handler.files == tree(top))
for number in range(20):
    (top / str(number) / "file").write_text("edited")
apply_until(monitor, lambda: handler.files == tree(top))
os.rename(top / "7", top / "seven")
apply_until(monitor, lambda: handler.files == tree(top))
assert len(handler.files) == 20
print(len(monitor.list_watches()), "watches")
monitor.shutdown()
"""


@pytest.mark.parametrize(
    ("limit", "value", "hint", "watches"),
    [
        ("max_inotify_watches", 12, "fs.inotify.max_user_watches", 12),
        ("max_inotify_instances", 0, "fs.inotify.max_user_instances", 0),
    ],
)
def test_kernel_limits_cost_speed_but_no_event(tmp_path: Path, limit: str, value: int, hint: str, watches: int) -> None:
    """In a user namespace of its own, so that nobody else is limited."""
    prefix = apart(command=f"echo {value} > /proc/sys/user/{limit}")
    *warnings, last = run_apart(LIMITED, str(tmp_path), prefix=prefix).splitlines()
    assert len(warnings) == 1, warnings
    assert hint in warnings[0]
    assert last == f"{watches} watches"


UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import gevent, sys, time
from pathlib import Path
from tests.filemonitor.handlers import IGNORE, Mirror, tree
from geventcore.filemonitor import create_monitor

top = Path(sys.argv[1])
monitor = create_monitor(sys.argv[2], IGNORE)
handler = Mirror(monitor)
handler.follow(top)
monitor.start()
monitor.handle_events()
turns = 0

def others():
    global turns
    while turns < 100:
        turns += 1
        gevent.sleep(0.002)
    (top / "file").write_text("written by another greenlet")

def stop():
    gevent.sleep(0.2)
    monitor.shutdown()

gevent.spawn(others)
assert monitor.wait(30) is True
assert turns == 100, turns
deadline = time.monotonic() + 10
while handler.files != tree(top) and time.monotonic() < deadline:
    if monitor.wait(1):
        monitor.handle_events()
assert handler.files == tree(top) and handler.files
gevent.spawn(stop)
assert monitor.wait(30) is False
assert time.monotonic() < deadline
"""


@pytest.mark.parametrize("name", ["inotify", "polling"])
def test_waiting_is_cooperative_under_gevent(tmp_path: Path, name: str) -> None:
    pytest.importorskip("gevent")
    run_apart(UNDER_GEVENT, str(tmp_path), name)


UNDER_GEVENT_READ_BY_ANOTHER = """
from gevent import monkey
monkey.patch_all()
import gevent, sys
from pathlib import Path
from tests.filemonitor.handlers import IGNORE, Recorder
from geventcore.filemonitor import create_monitor

top = Path(sys.argv[1])
monitor = create_monitor("inotify", IGNORE)
monitor.start()
monitor.add_monitor(str(top), Recorder())
monitor.handle_events()

def read_first():
    with (top / "file").open("w"):
        assert not monitor.pending()
        gevent.sleep(30)

gevent.spawn(read_first)
with gevent.Timeout(20):
    assert monitor.wait(3600) is True
monitor.shutdown()
"""


def test_events_read_by_another_greenlet_reach_the_one_that_waits() -> None:
    """What is read while it is not settled must reach whoever has been waiting all along.

    Not below ``/tmp``, because whatever happens there would wake the one that waits.
    """
    pytest.importorskip("gevent")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        run_apart(UNDER_GEVENT_READ_BY_ANOTHER, directory)


def test_default_without_inotify_is_polling(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A module that is None cannot be imported, as on a system without it."""
    from geventcore.errors import ConfigError
    from geventcore.filemonitor import create_monitor

    monkeypatch.setitem(sys.modules, "inotify_simple", None)
    for module in ("inotify", "watches"):
        monkeypatch.delitem(sys.modules, f"geventcore.filemonitor.{module}")
    with caplog.at_level(logging.WARNING):
        assert create_monitor("default", ()).name == "Polling"
    assert "inotify_simple" in caplog.text
    with pytest.raises(ConfigError, match="inotify does not work here"):
        create_monitor("inotify", ())
