"""The Host header on a TCP port of the admin listener: as a table, and over the wire."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from geventcore.testing.live_site import LiveSite
from geventcore.testing.site_files import free_port
from geventcore.wire.host_names import canonical, is_expected

NAMES = frozenset({"bcfg2.example.com", "192.0.2.7"})


@pytest.mark.parametrize(
    ("header", "own", "expected"),
    [
        ("127.0.0.1:6780", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("localhost:6780", "127.0.0.1", True),
        ("LOCALHOST.", "127.0.0.1", True),
        ("localhost", "::1", True),
        ("[::1]:6780", "::1", True),
        ("[0:0:0:0:0:0:0:1]", "::1", True),
        ("10.0.0.9:6780", "::ffff:10.0.0.9", True),
        ("bcfg2.example.com:6780", "10.0.0.9", True),
        ("BCFG2.Example.COM.", "10.0.0.9", True),
        ("192.0.2.7", "10.0.0.9", True),
        (None, "10.0.0.9", True),
        ("attacker.example", "127.0.0.1", False),
        ("localhost.attacker.example", "127.0.0.1", False),
        ("127.0.0.1.attacker.example", "127.0.0.1", False),
        ("bcfg2.example.com.attacker.example", "10.0.0.9", False),
        ("attacker.example:80@127.0.0.1", "127.0.0.1", False),
        ("127.0.0.1 attacker.example", "127.0.0.1", False),
        ("localhost", "10.0.0.9", False),
        ("10.0.0.8", "10.0.0.9", False),
        ("::1", "::1", False),
        ("", "127.0.0.1", False),
        (":6780", "127.0.0.1", False),
        ("[", "127.0.0.1", False),
    ],
)
def test_names_that_a_request_may_ask_by(header: str | None, own: str, expected: bool) -> None:
    assert is_expected(header, own, NAMES) is expected


def test_one_form_of_each_name() -> None:
    assert canonical("::FFFF:192.0.2.7") == "192.0.2.7"
    assert canonical("2001:DB8:0::1") == "2001:db8::1"
    assert canonical("A.Example.") == "a.example"


def status_line(target: tuple[str, int] | str, head: str) -> str:
    with socket.socket(socket.AF_UNIX if isinstance(target, str) else socket.AF_INET) as sock:
        sock.settimeout(20)
        sock.connect(target)
        sock.sendall(head.encode())
        with sock.makefile("rb") as stream:
            return stream.read().decode()


@pytest.mark.live
def test_a_page_under_a_name_of_its_own_reads_nothing(tmp_path: Path) -> None:
    port = free_port()
    listen = f"127.0.0.1:{port}, unix:{tmp_path}/admin.sock"
    site = LiveSite(tmp_path / "site", "gevent", options={"admin": {"listen": listen, "hosts": "Mon.example"}})
    with site.start():
        for path in ("/metrics", "/debug/greenlets", "/healthz", "/nothing"):
            answer = status_line(("127.0.0.1", port), f"GET {path} HTTP/1.1\r\nHost: evil.example:{port}\r\n\r\n")
            head, _, body = answer.partition("\r\n\r\n")
            assert head.startswith("HTTP/1.1 421 ")
            assert body == "this server is not known by the name in Host; see [admin] hosts\n"
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", "mon.example"):
            answer = status_line(("127.0.0.1", port), f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n")
            assert answer.startswith("HTTP/1.1 200 ")
        # A balancer that speaks HTTP/1.0, and a UNIX socket, which no browser opens.
        assert " 200 " in status_line(("127.0.0.1", port), "GET /healthz HTTP/1.0\r\n\r\n").splitlines()[0]
        unix = status_line(f"{tmp_path}/admin.sock", "GET /healthz HTTP/1.1\r\nHost: any.example\r\n\r\n")
        assert unix.startswith("HTTP/1.1 200 ")
