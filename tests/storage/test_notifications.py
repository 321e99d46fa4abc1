"""Servers that share a PostgreSQL database hear what others change, or know that they have missed something."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from geventcore.bcfg2_import.importing import Import
from geventcore.bcfg2_import.source import Source
from geventcore.errors import DatabaseUnavailable
from geventcore.options.server import CACHE_MODE
from geventcore.plugins.metadata.plugin import USE_DATABASE as CLIENTS_IN_DATABASE
from geventcore.storage import migration
from geventcore.storage.announcements import LONGEST_PAYLOAD, SOMETHING, Announcement, Announcer
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database
from geventcore.storage.notifications import NotificationRelay
from geventcore.testing.live_site import LiveSite, wait_until
from geventcore.testing.site_files import PLUGINS
from geventcore.testing.wire_client import CONNECTION_ERRORS
from tests.bcfg2_import.legacy import sqlite_database
from tests.storage.test_database import adds, writes_behind_a_gate
from tests.storage.test_live_servers import IN_DATABASE
from tests.storage.test_stores import database_options
from tests.support.plugin_context import small_server, write_files
from tests.support.postgresql import PostgreSQL, database_section
from tests.support.site_plugins.dying import ORDER

HOST = "host000.example.net"


class Listener:
    """A relay, and what it has heard: ``(topic, message)``, or ``lost``."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.heard: list[Any] = []
        self.relay = NotificationRelay(database, ["news", "x"], self._deliver, lambda: self.heard.append("lost"))
        self.relay.start()
        wait_until(lambda: self.relay.is_listening, "it listens")
        # What it may have missed before it listened.
        wait_until(lambda: self.heard == ["lost"], "it knows that it has missed everything until now")
        self.heard.clear()

    def _deliver(self, topic: str, message: Any) -> None:
        if message == "bad":
            raise LookupError("bad news")
        self.heard.append((topic, message))

    @property
    def announcer(self) -> Announcer:
        assert self.database.announcer is not None
        return self.database.announcer

    def wait_for(self, *expected: Any) -> None:
        wait_until(lambda: len(self.heard) >= len(expected), f"{expected} is heard")
        assert self.heard == list(expected)


@pytest.fixture
def config(postgresql: PostgreSQL) -> DatabaseConfig:
    config = postgresql.new_config(timeout=5.0)
    migration.upgrade(config)
    return config


@pytest.fixture
def new_listener(config: DatabaseConfig, open_database: Callable[..., Database]) -> Iterator[Callable[[], Listener]]:
    listeners: list[Listener] = []

    def make(**changes: Any) -> Listener:
        listeners.append(Listener(open_database(config, **changes)))
        return listeners[-1]

    yield make
    for listener in listeners:
        listener.relay.close()


def test_others_hear_what_one_tells_in_its_order(new_listener: Callable[[], Listener]) -> None:
    one, two, three = new_listener(), new_listener(), new_listener()
    messages = [{"host": f"é{number}"} for number in range(20)]
    for message in messages:
        one.relay.tell("news", message)
    two.wait_for(*[("news", message) for message in messages])
    three.wait_for(*[("news", message) for message in messages])
    assert one.heard == []
    two.relay.tell("x", None)
    one.wait_for(("x", None))


def test_what_concerns_one_machine_is_not_told(new_listener: Callable[[], Listener]) -> None:
    one, two = new_listener(), new_listener()
    one.relay.tell("gossip", 1)
    one.relay.tell("news", 2)
    two.wait_for(("news", 2))


def test_a_message_that_is_too_long_has_others_forget_everything(new_listener: Callable[[], Listener]) -> None:
    one, two = new_listener(), new_listener()
    one.relay.tell("news", "x" * LONGEST_PAYLOAD)
    one.relay.tell("news", "short")
    two.wait_for("lost", ("news", "short"))


def test_a_gap_in_the_numbers_has_others_forget_everything(new_listener: Callable[[], Listener]) -> None:
    one, two = new_listener(), new_listener()
    one.relay.tell("news", 1)
    one.announcer._number += 1
    one.relay.tell("news", 2)
    one.relay.tell("news", 3)
    two.wait_for(("news", 1), "lost", ("news", 3))


