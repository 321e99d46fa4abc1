"""Hostile cases after the TLS handshake: in HTTP and XML-RPC."""

from __future__ import annotations

import contextlib
import ssl
import time

from geventcore.testing.hostile import MAX_BODY, UNREAD_ANSWERS, Visitor, case, expect, expect_fault
from geventcore.testing.wire_client import Connection

ENTITY_BOMB = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {name} "{f"&{inner};" * 10}">' for inner, name in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)
EXTERNAL_ENTITY = '<!DOCTYPE x [<!ENTITY secret SYSTEM "file:///etc/passwd">]>'


# -- instead of HTTP


@case()
def tls_then_silence(visitor: Visitor) -> None:
    with visitor.tls() as connection:
        assert connection.read_to_end() == b""


@case()
def tls_then_garbage(visitor: Visitor) -> None:
    assert visitor.ask(bytes(range(128, 256)) * 10 + b"\r\n\r\n").status == 400


@case()
def tls_then_nonsense_words(visitor: Visitor) -> None:
    assert visitor.ask(b"HELO mail.example.net\r\n\r\n").status in (400, 501)


@case()
def half_a_head_then_a_close(visitor: Visitor) -> None:
    with visitor.tls() as connection:
        connection.send(visitor.client.request("GetConfig")[:50])


@case()
def half_a_body_then_a_close(visitor: Visitor) -> None:
    with visitor.tls() as connection:
        connection.send(visitor.client.request("ping", "x" * 1000)[:-500])


@case()
def half_a_body_then_a_reset(visitor: Visitor) -> None:
    with visitor.tls() as connection:
        connection.send(visitor.client.request("ping", "x" * 1000)[:-500])
        connection.reset()


@case()
def half_a_body_then_goodbye(visitor: Visitor) -> None:
    with visitor.tls() as connection:
        connection.send(visitor.client.request("ping", "x" * 1000)[:-500])
        assert isinstance(connection.sock, ssl.SSLSocket)
        with contextlib.suppress(OSError):
            connection.sock.unwrap()


def _is_out_of_time(connection: Connection) -> None:
    assert connection.read_reply().status == 408
    assert connection.read_to_end() == b""


@case()
def half_a_head_then_silence(visitor: Visitor) -> None:
    with visitor.tls() as connection:
        connection.send(visitor.client.request("GetConfig")[:50])
        _is_out_of_time(connection)


@case()
def half_a_body_then_silence(visitor: Visitor) -> None:
    with visitor.tls() as connection:
        connection.send(visitor.client.request("ping", "x" * 1000)[:-500])
        _is_out_of_time(connection)


@case()
def a_head_that_never_ends(visitor: Visitor) -> None:
    """Something comes all the time, but the deadline is for the whole head."""
    with visitor.tls() as connection:
        connection.send(b"POST / HTTP/1.1\r\n")
        connection.sock.settimeout(0.3)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            connection.send(b"X: y\r\n")
            try:
                answer = connection.sock.recv(65536)
                break
            except TimeoutError:
                continue
        else:
            raise AssertionError("the server waits for ever")
        assert answer.startswith(b"HTTP/1.1 408 ")


@case()
def an_answer_that_is_never_read(visitor: Visitor) -> None:
    """All answers together are larger than what the kernel keeps for a client."""
    with visitor.tls(receive_buffer=4096) as connection:
        connection.send(visitor.client.with_changes(user="greedy").request("GetConfig") * UNREAD_ANSWERS)
        _is_cut_off(connection)


def _is_cut_off(connection: Connection) -> None:
    """The server closes a connection on which nothing is read: then what is sent is answered by a reset."""
    deadline = time.monotonic() + 30
    connection.sock.settimeout(1.0)
    try:
        while time.monotonic() < deadline:
            connection.send(b"X")
            time.sleep(0.1)
    except TimeoutError:
        # The server reads no more either.
        return
    except OSError:
        return
    raise AssertionError("the server keeps a connection on which nothing is read")


# -- bad HTTP

expect(
    431,
    lambda client: client.request("ping", headers={"X-Long": "x" * 40_000}),
    name="a huge head",
)
expect(
    413,
    lambda client: client.request("ping", headers={"Content-Length": str(2 * MAX_BODY)}, body=b""),
    name="a huge body that is announced",
)
expect(
    400,
    lambda client: client.request("ping", headers={"Content-Length": str(10**30)}, body=b""),
    name="a body of more bytes than there are",
)
expect(
    400,
    lambda client: client.request("ping", headers={"Content-Length": "-1"}, body=b""),
    name="a negative length",
)
expect(
    400,
    lambda client: client.request("ping", headers={"Transfer-Encoding": "chunked"}),
    name="a length and chunks",
)
expect(
    400,
    lambda client: client.request("ping").replace(b"Content-Length", b"Content-Length: 5\r\nContent-Length"),
    name="two lengths",
)
expect(
    400,
    lambda client: client.request(
        "ping", headers={"Transfer-Encoding": "chunked", "Content-Length": ""}, body=b"zz\r\n\r\n"
    ),
    name="chunks that are none",
)
expect(
    501,
    lambda client: client.request(
        "ping", headers={"Transfer-Encoding": "gzip, chunked", "Content-Length": ""}, body=b""
    ),
    name="an unknown transfer coding",
)
expect(417, lambda client: client.request("ping", headers={"Expect": "wonders"}), name="an unknown expectation")
expect(505, lambda client: client.request("ping", version="2.0"), name="an unknown version")
expect(405, lambda client: client.request("ping").replace(b"POST", b"PUT", 1), name="another method")
expect(
    400,
    lambda client: client.request("ping", headers={"X-Bad": "a\0b"}),
    name="a null character in a header",
)


