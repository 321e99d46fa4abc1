"""The worker processes of the multiprocessing core, which Bcfg2 calls children."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from geventcore.testing.live_site import LiveServer, LiveSite, is_alive, process_tree, wait_until
from geventcore.testing.neighbours import Neighbours

CHILDREN = 2


def children_of(server: LiveServer) -> list[int]:
    """The processes that serve: below the one that forks them."""
    return [pid for pid in process_tree(server.pid)[1:] if is_alive(pid)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    site = LiveSite(tmp_path / "site", "multiprocessing", {"server": {"children": str(CHILDREN)}})
    with site.start() as running:
        yield running


def test_each_child_has_read_the_repository_before_clients_are_served(server: LiveServer) -> None:
    assert len(children_of(server)) == CHILDREN
    assert "<Configuration" in server.site.client("somebody").call("GetConfig")


def test_children_that_are_killed_are_replaced_and_no_run_fails(server: LiveServer) -> None:
    with Neighbours(server.site, 20) as neighbours:
        for _ in range(4):
            victim = children_of(server)[0]
            os.kill(victim, signal.SIGKILL)
            wait_until(
                lambda victim=victim: len([pid for pid in children_of(server) if pid != victim]) == CHILDREN,  # type: ignore[misc]
                "a new child",
            )
    # A call that was under way is made again, as the client does; no run may fail.
    assert neighbours.runs
    assert [run.reason for run in neighbours.runs if run.reason] == []


def test_children_end_with_their_parent_however_it_ends(server: LiveServer) -> None:
    processes = process_tree(server.pid)
    server.signal(signal.SIGKILL)
    server.wait()
    wait_until(lambda: not any(is_alive(pid) for pid in processes), "the end of all processes")


def test_an_orderly_end_leaves_no_process(server: LiveServer) -> None:
    processes = process_tree(server.pid)
    assert server.stop() == 0
    wait_until(lambda: not any(is_alive(pid) for pid in processes), "the end of all processes", seconds=5)


def test_statistics_are_those_of_the_children_and_their_sum(server: LiveServer) -> None:
    client = server.site.client("somebody")
    for _ in range(6):
        client.call("GetConfig")
    statistics = client.call("get_statistics")
    counts = [
        statistics[f"Child-{number}:GetConfig"][3]
        for number in range(CHILDREN)
        if f"Child-{number}:GetConfig" in statistics
    ]
    assert sum(counts) == 6
    low, high, mean, count = statistics["Total:GetConfig"]
    assert count == 6
    assert 0 < low <= mean <= high
    assert any(name.startswith("Total:Core:") for name in statistics)


def test_what_a_client_has_uploaded_is_part_of_what_a_child_builds_next(server: LiveServer) -> None:
    for number in range(20):
        client = server.site.client(f"fresh{number}")
        client.call("DeclareVersion", f"1.4.{number}")
        assert client.call("GetConfig").startswith("<Configuration")
    listed = server.site.client("root").call("Metadata.list_clients")
    assert {f"fresh{number}" for number in range(20)} <= set(listed)


def test_expiring_and_debugging_reach_the_children(tmp_path: Path) -> None:
    site = LiveSite(tmp_path / "site", "multiprocessing", {"caching": {"client_metadata": "aggressive"}})
    with site.start() as server:
        client = site.client("somebody")
        client.call("GetConfig")
        assert client.call("expire_metadata_cache") is None
        assert client.call("set_debug", "true") is True
        client.call("GetConfig")
        assert client.call("Bundler.toggle_debug") is False
        assert client.call("set_debug", "false") is False
        server.signal(signal.SIGHUP)
        server.wait_for_log("The configuration has been reloaded", times=3)
        assert client.call("GetConfig").startswith("<Configuration")
        # A file monitor that is debugged tells every event, such as that of the list with the new client.
        grave = [line for line in server.grave() if not line.logger.startswith("geventcore.filemonitor")]
        assert not [line for line in grave if line.level != "WARNING"]
