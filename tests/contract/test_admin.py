"""The admin listener and what it counts, with every core."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import ssl
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from geventcore.admin.client import Reply, ask
from geventcore.admin.http_server import MAX_CONNECTIONS
from geventcore.metrics.exposition import parse
from geventcore.metrics.families import definitions
from geventcore.options.listen_address import parse_address
from geventcore.testing.live_site import PATIENCE_SECONDS, LiveServer, LiveSite, wait_until
from geventcore.testing.site_files import PLUGINS, free_port
from tests.support.metric_values import values_in

#: Cores whose pool of connections is an option, with that option.
POOLS = {
    "builtin": ("builtin", "threads"),
    "cherrypy": ("cherrypy", "threads"),
    "gevent": ("gevent", "pool_size"),
    "multiprocessing": ("builtin", "threads"),
}


class AdminSite:
    """A site whose admin listener is a UNIX socket."""

    def __init__(self, new_site: Callable[..., LiveSite], **sections: dict[str, str]) -> None:
        self.site = new_site(options=sections, plugins=[*PLUGINS, "geventcore.testing.gate.Gate"])
        self.path = self.site.directory / "admin.sock"
        self.site.options["admin"]["listen"] = f"unix:{self.path}"

    def ask(self, path: str, **named: str) -> Reply:
        return ask(parse_address(f"unix:{self.path}"), path, **named)  # type: ignore[arg-type]

    def values(self) -> Callable[..., float]:
        """The value of a metric with some labels, of now; the sum if others differ."""
        return values_in(self.ask("/metrics").text)


@pytest.fixture(scope="module")
def admin(new_site: Callable[..., LiveSite]) -> AdminSite:
    return AdminSite(new_site)


@pytest.fixture(scope="module")
def server(admin: AdminSite) -> Iterator[LiveServer]:
    with admin.site.start() as running:
        yield running


def test_health_readiness_and_what_else_there_is(admin: AdminSite, server: LiveServer) -> None:
    assert admin.ask("/healthz") == Reply(200, "text/plain; charset=utf-8", "ok\n")
    assert admin.ask("/readyz?verbose") == Reply(
        200, "text/plain; charset=utf-8", "database: ok\nrepository: ok\nserving: ok\ncertificates: ok\nfiles: ok\n"
    )
    assert admin.ask("/").text.split() == ["/debug/greenlets", "/healthz", "/metrics", "/readyz", "/readyz/local"]
    assert admin.ask("/metrics/").status == 404
    assert "/admin/http_server.py" in admin.ask("/debug/greenlets").text
    assert stat.S_IMODE(admin.path.stat().st_mode) == 0o660


def test_every_metric_is_there_and_both_texts_are_well_formed(admin: AdminSite, server: LiveServer) -> None:
    plain = admin.ask("/metrics", accept="text/plain;version=0.0.4")
    assert plain.content_type.startswith("text/plain; version=0.0.4")
    assert parse(plain.text)
    for definition in definitions():
        assert f"# TYPE {definition.name}" in plain.text
    opened = admin.ask("/metrics", accept="application/openmetrics-text;version=1.0.0;q=0.9,text/plain;q=0.1")
    assert opened.content_type.startswith("application/openmetrics-text")
    families = {family.name: family for family in parse_openmetrics(opened.text)}
    assert set(families) == {definition.name for definition in definitions()}
    for definition in definitions():
        for sample in families[definition.name].samples:
            assert set(sample.labels) - {"le"} == set(definition.labels), sample


def test_calls_are_counted(admin: AdminSite, server: LiveServer) -> None:
    site = admin.site
    client = site.client("plain")
    before = admin.values()
    with client.connect() as connection:
        for _ in range(3):
            assert connection.call(client, "ping", 1) == [1]
    client.call("GetConfig")
    refused = client.with_changes(password="wrong")
    assert refused.exchange(refused.request("ping")).status == 401
    assert client.exchange(client.request("GetDecisionList", 1)).status == 200
    assert client.exchange(client.request("made_up_by_a_client")).status == 200
    with socket.create_connection(("127.0.0.1", site.port)) as plain_http:
        plain_http.sendall(b"GET / HTTP/1.0\r\n\r\n")
        plain_http.recv(1000)

    def rise(name: str, **labels: str) -> float:
        return after(name, **labels) - before(name, **labels)

    wait_until(lambda: admin.values()("geventcore_connections") == 0, "all connections are closed")
    after = admin.values()
    assert rise("geventcore_requests_total", method="ping", outcome="ok") == 3
    assert rise("geventcore_requests_total", method="GetConfig", outcome="ok") == 1
    assert rise("geventcore_requests_total", method="GetDecisionList", outcome="fault") == 1
    assert rise("geventcore_requests_total", method="", outcome="fault") == 1
    assert rise("geventcore_requests_total", method="", outcome="401") == 1
    assert "made_up" not in admin.ask("/metrics").text
    assert rise("geventcore_method_seconds_count", method="ping") == 3
    for phase, count in (
        ("handshake", 5),
        ("head", 7),
        ("authenticate", 7),
        ("body", 6),
        ("dispatch", 6),
        ("write", 7),
    ):
        assert rise("geventcore_request_phase_seconds_count", phase=phase) == count, phase
    assert rise("geventcore_connections_accepted_total") == 6
    assert rise("geventcore_tls_handshakes_total", version="TLSv1.3") == 5
    assert rise("geventcore_tls_handshake_failures_total", reason="plain_http") == 1
    assert rise("geventcore_render_step_seconds_count", step="validate_structures") == 1
    assert rise("geventcore_plugin_calls_total", plugin="Bundler", hook="build_structures") == 1
    assert rise("geventcore_entries_failed_total") == 0
    assert after("geventcore_ready", check="repository") == 1
    assert after("geventcore_info", core=site.core) == 1
    processes = after("geventcore_processes", state="answered")
    assert after("geventcore_process_resident_memory_bytes") > processes * 10_000_000
    assert after("geventcore_cpu_seconds_total") > 0


def test_changes_of_files_are_counted(admin: AdminSite, server: LiveServer) -> None:
    (admin.site.repository / "Bundler" / "another.xml").write_text("<Bundle/>")
    wait_until(lambda: admin.values()("geventcore_file_events_total", action="created") >= 1, "the event is counted")
    assert admin.values()("geventcore_file_event_failures_total") == 0
    (admin.site.repository / "Bundler" / "another.xml").write_text("<Bundle")
    wait_until(lambda: admin.values()("geventcore_file_event_failures_total") >= 1, "the failure is counted")


def test_a_handshake_that_is_not_finished(admin: AdminSite, server: LiveServer) -> None:
    before = admin.values()
    with socket.create_connection(("127.0.0.1", admin.site.port)):
        wait_until(lambda: admin.values()("geventcore_connections", state="handshake") == 1, "the open connection")
    context = ssl.create_default_context()
    with pytest.raises(ssl.SSLError), socket.create_connection(("127.0.0.1", admin.site.port)) as sock:
        context.wrap_socket(sock, server_hostname="localhost")
    name = "geventcore_tls_handshake_failures_total"
    wait_until(
        lambda: all(
            admin.values()(name, reason=reason) == before(name, reason=reason) + 1
            for reason in ("closed", "server_untrusted")
        ),
        "the failures are counted",
    )


def test_hostile_askers(admin: AdminSite, server: LiveServer) -> None:
    resources = server.settled_resources()

    def connect() -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(PATIENCE_SECONDS)
        sock.connect(str(admin.path))
        return sock

    def reply(data: bytes) -> bytes:
        with connect() as sock:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                sock.sendall(data)
            answer = b""
            while piece := sock.recv(65536):
                answer += piece
            return answer

    with contextlib.ExitStack() as stack:
        # Silent ones, slow ones, and those that never read what they asked for: more than there is room for.
        crowd = [stack.enter_context(connect()) for _ in range(3 * MAX_CONNECTIONS)]
        for number, sock in enumerate(crowd):
            with contextlib.suppress(OSError):
                sock.sendall((b"", b"GET /metr", b"GET /metrics HTTP/1.0\r\n\r\n")[number % 3])
        assert admin.ask("/healthz").status == 200
        assert admin.ask("/metrics").status == 200
    assert reply(b"POST /metrics HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 405 ")
    assert reply(b"GET /metrics HTTP/1.0\r\nContent-Length: 5\r\n\r\n").startswith(b"HTTP/1.1 413 ")
    assert reply(b"GET / HTTP/1.0\r\nX: " + 9000 * b"a" + b"\r\n\r\n").startswith(b"HTTP/1.1 431 ")
    assert reply(b"\x16\x03\x01").startswith(b"HTTP/1.1 400 ")
    assert reply(b"GET " + b"/.." * 5 + b"/etc/passwd HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 404 ")
    head = reply(b"HEAD /metrics HTTP/1.0\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert head.endswith(b"\r\n\r\n")
    assert server.settled_resources().within(resources), server.describe_descriptors()
    assert not [line for line in server.grave() if "admin" in line.logger]


@contextlib.contextmanager
def slow_calls(admin: AdminSite, server: LiveServer, count: int) -> Iterator[list[Future[str]]]:
    with ThreadPoolExecutor(count) as executor:
        calls = [executor.submit(admin.site.client(f"slow{number}").call, "GetConfig") for number in range(count)]
        try:
            server.wait_for_log("waits at the gate", times=2)
            yield calls
        finally:
            (admin.site.repository / "gate-is-open").touch()


def test_it_answers_while_every_place_is_taken_and_until_the_end(core: str, new_site: Callable[..., LiveSite]) -> None:
    places = 4
    name = core.removesuffix("-workers")
    section, option = POOLS.get(name, (name, "threads"))
    admin = AdminSite(new_site, **{section: {option: str(places)}})
    # With several processes it is chance who accepts how many.
    if name == "gevent":
        admin.site.options[section]["workers"] = "1"
    elif name == "multiprocessing":
        admin.site.options["server"]["children"] = "1"
    with admin.site.start() as server, slow_calls(admin, server, 8) as calls:
        assert admin.ask("/healthz").status == 200
        assert admin.ask("/readyz").status == 200
        if name == "gevent":
            # One address gets half of the places.
            pool, expected = "requests", (len(calls), places, places / 2, len(calls) - places / 2)
        else:
            pool, expected = "connections", (places, places, places, 0) if name in POOLS else (len(calls), 0, 0, 0)

        def full() -> tuple[float, ...]:
            value = admin.values()
            used = (value(f"geventcore_pool_{what}", pool=pool) for what in ("limit", "used"))
            # What cherrypy has accepted, and what the kernel has, waits; how much of each is theirs to know.
            waiting = value("geventcore_pool_waiting", pool=pool) if name == "gevent" else 0
            return value("geventcore_connections", state="active"), *used, waiting

        wait_until(lambda: full() == expected, "all places are taken")
        assert not any(call.done() for call in calls)
        assert "gate.py" in admin.ask("/debug/greenlets").text
        server.signal(signal.SIGTERM)
        wait_until(lambda: admin.ask("/readyz").status == 503, "the server says that it ends")
        assert "serving: the server ends" in admin.ask("/readyz").text
        assert admin.ask("/healthz").status == 200
        (admin.site.repository / "gate-is-open").touch()
        assert server.wait() == 0
        assert not admin.path.exists()


def test_what_a_crash_has_left_is_replaced_and_what_others_use_is_not(new_site: Callable[..., LiveSite]) -> None:
    admin = AdminSite(new_site)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(admin.path))
    with admin.site.start():
        assert admin.ask("/healthz").status == 200
        second = AdminSite(new_site)
        second.site.options["admin"]["listen"] = f"unix:{admin.path}"
        with second.site.launch() as failing:
            assert failing.wait() == 1
            (line,) = [line.message for line in failing.log() if line.level == "CRITICAL"]
            reason = f"[admin] listen: cannot listen on unix:{admin.path}: Address already in use"
            assert re.search(rf"{re.escape(str(second.site.configuration))}:\d+: {re.escape(reason)}", line)
        assert admin.ask("/healthz").status == 200


def test_loopback(new_site: Callable[..., LiveSite]) -> None:
    port = free_port()
    site = new_site(options={"admin": {"listen": f"127.0.0.1:{port}, [::1]:{port}"}})
    with site.start() as server:
        for host in ("127.0.0.1", "[::1]"):
            assert ask(parse_address(f"{host}:{port}"), "/readyz").status == 200
            assert ask(parse_address(f"{host}:{port}"), "/debug/greenlets").status == 200
        # A page of somebody else's, whose name leads here (DNS rebinding).
        for name, status in (
            ("attacker.example", 421),
            (f"attacker.example:{port}", 421),
            ("", 421),
            ("localhost", 200),
        ):
            with socket.create_connection(("127.0.0.1", port)) as sock:
                sock.sendall(f"GET /metrics HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
                assert sock.makefile("rb").readline().split()[1] == str(status).encode(), name
        assert not server.grave()
