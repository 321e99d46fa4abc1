"""What only the gevent core has: workers that serve alike, share what they learn, and are replaced."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from geventcore.testing.contract_repository import HOSTS
from geventcore.testing.live_site import (
    PATIENCE_SECONDS,
    LiveServer,
    LiveSite,
    is_alive,
    process_tree,
    state_of,
    wait_until,
)
from geventcore.testing.neighbours import Neighbours, assert_unharmed
from geventcore.testing.site_files import PLUGINS
from geventcore.testing.wire_client import Client

WORKERS = 3
#: A client that is in the list: what a new one does has to be told to workers that a test has stopped.
KNOWN = HOSTS[0]


def new_site(directory: Path, plugins: tuple[str, ...] = (), **gevent: str) -> LiveSite:
    options = {"gevent": {"workers": str(WORKERS), **gevent}, "caching": {"client_metadata": "aggressive"}}
    return LiveSite(directory / "site", "gevent", options, plugins=[*PLUGINS, *plugins])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    with new_site(tmp_path).start() as running:
        yield running


def is_stopped(pid: int) -> bool:
    """Whether all threads of a process stand still."""
    return all(state_of(task) in ("T", "") for task in Path(f"/proc/{pid}/task").iterdir())


def workers_of(server: LiveServer) -> list[int]:
    """The processes that serve."""
    return [pid for pid in process_tree(server.pid)[1:] if is_alive(pid)]


@contextlib.contextmanager
def alone(server: LiveServer, worker: int) -> Iterator[None]:
    """Only this worker runs in the block, so it answers whatever is asked."""
    others = [pid for pid in workers_of(server) if pid != worker]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: all(map(is_stopped, others)), "the others to stand still")
        yield
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


def of_each(server: LiveServer, client: Client, method: str, *arguments: object) -> list[str]:
    """What each worker answers."""
    answers = []
    for worker in workers_of(server):
        with alone(server, worker):
            answers.append(str(client.call(method, *arguments)))
    assert len(answers) == WORKERS
    return answers


def replace(server: LiveServer, victim: int) -> int:
    """Kill a worker, and return the one that takes its place."""
    before = set(workers_of(server))
    said = server.log_text().count("serves")
    os.kill(victim, signal.SIGKILL)
    server.wait_for_log("serves", times=said + 1)
    (new,) = set(workers_of(server)) - before
    return new


# -- what one learns, all know


def test_every_worker_serves(server: LiveServer) -> None:
    for answer in of_each(server, server.site.client(KNOWN), "GetConfig"):
        assert "/etc/motd" in answer


def test_a_probes_group_counts_in_every_worker_when_the_upload_is_answered(server: LiveServer) -> None:
    client = server.site.client(KNOWN)
    assert not any("/etc/probed" in answer for answer in of_each(server, client, "GetConfig"))
    for sender in workers_of(server):
        for group, is_member in (("probed", True), ("other", False)):
            data = f'<ProbeData><probe-data name="kernel" source="Probes">group:{group}</probe-data></ProbeData>'
            assert client.call("RecvProbeData", data) is True
            answers = of_each(server, client, "GetConfig")
            assert [("/etc/probed" in answer) for answer in answers] == [is_member] * WORKERS, sender


def test_new_clients_versions_and_removals_are_known_to_every_worker(server: LiveServer) -> None:
    root = server.site.client(KNOWN)
    for number in range(4):
        assert server.site.client(f"fresh{number}").call("DeclareVersion", f"1.4.{number}") is True
    for name in ("fresh0", "plain"):
        assert root.call("Metadata.remove_client", name) is None
    for listed in of_each(server, root, "Metadata.list_clients"):
        assert "fresh3" in listed
        assert "fresh0" not in listed
        assert "plain" not in listed


def test_what_many_say_at_once_is_known_to_every_worker(server: LiveServer) -> None:
    with Neighbours(server.site, 30) as neighbours:
        pass
    assert_unharmed(neighbours.runs)
    answers = of_each(server, server.site.client(KNOWN), "Metadata.list_clients")
    assert len(set(answers)) == 1


def test_an_edited_file_counts_in_every_worker(server: LiveServer) -> None:
    motd = next((server.site.repository / "Cfg/etc/motd").iterdir())
    motd.write_text("edited\n")
    client = server.site.client(KNOWN)
    for worker in workers_of(server):
        with alone(server, worker):
            wait_until(lambda: "edited" in client.call("GetConfig"), "the new content")


def test_debugging_and_statistics_are_those_of_all_workers(server: LiveServer) -> None:
    client = server.site.client(KNOWN)
    for answer in of_each(server, client, "GetConfig"):
        assert answer
    assert client.call("get_statistics")["GetConfig"][3] == WORKERS
    # Whichever workers answer, each turns the switch of all.
    assert [client.call("Bundler.toggle_debug") for _ in range(10)] == [True, False] * 5
    for method, position in (("set_core_debug", True), ("toggle_core_debug", False), ("set_debug", True)):
        said = server.log_text().count(f"Core: debug is now {position}")
        client.call(method, *(["true"] if method.startswith("set") else []))
        assert server.log_text().count(f"Core: debug is now {position}") == said + WORKERS
    said = server.log_text().count("Core: debug is now True")
    replace(server, workers_of(server)[0])
    assert server.log_text().count("Core: debug is now True") == said + 1


# -- how workers come and go


def test_no_run_fails_while_workers_are_killed(server: LiveServer) -> None:
    with Neighbours(server.site, 20) as neighbours:
        for _ in range(3):
            replace(server, workers_of(server)[0])
    # A call that was under way is made again, as the client does; no run may fail.
    assert neighbours.runs
    assert [run.reason for run in neighbours.runs if run.reason] == []
    assert len(workers_of(server)) == WORKERS


def test_a_replacement_knows_what_happened_since_the_start(server: LiveServer) -> None:
    client = server.site.client(KNOWN)
    data = '<ProbeData><probe-data name="kernel" source="Probes">group:probed</probe-data></ProbeData>'
    assert client.call("RecvProbeData", data) is True
    assert client.call("DeclareVersion", "1.4.9") is True
    motd = next((server.site.repository / "Cfg/etc/motd").iterdir())
    motd.write_text("edited\n")
    for victim in workers_of(server):
        with alone(server, replace(server, victim)):
            answer = client.call("GetConfig")
            assert "/etc/probed" in answer
            assert "edited" in answer


def test_a_worker_that_is_told_to_end_finishes_and_is_replaced(server: LiveServer) -> None:
    with Neighbours(server.site, 10) as neighbours:
        victim = workers_of(server)[0]
        os.kill(victim, signal.SIGTERM)
        server.wait_for_log("serves")
    assert_unharmed(neighbours.runs)
    assert victim not in workers_of(server)
    assert "ended with status 0" in server.log_text()


def test_a_worker_that_is_stuck_is_replaced(tmp_path: Path) -> None:
    with new_site(tmp_path, worker_timeout="3").start() as server:
        victim = workers_of(server)[0]
        os.kill(victim, signal.SIGSTOP)
        server.wait_for_log("serves")
        assert victim not in workers_of(server)
        assert re.search(r"Worker 1 .* has not responded for", server.log_text())
        assert "/etc/motd" in server.site.client(KNOWN).call("GetConfig")


def test_workers_reload_one_after_the_other_and_no_run_fails(server: LiveServer) -> None:
    with Neighbours(server.site, 10) as neighbours:
        server.signal(signal.SIGHUP)
        # The master reads it, too: workers that are forked later begin with what it knows.
        server.wait_for_log("The configuration has been reloaded", times=WORKERS + 1)
    assert_unharmed(neighbours.runs)


def test_workers_end_with_their_master_however_it_ends(server: LiveServer) -> None:
    processes = process_tree(server.pid)
    server.signal(signal.SIGKILL)
    server.wait()
    wait_until(lambda: not any(is_alive(pid) for pid in processes), "the end of all processes")


def test_an_orderly_end_leaves_no_process(server: LiveServer) -> None:
    processes = process_tree(server.pid)
    assert server.stop() == 0
    wait_until(lambda: not any(is_alive(pid) for pid in processes), "the end of all processes", seconds=5)


def test_workers_that_cannot_serve_stop_the_start(tmp_path: Path) -> None:
    site = new_site(tmp_path, plugins=("failing_thread.FailingThread",))
    server = site.launch()
    with server:
        assert server.wait() == 1
        assert "before it was ready" in server.log_text()
        assert not any(is_alive(pid) for pid in process_tree(server.pid)[1:])


def test_a_server_can_be_told_to_end_while_its_workers_start(tmp_path: Path) -> None:
    workers = 1000
    with new_site(tmp_path, workers=str(workers)).launch() as server:
        wait_until(lambda: len(workers_of(server)) >= 2, "the first workers")
        server.signal(signal.SIGTERM)
        seen = []

        def is_over() -> bool:
            seen.append(len(process_tree(server.pid)))
            return server.process.process.poll() is not None

        wait_until(is_over, "the end of the server")
        assert server.process.process.returncode == 0
        assert max(seen) < workers / 2


def test_a_server_can_be_told_to_end_while_it_waits_for_the_database(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    site = new_site(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as database:
        site.options["metadata"] = {"use_database": "true"}
        port = str(database.getsockname()[1])
        # Longer than anything here is waited for.
        site.options["database"] = {"engine": "postgresql", "host": "127.0.0.1", "port": port, "timeout": "600"}
        with site.launch() as server:
            database.settimeout(PATIENCE_SECONDS)
            for _ in range(2):
                database.accept()[0].close()
            server.signal(signal.SIGTERM)
            database.close()
            assert server.wait() == 0
            assert "Told to end before clients were served" in server.log_text()
            assert "Traceback" not in server.log_text()
