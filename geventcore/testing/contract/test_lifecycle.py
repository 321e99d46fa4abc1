"""The life of a server: where it listens, what it does on signals, and how it ends."""

from __future__ import annotations

import contextlib
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import pytest

from geventcore.testing.hostile import read_to_end
from geventcore.testing.live_site import PATIENCE_SECONDS, LiveServer, LiveSite, wait_until
from geventcore.testing.neighbours import Neighbours, assert_unharmed
from geventcore.testing.site_files import PLUGINS, free_port
from geventcore.testing.wire_client import Client

SLOW_CLIENTS = 5
NEIGHBOURS = 30


def gated_site(new_site: Callable[..., LiveSite], **options: str) -> LiveSite:
    return new_site(options={"server": options}, plugins=[*PLUGINS, "geventcore.testing.gate.Gate"])


def open_gate(site: LiveSite) -> None:
    (site.repository / "gate-is-open").touch()


@contextlib.contextmanager
def slow_calls(server: LiveServer, count: int = SLOW_CLIENTS) -> Iterator[list[Future[str]]]:
    """Calls that are under way, and end when the gate is opened."""
    with ThreadPoolExecutor(count) as executor:
        clients = [server.site.client(f"slow{number}") for number in range(count)]
        calls = [executor.submit(client.call, "GetConfig") for client in clients]
        # A process that builds configurations builds one at a time.
        server.wait_for_log("waits at the gate", times=min(count, 2))
        # Connections are accepted in the order of their arrival, so the others are accepted, too.
        for _ in range(2):
            server.site.client("plain").call("ping", 1)
        yield calls


def is_refused(client: Client) -> bool:
    try:
        client.connect_plain().close()
    except ConnectionRefusedError:
        return True
    return False


def is_kept_waiting(client: Client) -> bool:
    """Return true if a new connection is neither refused nor served, so that the next server may take it."""
    with client.connect_plain() as sock:
        sock.settimeout(1.0)
        try:
            with client.context().wrap_socket(sock, server_hostname="localhost"):
                return False
        except TimeoutError:
            return True


def presented_certificate(client: Client) -> bytes:
    with client.connect() as connection:
        assert isinstance(connection.sock, ssl.SSLSocket)
        return connection.sock.getpeercert(binary_form=True) or b""


# -- the end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_under_way_is_answered_and_nothing_new_is_taken(
    new_site: Callable[..., LiveSite], number: signal.Signals
) -> None:
    site = gated_site(new_site)
    client = site.client("plain")
    with site.start() as server, client.connect() as kept, client.connect() as unused, client.connect_plain() as silent:
        assert kept.call(client, "ping", 1) == [1]
        with slow_calls(server) as calls:
            server.signal(number)
            wait_until(lambda: is_kept_waiting(client), "new connections wait in the kernel's queue")
            assert not any(call.done() for call in calls)
            open_gate(site)
            for call in calls:
                assert ElementTree.fromstring(call.result(PATIENCE_SECONDS)).tag == "Configuration"
        assert server.wait() == 0
        assert kept.read_to_end() == unused.read_to_end() == b""
        assert read_to_end(silent) == b""
        assert not server.grave()
        assert "Traceback" not in server.log_text()


def test_what_takes_too_long_is_cut_off(new_site: Callable[..., LiveSite]) -> None:
    site = gated_site(new_site, drain_timeout="0.5")
    with site.start() as server:
        with slow_calls(server, count=2) as calls:
            server.signal(signal.SIGTERM)
            for call in calls:
                assert isinstance(call.exception(PATIENCE_SECONDS), OSError | EOFError)
        assert server.wait() == 0
        assert [line.message for line in server.grave() if "cut off" in line.message]


def test_a_port_is_free_again_after_the_end(new_site: Callable[..., LiveSite]) -> None:
    site = new_site()
    for _ in range(2):
        with site.start() as server:
            assert site.client("plain").call("ping", 1) == [1]
            assert server.stop() == 0


# -- the start


def failed_start(site: LiveSite, *arguments: str) -> str:
    """The output of a start that must fail, which has to be one line."""
    done = subprocess.run(
        site.command(*arguments), capture_output=True, text=True, check=False, env=site.environ(), timeout=60
    )
    assert done.returncode == 1, done
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def test_a_taken_port(new_site: Callable[..., LiveSite]) -> None:
    site = new_site()
    with socket.create_server(("127.0.0.1", site.port)):
        message = failed_start(site)
    assert f"127.0.0.1:{site.port}" in message
    assert "Address already in use" in message


def test_a_certificate_that_cannot_be_used(new_site: Callable[..., LiveSite]) -> None:
    site = new_site()
    path = site.server_site.certificate.certificate
    path.write_text("no certificate")
    message = failed_start(site)
    assert "[communication] certificate" in message
    assert str(path) in message


def test_a_plugin_that_cannot_be_loaded(new_site: Callable[..., LiveSite]) -> None:
    assert "no_such_module" in failed_start(new_site(plugins=[*PLUGINS, "no_such_module.Plugin"]))


# -- where it listens


def test_ipv6(new_site: Callable[..., LiveSite]) -> None:
    port = free_port("::1")
    site = new_site(options={"components": {"bcfg2": f"https://[::1]:{port}"}})
    with site.start() as server:
        assert f"listens on [::1]:{port}" in server.log_text()
        client = site.client("plain", host="::1").with_changes(port=port)
        assert client.call("ping", 1) == [1]
        # The server's own machine, for the default access control.
        assert "ping" in client.call("get_statistics")
        assert is_refused(client.with_changes(host="127.0.0.1"))
        with client.with_changes(password="wrong").connect() as connection:
            connection.send(client.with_changes(password="wrong").request("ping"))
            assert connection.read_reply().status == 401
            assert connection.name.startswith("[::1]:")
            server.wait_for_log(f"{connection.name}: ")