@case()
def a_huge_body_in_chunks(visitor: Visitor) -> None:
    client = visitor.client
    with visitor.tls() as connection:
        connection.send(
            client.request("ping", headers={"Transfer-Encoding": "chunked", "Content-Length": ""}, body=b"")
        )
        with contextlib.suppress(OSError):
            for _ in range(2 * MAX_BODY // 4096):
                connection.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        assert connection.read_reply().status == 413


# -- bad credentials

expect(
    401,
    lambda client: client.request("GetConfig", headers={"Authorization": ""}),
    name="no credentials",
)
for _name, _value in {
    "credentials that are not base64": "Basic !!!",
    "half of a base64 quantum": "Basic cm9vd",
    "a scheme without credentials": "Basic",
    "credentials that are not UTF-8": "Basic //79/A==",
    "credentials without a colon": "Basic cm9vdA==",
    "a huge user name": "Basic " + "QUFB" * 3000,
    "a null character in the user name": "Basic AHBsYWluOng=",
}.items():
    expect(
        401,
        lambda client, value=_value: client.request("GetConfig", headers={"Authorization": value}),  # type: ignore[misc]
        name=_name,
    )

# -- bad XML-RPC

_CALL = "<methodCall><methodName>ping</methodName><params><param><value>{}</value></param></params></methodCall>"
for _name, _body in {
    "an empty body": b"",
    "a body that is not XML": b"GetConfig please",
    "half of a call": _CALL.format("x").encode()[:-20],
    "another document": b"<html/>",
    "a response": b"<methodResponse><params><param><value>x</value></param></params></methodResponse>",
    "a call that is not UTF-8": _CALL.format("\xff").encode("latin-1"),
    "another encoding": b"<?xml version='1.0' encoding='utf-7'?>" + _CALL.format("x").encode(),
    "an unknown encoding": b"<?xml version='1.0' encoding='no-such'?>" + _CALL.format("x").encode(),
    "an entity bomb": (ENTITY_BOMB + _CALL.format("&i;")).encode(),
    "an external entity": (EXTERNAL_ENTITY + _CALL.format("&secret;")).encode(),
    "deep nesting": _CALL.format("<array><data><value>" * 3000 + "</value></data></array>" * 3000).encode(),
    "deep nesting without an end": b"<methodCall>" + b"<a>" * 300_000,
    "an integer that is none": _CALL.format("<int>many</int>").encode(),
    "an integer that is too large": _CALL.format(f"<int>{'9' * 5000}</int>").encode(),
    "a million values": _CALL.format("<array><data>" + "<value/>" * 120_000 + "</data></array>").encode(),
    "an unknown type": _CALL.format("<complex>1</complex>").encode(),
    "no method name": b"<methodCall><methodName/></methodCall>",
}.items():
    expect(500, lambda client, body=_body: client.request("", body=body), name=_name)  # type: ignore[misc]

# -- calls that cannot be

expect_fault(-32601, "no_such_method", name="an unknown method")
expect_fault(-32601, "__class__", name="a name with underscores")
expect_fault(1, "GetConfig", "too", "many", name="too many arguments")
expect_fault(1, "DeclareVersion", name="too few arguments")
expect_fault(1, "DeclareVersion", {"version": 1}, name="an argument of a wrong type")
expect_fault(-32500, "DeclareVersion", "9" * 1000, name="a long version")
expect_fault(-32500, "AssertProfile", "../../etc/passwd", name="a path instead of a profile")
expect_fault(-32500, "RecvProbeData", "not XML", name="probe data that are not XML")
expect_fault(-32500, "RecvProbeData", ENTITY_BOMB + "<ProbeData>&i;</ProbeData>", name="an entity bomb in probe data")
expect_fault(-32500, "RecvProbeData", "<a>" * 100_000, name="deep nesting in probe data")
expect_fault(1, "RecvStats", "not XML", name="statistics that are not XML")
expect_fault(1, "RecvStats", ENTITY_BOMB + "<Statistics>&i;</Statistics>", name="an entity bomb in statistics")
expect_fault(1, "RecvStats", "<a>" * 100_000, name="deep nesting in statistics")
expect_fault(1, "RecvStats", "<upload-statistics/>", name="statistics without statistics")