def test_tellers_at_the_same_time_leave_no_gap(new_listener: Callable[[], Listener]) -> None:
    one, two = new_listener(), new_listener()
    threads = [threading.Thread(target=one.relay.tell, args=("news", number)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: len(two.heard) == 30, "all are heard")
    assert sorted(two.heard) == [("news", number) for number in range(30)]


def test_a_handler_that_fails_and_strange_notifications_end_nothing(
    new_listener: Callable[[], Listener], postgresql: PostgreSQL
) -> None:
    one, two = new_listener(), new_listener()
    for payload in ("", "[]", '{"sender": 1}', '{"sender": 1, "number": "x"}', "\\"):
        postgresql.execute(f"NOTIFY {two.announcer.channel}, '{payload}'")
    one.relay.tell("news", "bad")
    one.relay.tell("news", "good")
    two.wait_for("lost", ("news", "good"))


def test_a_lost_connection_has_everything_forgotten_and_is_made_anew(
    new_listener: Callable[[], Listener], postgresql: PostgreSQL
) -> None:
    one, two = new_listener(), new_listener()
    postgresql.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE query LIKE 'LISTEN %' AND pid <> pg_backend_pid()"
    )
    wait_until(lambda: two.heard.count("lost") >= 2, "it has forgotten everything, and again when it listened anew")
    wait_until(lambda: one.relay.is_listening and two.relay.is_listening, "they listen again")
    two.heard.clear()
    one.relay.tell("news", 1)
    two.wait_for(("news", 1))


def test_what_could_not_be_told_is_owed(
    config: DatabaseConfig, open_database: Callable[..., Database], postgresql: PostgreSQL
) -> None:
    one, two = Listener(open_database(config, timeout=0.3)), Listener(open_database(config, timeout=0.3))
    postgresql.stop()
    try:
        wait_until(lambda: not two.relay.is_listening, "it notices")
        one.relay.tell("news", 1)
        one.relay.tell("news", 2)
    finally:
        postgresql.start()
    try:
        wait_until(lambda: one.relay.is_listening and two.relay.is_listening, "they listen again")
        wait_until(lambda: not one.relay._owes, "what was owed is told")
        two.heard.clear()
        one.relay.tell("news", 3)
        wait_until(lambda: ("news", 3) in two.heard, "news are heard again")
    finally:
        one.relay.close()
        two.relay.close()


# -- what goes with a change of the database


def announcing(database: Database, change: Callable[[Connection], Any], *messages: int) -> Callable[[], Any]:
    """A write that tells some messages."""
    return lambda: database.write(change, [Announcement("news", message) for message in messages])


def fail(connection: Connection) -> None:
    adds("undone")(connection)
    raise LookupError("mine")


def test_what_a_write_tells_is_heard_with_its_commit(new_listener: Callable[[], Listener]) -> None:
    one, two = new_listener(), new_listener()

    def add(connection: Connection) -> None:
        adds("a")(connection)
        two.database.write(adds("b"), [Announcement("news", "told in between")])

    one.database.write(add, [Announcement("news", 1), Announcement("x", 2), SOMETHING])
    two.wait_for(("news", 1), ("x", 2), "lost")
    one.wait_for(("news", "told in between"))


def test_what_is_not_stored_is_not_told_and_leaves_no_gap(new_listener: Callable[[], Listener]) -> None:
    one, two = new_listener(), new_listener()
    with pytest.raises(LookupError):
        announcing(one.database, fail, 1)()
    results = writes_behind_a_gate(
        one.database,
        [
            announcing(one.database, adds("a"), 2),
            announcing(one.database, fail, 3),
            announcing(one.database, adds("b"), 4),
        ],
    )
    assert [type(result) for result in results] == [str, LookupError, str]
    two.wait_for(("news", 2), ("news", 4))


def test_a_transaction_that_is_begun_again_tells_once(
    new_listener: Callable[[], Listener], postgresql: PostgreSQL
) -> None:
    one, two = new_listener(), new_listener()
    attempts = 0

    def cut_off_once(connection: Connection) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar()
            postgresql.execute(f"SELECT pg_terminate_backend({pid}, 10000)")

    writes_behind_a_gate(
        one.database, [announcing(one.database, adds("a"), 1), announcing(one.database, cut_off_once, 2)]
    )
    assert attempts == 2
    one.relay.tell("news", 3)
    two.wait_for(("news", 1), ("news", 2), ("news", 3))


