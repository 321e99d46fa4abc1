"""Whatever lies where reports wait: what is good is stored once, and of the rest the log has a line."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from geventcore.errors import ConfigError, DatabaseUnavailable, StorageError
from geventcore.options.settings import default_settings
from geventcore.reporting import spool as spools
from geventcore.reporting.delivery import REFUSALS_TOLD, DatabaseSink, deliver
from geventcore.reporting.format import decode, encode
from geventcore.reporting.journal import JournaledSink
from geventcore.reporting.sources import Source, SpoolSource
from geventcore.reporting.spool import Spool, SpoolUnusable
from geventcore.reporting.transports import TransportContext
from geventcore.storage.database import call_directly
from geventcore.storage.report_model import Interaction
from tests.reporting.test_spool import new_spool
from tests.support.uploads import report

GOOD = encode(report("h", 0))


class Stored:
    """A sink that remembers."""

    is_gone = False

    def __init__(self) -> None:
        self.clients: list[str] = []

    def store(self, interactions: Sequence[Interaction]) -> Sequence[StorageError | None]:
        """See `Sink.store`."""
        self.clients += [interaction.client for interaction in interactions]
        return [None] * len(interactions)

    def check(self) -> None:
        """See `Sink.check`."""


@pytest.fixture
def sink() -> Stored:
    return Stored()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return new_spool(tmp_path / "spool")


@pytest.fixture
def source(spool: Spool) -> Iterator[SpoolSource]:
    source = SpoolSource(spool)
    yield source
    source.close()


def collect(source: Source, sink: Stored) -> None:
    """Deliver all that there is."""
    while (batch := source.take()) is not None:
        deliver(batch, sink, call_directly)


def file(spool: Spool, name: str, content: bytes) -> Path:
    """A file in the spool."""
    spool.directory.mkdir(exist_ok=True)
    path = spool.directory / f"{name}.reports"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"\0",
        b"\0" * 4096,
        b"\xff\xfe",
        GOOD[: len(GOOD) // 2],
        b"[]\n",
        b"null\n",
        b'{"report":1}\n',
        b'{"report":2}\n',
        b"9" * 5000,
        b'{"report":1,"' + b"x" * 100_000 + b'":1}',
        GOOD.replace(b'"timestamp":', b'"timestamp":-'),
        GOOD.replace(b'"client":"h"', b'"client":["h"]'),
        GOOD.replace(b'"client":"h"', b'"client":"\\ud800"'),
        GOOD.replace(b'"client":"h"', b'"client":"h\\u0000"'),
        GOOD.replace(b'"entries":[', b'"entries":[null'),
    ],
    ids=range(17),
)
def test_what_is_no_report_is_refused_in_a_few_words(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"(?s)^.{5,300}$"):
        decode(line)


def test_a_line_may_be_nested_to_any_depth() -> None:
    """The parser has a limit, and what shows a value in a message has one of its own a little above it."""
    for depth in (*range(900, 1000), 100_000):
        with pytest.raises(ValueError, match=r"nested too deeply|not a text"):
            decode(GOOD.replace(b'"client":"h"', b'"client":' + b"[" * depth + b"]" * depth))


def test_good_lines_of_a_bad_file_are_stored(
    spool: Spool, source: SpoolSource, sink: Stored, caplog: pytest.LogCaptureFixture
) -> None:
    path = file(spool, "0", b"garbage\n" * 1000 + GOOD + b"\0" * 100 + b"\n" + GOOD[:-20])
    file(spool, "1", b"")
    collect(source, sink)
    assert sink.clients == ["h"]
    assert spool.files() == []
    (kept,) = (spool.directory / "refused").iterdir()
    assert kept.read_bytes() == b"garbage\n" * 1000 + b"\0" * 100 + b"\n" + GOOD[:-20] + b"\n"
    assert len(caplog.messages) == REFUSALS_TOLD + 1
    assert all(message.startswith(f"{path}: ") for message in caplog.messages)
    assert caplog.messages[-1] == f"{path}: moved 1002 invalid lines to {kept}"


def test_what_can_be_kept_nowhere_holds_up_nothing(
    spool: Spool, source: SpoolSource, sink: Stored, caplog: pytest.LogCaptureFixture
) -> None:
    path = file(spool, "0", b"gar\x1bbage\n" + GOOD)
    (spool.directory / "refused").touch()
    collect(source, sink)
    assert sink.clients == ["h"]
    assert spool.files() == []
    assert f"{path}: a dropped line begins with b'gar\\x1bbage\\n'" in caplog.messages
    assert f"{path}: dropped 1 invalid lines: " in caplog.messages[-1]


def test_what_is_refused_is_bounded(tmp_path: Path, sink: Stored) -> None:
    spool = new_spool(tmp_path, limit=1000)
    source = SpoolSource(spool)
    for number in range(20):
        file(spool, f"{number:02}", b"x" * 99 + b"\n" + GOOD)
    collect(source, sink)
    source.close()
    assert sink.clients == ["h"] * 20
    assert sum(path.stat().st_size for path in (tmp_path / "refused").iterdir()) == 1000


def test_what_is_no_plain_file_is_left_alone(
    spool: Spool, source: SpoolSource, sink: Stored, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    file(spool, "1", GOOD)
    strange = [spool.directory / f"0-{kind}.reports" for kind in ("directory", "loop", "pipe", "socket", "target")]
    strange[0].mkdir()
    strange[1].symlink_to(strange[1])
    os.mkfifo(strange[2])
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(strange[3]))
    (tmp_path / "secret").write_text("secret")
    strange[4].symlink_to(tmp_path / "secret")
    collect(source, sink)
    collect(source, sink)
    assert sink.clients == ["h"]
    assert sorted(caplog.messages) == [f"{path} is not a regular file: ignored" for path in strange]
    assert spool.is_empty()


def test_a_file_that_cannot_be_read_is_passed_over_for_a_while(
    spool: Spool, sink: Stored, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = file(spool, "0", GOOD)
    file(spool, "1", GOOD)
    source = SpoolSource(spool)
    read_bytes = Path.read_bytes

    def failing(path: Path) -> bytes:
        if path == broken:
            raise PermissionError(13, "Permission denied", str(path))
        return read_bytes(path)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", failing)
        collect(source, sink)
    assert sink.clients == ["h"]
    assert spool.is_empty(), "nothing that could be taken out"
    assert caplog.messages == [f"{broken}: cannot read waiting reports: Permission denied"]
    assert source.take() is None
    monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + spools.PASS_OVER_SECONDS)
    collect(source, sink)
    assert sink.clients == ["h", "h"]
    assert not broken.exists()
    source.close()


def test_a_file_that_cannot_be_removed_is_stored_once(
    spool: Spool, sink: Stored, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stuck = file(spool, "0", b"garbage\n" + GOOD)
    file(spool, "1", GOOD)
    source = SpoolSource(spool)
    unlink = Path.unlink

    def failing(path: Path, missing_ok: bool = False) -> None:
        if path == stuck:
            raise PermissionError(1, "Operation not permitted", str(path))
        unlink(path, missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", failing)
        for _ in range(2):
            collect(source, sink)
            patched.setattr(time, "monotonic", lambda now=time.monotonic: now() + spools.PASS_OVER_SECONDS)
        assert sink.clients == ["h", "h"]
        assert len([*(spool.directory / "refused").iterdir()]) == 1
        assert (
            caplog.messages.count(f"{stuck}: cannot remove the file, whose reports are stored: Operation not permitted")
            == 1
        )
    monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + 3 * spools.PASS_OVER_SECONDS)
    collect(source, sink)
    assert sink.clients == ["h", "h"]
    assert not stuck.exists()
    source.close()


class Vanishing(Spool):
    """Somebody removes its first file whenever it was listed."""

    def files(self) -> list[Path]:
        """See `Spool.files`."""
        found = super().files()
        found[0].unlink() if found else None
        return found


def test_files_may_vanish(tmp_path: Path, sink: Stored, caplog: pytest.LogCaptureFixture) -> None:
    spool = Vanishing(tmp_path, lambda: 1 << 30, call_directly)
    for number in range(3):
        file(spool, str(number), GOOD)
    source = SpoolSource(spool)
    collect(source, sink)
    assert sink.clients == []
    file(spool, "3", GOOD)
    batch = SpoolSource(new_spool(tmp_path)).take()
    assert batch is None, "another process has the lock"
    source.close()
    first = SpoolSource(new_spool(tmp_path))
    batch = first.take()
    assert batch is not None
    (tmp_path / "3.reports").unlink()
    deliver(batch, sink, call_directly)
    assert sink.clients == ["h"]
    assert caplog.messages == []
    first.close()


def test_two_who_take_the_same_file_both_go_on(
    spool: Spool, source: SpoolSource, sink: Stored, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody has removed the lock."""
    file(spool, "0", GOOD)
    first = source.take()
    assert first is not None
    (spool.directory / ".lock").unlink()
    other = SpoolSource(new_spool(spool.directory))
    second = other.take()
    assert second is not None
    for batch in (first, second):
        deliver(batch, sink, call_directly)
    assert sink.clients == ["h", "h"], "the database knows that it is the same"
    collect(source, sink)
    collect(other, sink)
    assert caplog.messages == []
    other.close()


