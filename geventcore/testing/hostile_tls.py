"""Hostile cases before and during the TLS handshake."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct

from geventcore.testing.hostile import Visitor, case, read_to_end
from geventcore.testing.wire_client import Client

# -- instead of TLS


@case()
def garbage_instead_of_tls(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        sock.sendall(bytes(range(256)) * 20)
        read_to_end(sock)


@case()
def plain_http(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        sock.sendall(visitor.client.request("GetConfig"))
        assert b"200" not in read_to_end(sock)


@case()
def an_ssh_client(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        read_to_end(sock)


@case()
def silence_instead_of_tls(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        assert read_to_end(sock) == b""


@case(lines=0)
def a_connection_that_is_closed_at_once(visitor: Visitor) -> None:
    """Balancers do this to check that a server listens."""
    with visitor.plain():
        pass


@case(lines=0)
def a_connection_that_is_reset_at_once(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        _reset(sock)


def client_hello(client: Client) -> tuple[ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO, bytes]:
    """A client in memory, and the first thing that it says."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return tls, incoming, outgoing, outgoing.read()


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@case()
def half_a_hello_then_silence(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        sock.sendall(client_hello(visitor.client)[3][:100])
        assert read_to_end(sock) == b""


@case()
def a_hello_then_a_close(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        sock.sendall(client_hello(visitor.client)[3])
        sock.shutdown(socket.SHUT_WR)
        read_to_end(sock)


@case()
def a_close_after_the_servers_hello(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        sock.sendall(client_hello(visitor.client)[3])
        assert sock.recv(65536)


@case()
def a_reset_after_the_servers_hello(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        sock.sendall(client_hello(visitor.client)[3])
        assert sock.recv(65536)
        _reset(sock)


@case()
def silence_after_the_servers_hello(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        sock.sendall(client_hello(visitor.client)[3])
        assert read_to_end(sock)


@case()
def garbage_after_the_servers_hello(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        sock.sendall(client_hello(visitor.client)[3])
        assert sock.recv(65536)
        sock.sendall(b"\x16\x03\x03\x00\x10" + b"garbage in here!")
        read_to_end(sock)


@case()
def a_client_that_does_not_trust_the_server(visitor: Visitor) -> None:
    with visitor.plain() as sock:
        context = ssl.create_default_context()
        with contextlib.suppress(ssl.SSLCertVerificationError):
            context.wrap_socket(sock, server_hostname="localhost")
            raise AssertionError("the server is trusted")


def old_hello(version: bytes, suites: bytes = b"\xc0\x13\xc0\x09\x00\x2f\x00\x35\x00\x0a\x00\xff") -> bytes:
    """The first message of a client that knows no newer version than the one given."""
    extensions = b"\x00\x0a\x00\x06\x00\x04\x00\x17\x00\x18" + b"\x00\x0b\x00\x02\x01\x00"
    body = version + bytes(32) + b"\0" + struct.pack("!H", len(suites)) + suites + b"\x01\0"
    body += struct.pack("!H", len(extensions)) + extensions
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack("!H", len(handshake)) + handshake


def _is_refused_by_alert(visitor: Visitor, hello: bytes, description: int) -> None:
    with visitor.plain() as sock:
        sock.sendall(hello)
        answer = read_to_end(sock)
    # A record of type 21 that holds a fatal alert (2) and its description.
    assert answer[:1] == b"\x15"
    assert answer[5:7] == bytes([2, description])


@case()
def a_client_of_ssl_3(visitor: Visitor) -> None:
    _is_refused_by_alert(visitor, old_hello(b"\x03\x00"), 70)


@case()
def a_client_of_tls_1_0(visitor: Visitor) -> None:
    _is_refused_by_alert(visitor, old_hello(b"\x03\x01"), 70)


@case()
def a_client_of_tls_1_1(visitor: Visitor) -> None:
    _is_refused_by_alert(visitor, old_hello(b"\x03\x02"), 70)


@case()
def a_client_without_a_cipher_in_common(visitor: Visitor) -> None:
    _is_refused_by_alert(visitor, old_hello(b"\x03\x03", b"\x00\x2f\x00\x35\x00\xff"), 40)
