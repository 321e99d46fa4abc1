"""Where records go, what they look like, and that a log that cannot be written harms nobody."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from geventcore import log

LOGGER = logging.getLogger("geventcore.test")


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[logging.Logger]:
    """The root logger, which gets rid of our handlers at the end."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield root
    for handler in root.handlers[:]:
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
    root.setLevel(level)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "server.log"


def log_of_every_level() -> None:
    for level in ("debug", "info", "warning"):
        getattr(LOGGER, level)("a message of level %s", level)


def levels_in(text: str) -> set[str]:
    return {level for level in ("debug", "info", "warning") if f"level {level}" in text}


class TestLevels:
    @pytest.mark.parametrize(
        ("debug", "verbose", "levels"),
        [
            (False, False, {"warning"}),
            (False, True, {"warning", "info"}),
            (True, False, {"warning", "info", "debug"}),
        ],
    )
    def test_the_file_gets_what_the_flags_say(self, path: Path, debug: bool, verbose: bool, levels: set[str]) -> None:
        log.configure_logging(debug=debug, verbose=verbose, path=path)
        log_of_every_level()
        assert levels_in(path.read_text()) == levels

    def test_the_console_has_a_level_of_its_own(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        log.configure_logging(path=path, console_level=logging.INFO)
        log_of_every_level()
        assert levels_in(capsys.readouterr().err) == {"warning", "info"}
        assert levels_in(path.read_text()) == {"warning"}

    def test_debug_goes_on_and_off(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        log.configure_logging(path=path, console_level=logging.INFO)
        log.set_debug(True)
        log_of_every_level()
        assert levels_in(capsys.readouterr().err) == {"warning", "info", "debug"}
        assert levels_in(path.read_text()) == {"warning", "info", "debug"}
        path.unlink()
        log.set_debug(False)
        log_of_every_level()
        assert levels_in(capsys.readouterr().err) == {"warning", "info"}
        assert levels_in(path.read_text()) == {"warning"}

    def test_what_nobody_wants_is_not_made(self, path: Path) -> None:
        log.configure_logging(path=path, console_level=None)
        assert not LOGGER.isEnabledFor(logging.INFO)
        log.set_debug(True)
        assert LOGGER.isEnabledFor(logging.DEBUG)

    def test_no_console_unless_it_is_the_only_place(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        log.configure_logging(path=path, console_level=None)
        log_of_every_level()
        assert capsys.readouterr().err == ""
        log.configure_logging(console_level=None)
        log_of_every_level()
        assert levels_in(capsys.readouterr().err) == {"warning"}


class TestHandlers:
    def test_a_second_call_replaces_the_first(self, path: Path, root_logger: logging.Logger) -> None:
        others = list(root_logger.handlers)
        log.configure_logging(path=path)
        log.configure_logging(path=path.with_name("other.log"), console_level=None)
        log_of_every_level()
        assert path.read_text() == ""
        assert levels_in(path.with_name("other.log").read_text()) == {"warning"}
        assert len(root_logger.handlers) == len(others) + 1

    def test_a_file_that_cannot_be_opened_changes_nothing(self, path: Path, tmp_path: Path) -> None:
        log.configure_logging(path=path)
        with pytest.raises(FileNotFoundError):
            log.configure_logging(path=tmp_path / "none" / "x.log")
        log_of_every_level()
        assert levels_in(path.read_text()) == {"warning"}

    def test_a_file_that_is_moved_away_is_begun_anew(self, path: Path) -> None:
        log.configure_logging(path=path)
        LOGGER.warning("first")
        path.rename(path.with_suffix(".1"))
        LOGGER.warning("second")
        assert "first" in path.with_suffix(".1").read_text()
        assert "second" in path.read_text()
        assert "first" not in path.read_text()

    def test_reopening_lets_the_old_file_go(self, path: Path) -> None:
        log.configure_logging(path=path)
        LOGGER.warning("first")
        path.rename(path.with_suffix(".1"))
        log.reopen_log_files()
        assert str(path.with_suffix(".1")) not in {os.readlink(link) for link in open_files()}
        LOGGER.warning("second")
        LOGGER.warning("third")
        assert path.read_text().count("\n") == 2


def open_files() -> list[str]:
    links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    return [link for link in links if os.path.islink(link)]


class TestSyslog:
    def test_a_record_with_facility_and_level(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        address = str(tmp_path / "syslog")
        monkeypatch.setattr(log, "SYSLOG_SOCKETS", (str(tmp_path / "none"), address))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
            daemon.bind(address)
            daemon.settimeout(10)
            log.configure_logging(syslog=True, console_level=None)
            LOGGER.warning("a message")
            # 3 * 8 is the facility "daemon", 4 the level "warning".
            expected = f"<28>geventcore[{os.getpid()}]: WARNING geventcore.test: a message"
            assert daemon.recv(4096).decode() == expected
            LOGGER.warning("a name that is not UTF-8: \udcff")
            assert daemon.recv(4096).decode().endswith(r"\udcff")
        assert capsys.readouterr().err == ""

    def test_a_machine_without_syslog(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(log, "SYSLOG_SOCKETS", (str(tmp_path / "none"),))
        log.configure_logging(syslog=True, console_level=None)
        LOGGER.warning("a message")
        first, second = capsys.readouterr().err.splitlines()
        assert "no syslog daemon listens at" in first
        assert "a message" in second

    def test_a_syslog_that_ends_is_one_complaint(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        address = str(tmp_path / "syslog")
        monkeypatch.setattr(log, "SYSLOG_SOCKETS", (address,))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
            daemon.bind(address)
            log.configure_logging(syslog=True, console_level=None)
        os.unlink(address)
        for _ in range(3):
            LOGGER.warning("lost")
        assert capsys.readouterr().err.splitlines() == [
            "geventcore: cannot write the log (syslog): [Errno 2] No such file or directory"
        ]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
            daemon.bind(address)
            daemon.settimeout(10)
            LOGGER.warning("found")
            assert daemon.recv(4096).endswith(b"found")


class TestFailures:
    def test_a_full_disk_stops_nothing(self, capsys: pytest.CaptureFixture[str]) -> None:
        log.configure_logging(path=Path("/dev/full"), console_level=None)
        for _ in range(1000):
            LOGGER.warning("a message that fits nowhere")
        assert capsys.readouterr().err.splitlines() == [
            "geventcore: cannot write the log (/dev/full): [Errno 28] No space left on device"
        ]
        log.configure_logging(console_level=None)

    def test_writing_goes_on_when_there_is_room_again(self, path: Path) -> None:
        script = """
import logging, resource, signal, sys
from pathlib import Path
from geventcore.log import configure_logging

path = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
configure_logging(path=path, console_level=None)
logging.warning("before")
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, resource.RLIM_INFINITY))
logging.warning("without room")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
logging.warning("after")
"""
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stderr.count("\n") == 1
        assert f"cannot write the log ({path}): [Errno 27] File too large" in done.stderr
        text = path.read_text()
        assert "before" in text
        assert "after" in text

    def test_a_directory_that_disappears_stops_nothing(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        directory = tmp_path / "logs"
        directory.mkdir()
        path = directory / "x.log"
        log.configure_logging(path=path, console_level=None)
        path.unlink()
        directory.rmdir()
        LOGGER.warning("lost")
        LOGGER.warning("lost")
        assert capsys.readouterr().err.count("cannot write the log") == 1
        directory.mkdir()
        LOGGER.warning("found")
        assert "found" in path.read_text()

    def test_a_message_that_does_not_fit_its_arguments_is_told_but_not_raised(self, path: Path) -> None:
        script = """
import logging, sys
from pathlib import Path
from geventcore.log import configure_logging

configure_logging(path=Path(sys.argv[1]))
logging.warning("%d", "no number")
logging.warning("the next")
"""
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60, check=True
        )
        assert "Message: '%d'" in done.stderr
        assert "the next" in path.read_text()

    def test_a_closed_standard_error_stops_nothing(self, path: Path) -> None:
        script = "import logging, os, geventcore.log as l; l.configure_logging(); os.close(2); logging.warning('x')"
        done = subprocess.run([sys.executable, "-c", script], timeout=60, check=False)
        assert done.returncode == 0


class TestLines:
    def test_time_level_logger_process_and_message(self, path: Path) -> None:
        log.configure_logging(path=path)
        LOGGER.warning("a %s", "message")
        time, level, name, message = path.read_text().split(" ", 3)
        assert len(time) == len("2026-05-01T12:00:00.123+02:00")
        assert (level, name, message) == ("WARNING", f"geventcore.test[{os.getpid()}]:", "a message\n")

    def test_a_client_cannot_forge_a_line(self, path: Path) -> None:
        log.configure_logging(path=path)
        LOGGER.warning("unknown host %s", "x\r\n2026-05-01T12:00:00.123+02:00 ERROR forged\x1b[2J\u2028y")
        first, second = path.read_text().splitlines()
        assert first.endswith(r"unknown host x\x0d")
        assert second == r"    2026-05-01T12:00:00.123+02:00 ERROR forged\x1b[2J\u2028y"

    def test_a_traceback_is_indented(self, path: Path) -> None:
        log.configure_logging(path=path)
        try:
            raise RuntimeError("two\nlines")
        except RuntimeError:
            LOGGER.exception("it failed")
        first, *others = path.read_text().splitlines()
        assert first.endswith("it failed")
        assert all(line.startswith("    ") for line in others)
        assert others[-1].strip() == "lines"


class TestClient:
    def test_the_client_is_in_the_line(self, path: Path) -> None:
        log.configure_logging(path=path)
        with log.log_client("192.0.2.1"):
            LOGGER.warning("one")
            with log.log_client("web.example.com"):
                LOGGER.warning("two")
            LOGGER.warning("three")
        LOGGER.warning("four")
        names = [line.split("]", 1)[1] for line in path.read_text().splitlines()]
        assert names == [" (192.0.2.1): one", " (web.example.com): two", " (192.0.2.1): three", ": four"]

    def test_threads_have_their_own(self, path: Path) -> None:
        log.configure_logging(path=path)
        with log.log_client("192.0.2.1"):
            thread = threading.Thread(target=LOGGER.warning, args=("from a thread",))
            thread.start()
            thread.join()
        assert "(192.0.2.1)" not in path.read_text()

    def test_greenlets_have_their_own(self, path: Path) -> None:
        gevent = pytest.importorskip("gevent")
        log.configure_logging(path=path)

        def serve(name: str) -> None:
            with log.log_client(name):
                for step in range(3):
                    LOGGER.warning("step %d of %s", step, name)
                    gevent.sleep(0)
                gevent.spawn(LOGGER.warning, "child of %s", name).join()

        gevent.joinall([gevent.spawn(serve, name) for name in ("a", "b", "c")], raise_error=True)
        LOGGER.warning("nobody")
        lines = path.read_text().splitlines()
        assert len(lines) == 13
        assert [line.split(" ")[-1] for line in lines[:3]] == ["a", "b", "c"], "they did not take turns"
        assert all(f"({line[-1]})" in line for line in lines[:9])
        assert not any("(" in line for line in lines[9:])


def test_importing_brings_no_sockets_or_queues_along() -> None:
    script = "import sys, geventcore.log; print(*{'queue', 'socket', 'select', 'ssl'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == ""
