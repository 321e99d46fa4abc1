"""``geventcore report-collector`` as a process: from files and from Redis into the database."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from geventcore.errors import DatabaseUnavailable
from geventcore.options.settings import default_settings
from geventcore.reporting.format import encode
from geventcore.reporting.local_filesystem import LocalFilesystem
from geventcore.reporting.options import REDIS_PORT
from geventcore.reporting.sources import Source
from geventcore.reporting.transports import Transport, TransportContext, transport_class
from geventcore.storage import migration
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import call_directly
from geventcore.storage.report_model import Interaction
from geventcore.testing.live_site import LiveSite, wait_until
from geventcore.testing.site_files import free_port, write_configuration
from tests.support.metric_values import values_here
from tests.support.reduced_rights import obeying_rights
from tests.support.report_database import locked, stored_reports
from tests.support.uploads import START, report

pytestmark = pytest.mark.live

STEP = 1_800_000
PATIENCE = 30.0


def no_database() -> Any:
    raise AssertionError("the server does not need the database for this")


class Site:
    """A repository, a database, and a configuration for the collector."""

    def __init__(self, directory: Path, transport: str, **options: str) -> None:
        self.directory = directory
        self.repository = directory / "repository"
        self.repository.mkdir()
        self.database = directory / "reports.sqlite"
        self.configuration = directory / "bcfg2.conf"
        self.pid_file = directory / "run" / "collector.pid"
        self.log = directory / "log"
        self.transport = transport
        write_configuration(
            self.configuration,
            {
                "server": {"repository": str(self.repository)},
                "database": {"name": str(self.database), "timeout": "1"},
                "reporting": {"transport": transport, **options},
                "logging": {"syslog": "no", "path": str(self.log)},
            },
        )

    def server_side(self, settings: Any = None) -> Transport:
        """What the server does with reports."""
        values = settings or default_settings({})
        directory = self.repository / "Reporting" / self.transport
        context = TransportContext(lambda: values, directory, no_database, call_directly)
        return transport_class(self.transport)(context)

    @contextmanager
    def collector(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A collector that runs; killed if the block fails."""
        command = [sys.executable, "-W", "error", "-m", "geventcore", "report-collector", "-v", "-C"]
        command = obeying_rights([*command, str(self.configuration), *arguments])
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=LiveSite.environ()) as process:
            try:
                yield process
            except BaseException:
                process.kill()
                raise

    def wait_for(self, expected: Sequence[tuple[str, int]]) -> None:
        """Return when exactly these reports, hosts and numbers, are stored."""
        wait_until(lambda: self.database.exists() and len(self.stored()) >= len(expected), "the reports are stored")
        assert self.stored() == list(expected)

    def stored(self) -> list[tuple[str, int]]:
        """Host and number of every report; none before there are tables."""
        if not self.database.exists() or not self.database.stat().st_size:
            return []
        return [(host, (timestamp - START) // STEP) for host, timestamp in stored_reports(self.database)]


def stop(process: subprocess.Popen[str]) -> int:
    """End a collector in an orderly way."""
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in errors, errors
    return process.returncode


@pytest.fixture
def files(tmp_path: Path) -> Site:
    site = Site(tmp_path, "LocalFilesystem")
    migration.upgrade(DatabaseConfig("sqlite3", str(site.database)))
    return site


def test_files_are_stored_and_removed(files: Site) -> None:
    transport = files.server_side()
    for number in range(3):
        transport.store(report("h", number))
    with files.collector() as collector:
        files.wait_for([("h", 0), ("h", 1), ("h", 2)])
        transport.store(report("h", 3))
        files.wait_for([("h", 0), ("h", 1), ("h", 2), ("h", 3)])
        assert stop(collector) == 0
    assert list((files.repository / "Reporting/LocalFilesystem/work").glob("*.reports")) == []
    assert "Stored 4 reports since the start" in files.log.read_text()


def test_it_waits_for_a_database_that_is_gone(files: Site) -> None:
    files.server_side().store(report("h", 0))
    with files.collector("--max-children", "3") as collector:
        with locked(files.database):
            wait_until(lambda: files.log.exists() and "cannot store reports" in files.log.read_text(), "it has noticed")
            assert files.stored() == []
        files.wait_for([("h", 0)])
        assert stop(collector) == 0


def test_a_kill_loses_nothing_and_stores_nothing_twice(files: Site) -> None:
    transport = files.server_side()
    expected = []
    for number in range(4):
        transport.store(report("h", number))
        expected.append(("h", number))
        with files.collector() as collector:
            wait_until(files.stored, "something is stored")
            collector.kill()
    with files.collector() as collector:
        files.wait_for(expected)
        assert stop(collector) == 0


def test_a_directory_that_it_may_not_write_is_one_line_in_the_log(files: Site) -> None:
    files.server_side().store(report("h", 0))
    work = files.repository / "Reporting/LocalFilesystem/work"
    broken = work / "0.reports"
    broken.write_bytes(b"")
    broken.chmod(0)
    (work / "1.reports").mkdir()
    work.chmod(0o500)
    problem = f"cannot store reports, retrying: {work} cannot be used: this user may not write to it"
    with files.collector() as collector:
        wait_until(lambda: files.log.exists() and problem in files.log.read_text(), "it has noticed")
        assert files.stored() == []
        work.chmod(0o700)
        files.wait_for([("h", 0)])
        assert stop(collector) == 0
    log = files.log.read_text()
    assert log.count(problem) == 1
    assert log.count(f"{broken}: cannot read waiting reports: Permission denied") == 1
    assert log.count(f"{work}/1.reports is not a regular file: ignored") == 1
    assert "Traceback" not in log


def test_a_database_that_it_may_not_write_is_told_at_once(files: Site) -> None:
    files.database.chmod(0o400)
    problem = f"reports wait until the database is available: the database {files.database}: this user may not write"
    with files.collector() as collector:
        wait_until(lambda: files.log.exists() and problem in files.log.read_text(), "it says so")
        files.server_side().store(report("h", 0))
        wait_until(lambda: "cannot store reports" in files.log.read_text(), "the report waits")
        files.database.chmod(0o600)
        files.wait_for([("h", 0)])
        assert stop(collector) == 0


def test_it_becomes_a_daemon(files: Site) -> None:
    files.server_side().store(report("h", 0))
    with files.collector("-D", str(files.pid_file)) as starter:
        assert starter.wait(PATIENCE) == 0
    pid = int(files.pid_file.read_text())
    files.wait_for([("h", 0)])
    with files.collector("-D", str(files.pid_file)) as second:
        _, errors = second.communicate(timeout=PATIENCE)
        assert second.returncode == 1
        assert f"running already, as process {pid}" in errors
    subprocess.run(["kill", str(pid)], check=True)
    wait_until(lambda: not files.pid_file.exists(), "the daemon has ended")


def test_the_server_stores_directly(tmp_path: Path) -> None:
    site = Site(tmp_path, "DirectStore")
    with site.collector() as collector:
        _, errors = collector.communicate(timeout=PATIENCE)
    assert collector.returncode == 1
    assert "transport = DirectStore: the server stores reports" in errors


def test_local_filesystem_is_found_by_its_name() -> None:
    assert transport_class("LocalFilesystem") is LocalFilesystem


class Redis:
    """A Redis server of the tests' own, which keeps what it has said yes to."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._directory = directory
        self.start()

    def start(self) -> None:
        """Start it; return when it answers."""
        self._process = subprocess.Popen(
            [
                *("redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._directory)),
                *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
            ],
            stdout=subprocess.DEVNULL,
        )
        wait_until(self._answers, "Redis answers")

    def _answers(self) -> bool:
        import redis

        try:
            with redis.Redis(port=self.port) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def keys(self) -> list[str]:
        """The keys of lists."""
        import redis

        with redis.Redis(port=self.port) as client:
            return sorted(key.decode() for key in client.keys("*") if client.type(key) == b"list")

    def push(self, key: str, *interactions: Interaction) -> None:
        """Append reports to a list."""
        import redis

        with redis.Redis(port=self.port) as client:
            client.rpush(key, *map(encode, interactions))

    def push_lines(self, key: str, *lines: bytes) -> None:
        """Append anything to a list."""
        import redis

        with redis.Redis(port=self.port) as client:
            client.rpush(key, *lines)

    def lines(self, key: str) -> list[bytes]:
        """What a list holds."""
        import redis

        with redis.Redis(port=self.port) as client:
            return [*client.lrange(key, 0, -1)]

    def source(self, directory: Path) -> Source:
        """What a collector takes from."""
        values = default_settings({REDIS_PORT: self.port})
        context = TransportContext(lambda: values, directory, no_database, call_directly)
        return transport_class("RedisTransport").make_source(context)

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()
        self._process.wait()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Redis]:
    pytest.importorskip("redis", reason="redis-py is not installed")
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    server = Redis(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def through_redis(tmp_path: Path, redis_server: Redis) -> Site:
    site = Site(tmp_path, "RedisTransport", redis_port=str(redis_server.port))
    migration.upgrade(DatabaseConfig("sqlite3", str(site.database)))
    return site


def test_reports_through_redis(through_redis: Site, redis_server: Redis) -> None:
    transport = through_redis.server_side(default_settings({REDIS_PORT: redis_server.port}))
    transport.start()
    expected = [("h", number) for number in range(130)]
    for number in range(130):
        transport.store(report("h", number))
    assert redis_server.keys() == ["bcfg2_statistics"]
    assert values_here()("geventcore_reports_in_redis") == 130
    redis_server.kill()
    transport.store(report("h", 130))
    redis_server.start()
    expected.append(("h", 130))
    with through_redis.collector() as collector:
        through_redis.wait_for(expected)
        wait_until(lambda: redis_server.keys() == [], "nothing is left")
        assert stop(collector) == 0
    # Nobody reports any more, and the server sees all the same that the collector has been there.
    wait_until(lambda: values_here()("geventcore_reports_in_redis") == 0, "the metrics tell that nothing waits")
    transport.shutdown()


def test_what_a_dead_collector_had_taken_is_stored(through_redis: Site, redis_server: Redis) -> None:
    redis_server.push("bcfg2_statistics:taken:dead:0", report("h", 0), report("h", 1))
    redis_server.push("bcfg2_statistics", report("h", 2))
    with through_redis.collector() as collector:
        through_redis.wait_for([("h", 0), ("h", 1), ("h", 2)])
        wait_until(lambda: redis_server.keys() == [], "nothing is left")
        assert stop(collector) == 0


def test_nothing_is_taken_for_good_while_the_database_is_gone(through_redis: Site, redis_server: Redis) -> None:
    redis_server.push("bcfg2_statistics", *(report("h", number) for number in range(3)))
    with locked(through_redis.database), through_redis.collector() as collector:
        wait_until(
            lambda: through_redis.log.exists() and "cannot store reports" in through_redis.log.read_text(), "it waits"
        )
        deadline = time.monotonic() + PATIENCE
        while redis_server.keys() != ["bcfg2_statistics"]:
            assert time.monotonic() < deadline, "they are not given back"
        collector.kill()
    with through_redis.collector() as collector:
        through_redis.wait_for([("h", 0), ("h", 1), ("h", 2)])
        assert stop(collector) == 0


def test_what_is_no_report_is_got_rid_of_where_there_is_no_repository(through_redis: Site, redis_server: Redis) -> None:
    redis_server.push_lines("bcfg2_statistics", *(b"garbage %d" % number for number in range(120)))
    redis_server.push("bcfg2_statistics", report("h", 0))
    redis_server.push_lines("bcfg2_statistics", b"\0" * 100_000)
    redis_server.push_lines("bcfg2_statistics:taken:\xff:0", encode(report("h", 1)))
    through_redis.repository.rmdir()
    with through_redis.collector() as collector:
        through_redis.wait_for([("h", 0), ("h", 1)])
        wait_until(lambda: redis_server.keys() == [], "nothing is left")
        assert stop(collector) == 0
    refused = through_redis.repository / "Reporting/RedisTransport/refused"
    lines = [line for path in sorted(refused.iterdir()) for line in path.read_bytes().splitlines()]
    assert lines == [*(b"garbage %d" % number for number in range(120)), b"\0" * 100_000]
    log = through_redis.log.read_text()
    assert f"invalid lines to {refused}/" in log
    assert "ignored" not in log, "nothing was stored twice"
    assert "Traceback" not in log


def test_what_is_no_report_stays_in_redis_if_it_can_be_kept_nowhere_else(
    through_redis: Site, redis_server: Redis
) -> None:
    redis_server.push_lines("bcfg2_statistics", *(b"garbage %d" % number for number in range(1100)))
    redis_server.push("bcfg2_statistics", report("h", 0))
    (through_redis.repository / "Reporting").touch()
    with through_redis.collector() as collector:
        through_redis.wait_for([("h", 0)])
        wait_until(lambda: redis_server.keys() == ["bcfg2_statistics:refused"], "nothing else is left")
        assert stop(collector) == 0
    assert redis_server.lines("bcfg2_statistics:refused") == [b"garbage %d" % number for number in range(100, 1100)]
    log = through_redis.log.read_text()
    assert "invalid lines to the list bcfg2_statistics:refused of Redis: " in log
    assert "ignored" not in log
    assert "Traceback" not in log


def test_what_redis_could_not_be_told_it_is_told_later(tmp_path: Path, redis_server: Redis) -> None:
    """The collector lives on: nobody else would give back what it has taken, or forget what is stored."""
    source = redis_server.source(tmp_path)
    redis_server.push("bcfg2_statistics", report("h", 0))
    for settle in ("release", "acknowledge"):
        batch = source.take()
        assert batch is not None
        assert batch.lines == [encode(report("h", 0))]
        redis_server.kill()
        getattr(batch, settle)()
        with pytest.raises(DatabaseUnavailable):
            source.take()
        redis_server.start()
    assert source.take() is None
    assert redis_server.keys() == []
    source.close()


def test_keys_of_another_type_are_one_line(through_redis: Site, redis_server: Redis) -> None:
    import redis

    with redis.Redis(port=redis_server.port) as client:
        client.set("bcfg2_statistics", "text")
        client.set("bcfg2_statistics:taken:dead:0", "text")
        redis_server.push("bcfg2_statistics:taken:dead:1", report("h", 0))
        with through_redis.collector() as collector:
            wait_until(
                lambda: through_redis.log.exists() and "WRONGTYPE" in through_redis.log.read_text(), "it has noticed"
            )
            client.delete("bcfg2_statistics")
            through_redis.wait_for([("h", 0)])
            assert stop(collector) == 0
    assert through_redis.log.read_text().count("WRONGTYPE") == 1