@pytest.mark.parametrize("name", ["spool", "spool/.lock"])
def test_a_spool_that_cannot_be_used_says_so(spool: Spool, name: str) -> None:
    path = spool.directory.parent / name
    if name == "spool":
        path.touch()
    else:
        path.mkdir(parents=True)
    with pytest.raises(SpoolUnusable, match=f"^{path} cannot be used: "):
        SpoolSource(spool).take()


def test_a_database_that_cannot_be_opened_is_no_fault_of_a_report() -> None:
    def no_database() -> None:
        raise ConfigError("a library is missing")

    with pytest.raises(DatabaseUnavailable, match="a library is missing"):
        DatabaseSink(no_database).store([decode(GOOD)])  # type: ignore[arg-type]


def test_a_journal_that_cannot_be_looked_at_is_no_reason_not_to_store(
    tmp_path: Path, sink: Stored, caplog: pytest.LogCaptureFixture
) -> None:
    def unused() -> None:
        raise AssertionError

    (tmp_path / "journal").touch()
    settings = default_settings({})
    context = TransportContext(lambda: settings, tmp_path, unused, call_directly)  # type: ignore[arg-type]
    journal = JournaledSink(sink, context)
    journal.start()
    journal.store(decode(GOOD))
    journal.shutdown()
    assert sink.clients == ["h"]
    assert any(f"{tmp_path}/journal cannot be used: Not a directory" in message for message in caplog.messages)


def test_every_value_of_another_type_is_refused() -> None:
    values = json.loads(GOOD)
    wrong: list[Callable[[object], object]] = [lambda _: {}, lambda _: 1.5, lambda value: [value], lambda _: {"a": 1}]
    for name in values:
        for change in wrong:
            with pytest.raises(ValueError, match=r"(?s)^.{5,300}$"):
                decode(json.dumps({**values, name: change(values[name])}).encode())
