"""What becomes of reports while the database is gone, and when it is back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from geventcore.errors import StatisticsNotStored, StorageError
from geventcore.options import Option
from geventcore.options.settings import default_settings
from geventcore.reporting.delivery import DatabaseSink
from geventcore.reporting.format import decode
from geventcore.reporting.journal import JournaledSink
from geventcore.reporting.options import SPOOL_LIMIT
from geventcore.reporting.transports import TransportContext
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database
from geventcore.storage.report_model import Interaction
from geventcore.testing.live_site import wait_until
from tests.support.concurrent_calls import at_once
from tests.support.metric_values import values_here
from tests.support.report_database import locked, stored_reports
from tests.support.uploads import START, report

STEP = 1_800_000


class Site:
    """A database and the journals of some processes in front of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = directory / "reports.sqlite"
        self.database = Database.open(DatabaseConfig("sqlite3", str(self.file), timeout=0.2))
        self.journals: list[JournaledSink] = []

    def journal(self, limit: int = 1 << 30) -> JournaledSink:
        """The journal of another process."""
        values: dict[Option[object], object] = {SPOOL_LIMIT: limit}  # type: ignore[dict-item]
        settings = default_settings(values)
        context = TransportContext(
            lambda: settings,
            self.directory / "DirectStore",
            lambda: self.database,
            lambda function, *args: function(*args),
        )
        self.journals.append(JournaledSink(DatabaseSink(lambda: self.database), context))
        return self.journals[-1]

    def stored(self) -> list[tuple[str, int]]:
        """Host and number of every report."""
        return [(host, (timestamp - START) // STEP) for host, timestamp in stored_reports(self.file)]

    def waiting(self) -> list[Interaction]:
        """What is in the journal."""
        spool = self.journals[0].spool
        return [decode(line) for path in spool.files() for line in path.read_bytes().splitlines()]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    for journal in site.journals:
        journal.shutdown()
    site.database.close()


def test_reports_go_to_the_database_at_once(site: Site) -> None:
    journal = site.journal()
    assert at_once([lambda number=number: journal.store(report("h", number)) for number in range(20)]) == [None] * 20
    assert site.stored() == [("h", number) for number in range(20)]
    assert journal.spool.is_empty()
    assert site.database.statistics().commits < 20, "those who came together shared a commit"


def test_reports_wait_for_the_database_in_order(site: Site) -> None:
    journal = site.journal()
    journal.start()
    with locked(site.file):
        for number in range(3):
            journal.store(report("h", number))
        assert journal.is_out
        assert [each.timestamp for each in site.waiting()] == [START + number * STEP for number in range(3)]
    wait_until(lambda: not journal.is_out, "the reports are stored")
    assert site.stored() == [("h", number) for number in range(3)]
    assert site.waiting() == []
    journal.store(report("h", 3))
    assert site.stored()[-1] == ("h", 3)


def test_many_who_wait_for_a_database_in_vain_wait_once(site: Site) -> None:
    journal = site.journal()
    with locked(site.file):
        results = at_once([lambda host=host: journal.store(report(f"h{host}")) for host in range(30)])
    assert results == [None] * 30
    assert len(site.waiting()) == 30
    assert site.database.statistics().failures <= 2


def test_the_next_server_stores_what_the_last_has_left(site: Site) -> None:
    last = site.journal()
    with locked(site.file):
        last.store(report("h", 0))
    last.shutdown()
    assert site.stored() == []
    following = site.journal()
    following.start()
    assert following.is_out
    wait_until(lambda: not following.is_out, "the report is stored")
    assert site.stored() == [("h", 0)]


def test_a_report_that_is_in_both_places_is_stored_once(site: Site) -> None:
    journal = site.journal()
    journal.store(report("h", 0))
    with locked(site.file):
        journal.store(report("h", 0))
        journal.store(report("h", 1))
    journal.start()
    wait_until(lambda: not journal.is_out, "the reports are stored")
    assert site.stored() == [("h", 0), ("h", 1)]


def test_several_processes_share_a_journal(site: Site) -> None:
    journals = [site.journal() for _ in range(3)]
    for journal in journals:
        journal.start()
    with locked(site.file):
        calls: list[Callable[[], None]] = [
            lambda journal=journal, index=index, number=number: journal.store(report(f"h{index}", number))  # type: ignore[misc]
            for index, journal in enumerate(journals)
            for number in range(5)
        ]
        assert at_once(calls) == [None] * 15
    wait_until(lambda: not any(journal.is_out for journal in journals), "all is stored")
    assert site.stored() == [(f"h{index}", number) for index in range(3) for number in range(5)]


def test_a_full_journal_refuses(site: Site) -> None:
    journal = site.journal(limit=1000)
    accepted = 2
    with locked(site.file):
        for number in range(accepted):
            journal.store(report("h", number))
        held = journal.spool.size()
        assert 500 < held < 1000
        large = report("h", accepted, extra='<Package name="p"/>' * 50)
        with pytest.raises(StatisticsNotStored, match=f"cannot keep it for later: .* is full: {held} bytes of "):
            journal.store(large)
        assert len(site.waiting()) == accepted
    journal.start()
    wait_until(lambda: not journal.is_out, "the reports are stored")
    assert len(site.stored()) == accepted


def test_only_a_report_that_was_stored_tells_that_they_can_be(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """A disk that is full is full for the journal, too: that nothing waits there means nothing."""

    def told() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name.endswith("journal")]

    caplog.set_level(logging.INFO)
    journal = site.journal(limit=10)
    journal.start()
    with locked(site.file):
        for number in range(2):
            with pytest.raises(StatisticsNotStored):
                journal.store(report("h", number))
            wait_until(lambda: not journal.is_out, "the next report is tried")
        assert ["keeping them in" in line for line in told()] == [True]
    journal.store(report("h", 2))
    assert told()[1:] == ["storing reports at once again"]


def test_what_is_no_report_is_kept_aside(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    journal = site.journal()
    with locked(site.file):
        journal.store(report("h", 0))
    journal.spool.put(b"cos\nsystem\n(S'true'\ntR.\n")
    before = values_here()
    journal.start()
    wait_until(journal.spool.is_empty, "nothing waits")
    wait_until(lambda: not journal.is_out, "the thread is done with it")
    for outcome, count in (("delivered", 1), ("refused", 4), ("stored", 0)):
        name = "geventcore_reports_total"
        assert values_here()(name, outcome=outcome) - before(name, outcome=outcome) == count, outcome
    assert site.stored() == [("h", 0)]
    (kept,) = (journal.spool.directory / "refused").iterdir()
    assert kept.read_bytes() == b"cos\nsystem\n(S'true'\ntR.\n"
    assert "moved 4 invalid lines to" in caplog.text


def test_what_the_database_refuses_harms_nobody_else(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """A number that no column has room for stands for whatever a database may not like."""
    journal = site.journal()
    impossible = report("bad")
    object.__setattr__(impossible, "timestamp", 2**70)
    results = at_once([lambda: journal.store(impossible), *([lambda: journal.store(report("good"))] * 1)])
    assert isinstance(results[0], (StorageError, OverflowError))
    assert results[1] is None
    assert [host for host, _ in stored_reports(site.file)] == ["good"]
    assert not [record for record in caplog.records if record.levelno >= logging.CRITICAL]