def test_all_addresses(new_site: Callable[..., LiveSite]) -> None:
    site = new_site(options={"server": {"listen_all": "true"}})
    with site.start():
        for host in ("127.0.0.1", "127.0.0.9", "::1"):
            assert site.client("plain", host=host).call("ping", host) == [host]


_PASS_A_SOCKET = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="bcfg2")
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_a_socket_that_systemd_passes(new_site: Callable[..., LiveSite]) -> None:
    site = new_site()
    port = free_port()
    starter = [sys.executable, "-c", _PASS_A_SOCKET, str(port)]
    with site.launch(starter=starter) as server:
        server.wait_for_log(f"listens on 127.0.0.1:{port}")
        client = site.client("plain")
        assert client.with_changes(port=port).call("ping", 1) == [1]
        assert is_refused(client)
        assert server.stop() == 0


# -- reloading


def test_a_new_certificate_under_load(new_site: Callable[..., LiveSite]) -> None:
    site = new_site()
    client = site.client("plain")
    with site.start() as server:
        old = presented_certificate(client)
        with client.connect() as kept, Neighbours(site, NEIGHBOURS) as neighbours:
            wait_until(lambda: neighbours.runs, "runs before the reload")
            site.write_certificate("server", site.issue_server_certificate())
            server.signal(signal.SIGHUP)
            wait_until(lambda: presented_certificate(client) != old, "the new certificate")
            ended = len(neighbours.runs)
            wait_until(lambda: len(neighbours.runs) > ended + NEIGHBOURS, "runs after the reload")
            assert kept.call(client, "ping", 1) == [1]
        assert_unharmed(neighbours.runs)
        assert not server.grave()


@pytest.mark.parametrize("broken", ["certificate", "configuration"])
def test_a_mistake_in_a_reload_changes_nothing(new_site: Callable[..., LiveSite], broken: str) -> None:
    site = new_site()
    client = site.client("plain")
    with site.start() as server:
        old = presented_certificate(client)
        path = site.server_site.certificate.certificate if broken == "certificate" else site.configuration
        good = path.read_bytes()
        path.write_text("no certificate" if broken == "certificate" else "[server]\nmax_body = much\n")
        server.signal(signal.SIGHUP)
        wait_until(server.grave, "an error in the log")
        assert client.call("ping", 1) == [1]
        assert presented_certificate(client) == old
        # At once, so that no half of it is read.
        beside = path.with_suffix(".new")
        beside.write_bytes(good)
        beside.replace(path)
        server.signal(signal.SIGHUP)
        server.wait_for_log("has been reloaded")
        assert client.call("ping", 2) == [2]
        (line,) = server.grave()
        assert str(path) in line.message
        assert "Traceback" not in server.log_text()


def test_a_reload_tells_once_that_it_was_done_and_what_needs_a_restart(
    new_site: Callable[..., LiveSite], core: str
) -> None:
    site = new_site(options={"logging": {"verbose": "no"}, "caching": {"bound_entries": "32m"}})
    with site.start() as server:
        text = site.configuration.read_text()
        text = text.replace("bound_entries = 32m", "bound_entries = 16m").replace("verbose = no", "verbose = yes")
        site.configuration.write_text(text.replace("[server]\n", "[server]\nidle_timeout = 16\n"))
        server.signal(signal.SIGHUP)
        wait_until(server.grave, "a warning")
        reloaded = "The configuration has been reloaded"
        processes = len({line.pid for line in server.log() if line.message == reloaded})
        wait_until(lambda: not server.site.client("plain").call("ping"), "an answer")
        (line,) = server.grave()
        assert line.level == "WARNING"
        assert (
            line.message == "A restart is needed before these changes count: [logging] verbose, [caching] bound_entries"
        )
        said = [line.pid for line in server.log() if line.message == reloaded]
        assert len(said) == len(set(said)) >= processes


def test_a_new_password_counts_after_a_reload(new_site: Callable[..., LiveSite]) -> None:
    site = new_site()
    with site.start() as server:
        text = site.configuration.read_text()
        old = site.client("plain")
        site.configuration.write_text(text.replace(str(old.password), "another-password"))
        server.signal(signal.SIGHUP)
        new = old.with_changes(password="another-password")
        wait_until(lambda: new.exchange(new.request("ping")).status == 200, "the new password")
        # Processes reload one after the other.
        wait_until(lambda: old.exchange(old.request("ping")).status == 401, "the end of the old password")
        assert {new.exchange(new.request("ping")).status for _ in range(10)} == {200}


# -- the log file


def test_a_log_file_that_is_moved_away_is_begun_anew(new_site: Callable[..., LiveSite], tmp_path: Path) -> None:
    log, old = tmp_path / "server.log", tmp_path / "server.log.1"
    site = new_site(options={"logging": {"path": str(log)}})
    client = site.client("plain", "wrong")
    with site.start() as server:
        assert client.exchange(client.request("ping")).status == 401
        wait_until(lambda: "access denied" in log.read_text(), "a line in the log file")
        log.rename(old)
        server.signal(signal.SIGUSR1)
        wait_until(lambda: str(old) not in server.describe_descriptors(), "the old file is closed")
        said = old.read_text()
        assert client.exchange(client.request("ping")).status == 401
        wait_until(lambda: log.exists() and "access denied" in log.read_text(), "a line in the new file")
        assert old.read_text() == said
