"""Balancers in front of the server tell by the PROXY protocol who calls; nobody else may."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from geventcore.testing.hostile import read_to_end
from geventcore.testing.live_site import LiveServer, LiveSite, LogLine, wait_until
from geventcore.testing.proxy_headers import LOCAL, through, version_1, version_2
from geventcore.testing.site_files import free_port
from geventcore.testing.wire_client import Connection, HTTPStatusError
from geventcore.wire.proxy_protocol import SIGNATURE

#: Where the balancer calls from; clients of it are told apart by the addresses in its headers.
BALANCER = "127.0.2.1"
#: The address of the client "plain", see `geventcore.testing.contract_repository.CLIENTS`.
HOME = "127.0.0.11"


@pytest.fixture(scope="module")
def server(new_site: Callable[..., LiveSite]) -> Iterator[LiveServer]:
    site = new_site(options={"server": {"proxy_protocol": f"{BALANCER}, 127.0.2.16/28"}})
    with site.start() as running:
        yield running


def caller(server: LiveServer, *header: bytes) -> str:
    """The client that the server takes a caller for who has a header, and gives only the password."""
    client = server.site.client("root", source=BALANCER)
    with through(client, *header) as connection:
        configuration = str(connection.call(client, "GetConfig"))
    return configuration.partition("/client/")[2].partition('"')[0]


@pytest.mark.parametrize("make", [version_1, version_2])
def test_the_address_in_the_header_counts(server: LiveServer, make: Callable[[str], bytes]) -> None:
    header = make(HOME)
    assert caller(server, header) == "plain"
    assert caller(server, header[:5], header[5:13], header[13:20], header[20:]) == "plain"
    assert caller(server, make(f"::ffff:{HOME}")) == "plain"


def test_access_is_decided_by_the_address_in_the_header(server: LiveServer) -> None:
    """By default plugins' own methods are for the server's machine only, where the balancer is, too."""
    client = server.site.client("plain", source=BALANCER)
    for header, allowed in (
        (version_2("127.0.0.1"), True),
        (version_2("192.0.2.7"), False),
        (version_1("2001:db8::7"), False),
        (version_1("::1"), True),
    ):
        with through(client, header) as connection:
            if allowed:
                assert connection.call(client, "Metadata.list_clients")
            else:
                with pytest.raises(HTTPStatusError, match="401"):
                    connection.call(client, "Metadata.list_clients")
    assert [line.message for line in server.grave() if "192.0.2.7" in line.message] == [
        "192.0.2.7:12345: access to Metadata.list_clients denied by an access-control plugin"
    ]
    assert any(line.message.startswith("[2001:db8::7]:12345: access") for line in server.grave())


@pytest.mark.parametrize("header", [LOCAL, b"PROXY UNKNOWN\r\n"])
def test_a_balancer_may_call_on_its_own_account(server: LiveServer, header: bytes) -> None:
    client = server.site.client("plain", source=BALANCER)
    with through(client, header) as connection:
        assert connection.call(client, "ping") == []


def all_lines_about(server: LiveServer, *addresses: str) -> list[LogLine]:
    return [line for line in server.log() if line.message.startswith(tuple(f"{address}:" for address in addresses))]


def lines_about(server: LiveServer, address: str) -> list[LogLine]:
    return [line for line in all_lines_about(server, address) if line.is_grave]


@pytest.mark.parametrize(
    ("number", "data", "reason"),
    [
        (16, b"\x16\x03\x01\x02\x00\x01\x00\x01", "there is no PROXY header"),
        (17, b"PROXY TCP4 here there 1 2\r\n", "malformed address"),
        (18, b"PROXY " + b"1" * 200, "more than 107 bytes"),
        (19, SIGNATURE + b"\x21\x11\xff\xff", "4096 are accepted"),
        (21, b"", "timed out waiting for the PROXY header"),
    ],
)
def test_a_bad_header_ends_the_connection(server: LiveServer, number: int, data: bytes, reason: str) -> None:
    address = f"127.0.2.{number}"
    with server.site.client(source=address).connect_plain() as sock:
        sock.sendall(data)
        assert read_to_end(sock) == b""
    wait_until(lambda: lines_about(server, address), "a line about it")
    (line,) = lines_about(server, address)
    assert line.level == "WARNING"
    assert reason in line.message


def test_a_connection_that_ends_in_the_header(server: LiveServer) -> None:
    address = "127.0.2.22"
    with server.site.client(source=address).connect_plain() as sock:
        sock.sendall(version_2(HOME)[:20])
    wait_until(lambda: lines_about(server, address), "a line about it")
    assert "ends in the PROXY header" in lines_about(server, address)[0].message


def reset(sock: socket.socket) -> None:
    """Close with a reset, as balancers end their checks."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize("end", [socket.socket.close, reset])
