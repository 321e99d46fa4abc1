"""Servers that share a PostgreSQL database hear what others change, or know that they have missed something."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from geventcore.storage import migration
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database
from geventcore.storage.notifications import LONGEST_PAYLOAD, NotificationRelay
from tests.support.live_server import LiveSite, wait_until
from tests.support.postgresql import PostgreSQL, database_section

HOST = "host000.example.net"


class Listener:
    """A relay, and what it has heard: ``(topic, message)``, or ``lost``."""

    def __init__(self, database: Database) -> None:
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
    one.relay._number += 1
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
        postgresql.execute(f"NOTIFY {two.relay._channel}, '{payload}'")
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