def test_what_a_commit_loses_has_others_forget_everything(
    new_listener: Callable[[], Listener], config: DatabaseConfig, postgresql: PostgreSQL
) -> None:
    one, two = new_listener(), new_listener()
    postgresql.execute(
        f"""
        CREATE FUNCTION {config.schema}.die() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER die AFTER INSERT ON {config.schema}.geventcore_client DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.hostname = 'deadly') EXECUTE FUNCTION {config.schema}.die();
        """
    )
    announcing(one.database, adds("a"), 1)()
    with pytest.raises(DatabaseUnavailable, match="the data may be stored or not"):
        announcing(one.database, adds("deadly"), 2)()
    announcing(one.database, adds("b"), 3)()
    announcing(one.database, adds("c"), 4)()
    two.wait_for(("news", 1), "lost", ("news", 4))


def test_a_forked_process_tells_in_its_own_name(new_listener: Callable[[], Listener]) -> None:
    one = new_listener()
    announcing(one.database, adds("a"), 1)()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            announcing(one.database, adds("b"), 2)()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    one.wait_for(("news", 2))


def test_an_import_has_servers_forget_everything(
    new_listener: Callable[[], Listener], config: DatabaseConfig, open_database: Callable[..., Database], tmp_path: Path
) -> None:
    listener = new_listener()
    source = Source(sqlite_database(tmp_path / "old.sqlite").config)
    database = open_database(config)
    for _ in Import(source, database, database, timezone.utc, False, False, print).run():
        pass
    wait_until(lambda: "lost" in listener.heard, "it knows that something has changed")


def test_machines_forget_what_a_server_has_changed_that_died_before_it_could_say_so(
    config: DatabaseConfig, tmp_path: Path
) -> None:
    sections = {**IN_DATABASE, "database": database_section(config), "gevent": {"workers": "1"}}
    sections["caching"] = {"client_metadata": "aggressive"}
    site = LiveSite(tmp_path / "site", "gevent", sections, plugins=[*PLUGINS, "dying.Dying"])
    groups = "".join(f'<Group name="{name}" profile="true" default="true"/>' for name in ("basic", "large"))
    write_files(tmp_path / "other", {"Metadata/groups.xml": f"<Groups>{groups}</Groups>"})
    options = {CLIENTS_IN_DATABASE: True, CACHE_MODE: "aggressive", **database_options(config)}
    with site.start() as server, small_server(tmp_path / "other", ["Metadata"], options) as other:
        site.client(HOST).call("AssertProfile", "basic")
        other.core.serve()
        wait_until(lambda: other.core.databases.may_remember, "the other machine listens")
        wait_until(
            lambda: other.core.build_metadata(HOST) is other.core.build_metadata(HOST), "it remembers the client"
        )
        assert other.core.build_metadata(HOST).profile == "basic"
        (site.directory / ORDER).touch()
        with pytest.raises(CONNECTION_ERRORS):
            site.client(HOST).call("AssertProfile", "large")
        assert server.wait() == -signal.SIGKILL
        wait_until(lambda: other.core.build_metadata(HOST).profile == "large", "the other machine has forgotten")


def test_servers_that_keep_metadata_forget_what_another_has_changed(config: DatabaseConfig, tmp_path: Path) -> None:
    sections = {
        "metadata": {"use_database": "true"},
        "probes": {"use_database": "true"},
        "caching": {"client_metadata": "aggressive"},
        "database": database_section(config),
        "gevent": {"workers": "1"},
    }
    one_site, other_site = (LiveSite(tmp_path / name, "gevent", sections) for name in ("one", "other"))
    with one_site.start() as one, other_site.start() as other:
        for profile, is_large in (("basic", False), ("large", True), ("basic", False)):
            one_site.client(HOST).call("AssertProfile", profile)

            def is_told(is_large: bool = is_large) -> bool:
                return ("/srv/large" in other_site.client(HOST).call("GetConfig")) == is_large

            wait_until(is_told, f"the other server knows of {profile}")
        assert not one.grave()
        assert not other.grave()