def test_checks_whether_somebody_listens_leave_no_line(
    server: LiveServer, end: Callable[[socket.socket], None]
) -> None:
    address, unlisted = "127.0.2.23", "127.0.3.23"
    client = server.site.client("plain", source=address)
    for _ in range(5):
        end(client.connect_plain())
        end(server.site.client(source=unlisted).connect_plain())
        sock = client.connect_plain()
        sock.sendall(LOCAL)
        end(sock)
        # A check of TLS ends when it has seen the server's certificate.
        sock = client.connect_plain()
        sock.sendall(LOCAL)
        end(client.context().wrap_socket(sock, server_hostname="localhost"))
    with through(client, LOCAL) as connection:
        connection.call(client, "ping")
    wait_until(lambda: server.site.client("plain").call("ping") == [], "an answer")
    assert all_lines_about(server, address, unlisted) == []


@pytest.mark.parametrize("header", [version_1(HOME), version_2(HOME)])
def test_nobody_else_may_send_a_header(server: LiveServer, header: bytes) -> None:
    with server.site.client("plain").connect_plain() as sock:
        name = sock.getsockname()
        sock.sendall(header)
        read_to_end(sock)
    wait_until(lambda: lines_about(server, f"{name[0]}:{name[1]}"), "a line about it")
    (line,) = lines_about(server, f"{name[0]}:{name[1]}")
    assert "does not speak TLS" in line.message
    assert "[server] proxy_protocol" in line.message
    assert server.site.client("plain").call("ping") == []


_HAPROXY = """\
global
    maxconn 100
defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
frontend clients
    bind 127.0.0.1:{port}
    default_backend servers
backend servers
    source {balancer}
    option tcp-check
    server one 127.0.0.1:{server} send-proxy{version} check inter 20ms
"""


@pytest.mark.parametrize("version", ["", "-v2"])
def test_behind_haproxy(server: LiveServer, core: str, version: str, tmp_path: Path) -> None:
    program = shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy")
    if program is None:
        pytest.skip("haproxy is not installed")
    if core != "gevent":
        pytest.skip("what a balancer sends is the same for every core")
    port = free_port()
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text(
        _HAPROXY.format(port=port, balancer=BALANCER, server=server.site.port, version=version), encoding="ascii"
    )
    said = all_lines_about(server, BALANCER)
    with subprocess.Popen([program, "-q", "-db", "-f", str(configuration)]) as balancer:
        try:
            client = server.site.client("root", source=HOME).with_changes(port=port)
            # The balancer answers at once; until its first check has passed, it closes what it gets.
            configurations = []

            def is_served() -> bool:
                with contextlib.suppress(OSError, EOFError):
                    configurations.append(str(client.call("GetConfig")))
                return bool(configurations)

            wait_until(is_served, "an answer through the balancer")
            assert "/client/plain" in configurations[0]
            for _ in range(20):
                assert client.call("GetProbes")
        finally:
            balancer.terminate()
    assert all_lines_about(server, BALANCER) == said


_WITH_UNIX_SOCKET = """
import os, socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.bind(sys.argv[1])
sock.listen()
os.dup2(sock.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execvp(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.parametrize("listed", [True, False])
def test_a_balancer_behind_a_local_socket(
    new_site: Callable[..., LiveSite], core: str, listed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if core not in ("gevent", "builtin"):
        pytest.skip("only these cores listen on local sockets")
    site = new_site(options={"server": {"proxy_protocol": "unix" if listed else ""}})
    path = str(tmp_path_factory.getbasetemp() / f"sock-{core}-{listed}")
    with site.launch(starter=[sys.executable, "-c", _WITH_UNIX_SOCKET, path]) as server:
        server.wait_for_log("listens on")
        client = site.client("root")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            if listed:
                sock.sendall(version_2(HOME))
            with client.context().wrap_socket(sock, server_hostname="localhost") as tls:
                connection = Connection(tls)
                if listed:
                    assert "/client/plain" in str(connection.call(client, "GetConfig"))
                else:
                    # Who comes through such a socket on its own account is nobody's address.
                    with pytest.raises(HTTPStatusError, match="401"):
                        connection.call(client, "GetConfig")
    os.unlink(path)


def test_a_mistake_in_the_option_stops_the_start(new_site: Callable[..., LiveSite]) -> None:
    site = new_site(options={"server": {"proxy_protocol": "127.0.0.1, 10.0.0.1/8"}})
    with site.launch() as server:
        assert server.wait() == 1
        text = server.log_text()
    assert "[server] proxy_protocol" in text
    assert "10.0.0.1/8 has host bits set" in text
    assert "Traceback" not in text
