"""The server's side of a connection, decided without I/O."""

from __future__ import annotations

import logging
from typing import Any
from xmlrpc.client import Fault

import pytest

from geventcore.errors import RPCError, ValidationError
from geventcore.metrics.timings import Timings
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import Address, ClientACLs
from geventcore.rpc.access import AccessControl
from geventcore.rpc.conversation import Close, Conversation, Phase, Read, Run, Write
from geventcore.rpc.methods import MethodTable, exposed, exposed_methods, remote_methods
from geventcore.rpc.peer import Peer
from geventcore.rpc.service import Service
from geventcore.wire import basicauth, http1, xmlrpc

PEER = Peer(("192.0.2.7", 4711))
AUTHORIZATION = basicauth.format_authorization("root", "password")


class Methods:
    """Some methods of a server."""

    @exposed("Echo")
    def echo(self, address: Address, value: Any) -> Any:
        """Give back the value and the address."""
        return [value, list(address)]

    @exposed("Refuse")
    def refuse(self, address: Address) -> None:
        raise ValidationError("not like this")

    @exposed("Fault")
    def fault(self, address: Address) -> None:
        raise RPCError(-32500, "Critical failure: too bad")

    @exposed("Unsendable")
    def unsendable(self, address: Address) -> object:
        return object()


class NobodyDebugs(ClientACLs):
    """Denies one method by address and leaves another to the metadata."""

    def check_acl_ip(self, address: Address, method: str) -> bool | None:
        if method == "Plugin.broken":
            raise ValueError("cannot decide")
        return {"Plugin.denied": False, "Plugin.asked": None}.get(method, True)

    def check_acl_metadata(self, metadata: ClientMetadata, method: str) -> bool:
        return "trusted" in metadata.groups


def service(groups: set[str] | None = None) -> Service:
    table = MethodTable()
    table.add(exposed_methods(Methods()))
    names = ("method", "denied", "asked", "broken")
    table.add(remote_methods("Plugin", dict.fromkeys(names, lambda *arguments: list(arguments))))

    def metadata(address: Address) -> ClientMetadata:
        if groups is None:
            raise RPCError(-32500, "nobody knows this client")
        return ClientMetadata("host", groups=groups)

    def authenticate(identity: object, user: str, password: str, address: Address) -> bool:
        if user == "crash":
            raise LookupError("no such thing")
        return password == "password"

    return Service(table, AccessControl(lambda: [NobodyDebugs()], metadata), authenticate, Timings())


def request(method: str, *params: Any, authorization: str | None = AUTHORIZATION, headers: str = "") -> bytes:
    body = xmlrpc.dump_call(method, params)
    login = f"Authorization: {authorization}\r\n" if authorization else ""
    head = f"POST /RPC2 HTTP/1.1\r\nHost: server\r\n{login}Content-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode("latin-1") + body


class Client:
    """Plays the driver: gives bytes, does the work, and collects what is sent."""

    def __init__(self, of: Service | None = None, **options: Any) -> None:
        self.conversation = Conversation(of or service(), PEER, http1.HTTPLimits(), **options)
        self.closed = False
        self.phase: Phase | None = None

    def send(self, data: bytes) -> bytes:
        """What the server sends until it wants to read again, or closes."""
        sent = b""
        while True:
            step = self.conversation.next_step()
            if isinstance(step, Read):
                self.phase = step.phase
                if data is None:
                    return sent
                self.conversation.receive_data(data)
                data = None  # type: ignore[assignment]
            elif isinstance(step, Run):
                step.work()
            elif isinstance(step, Write):
                sent += b"".join(step.buffers)
            elif isinstance(step, Close):
                self.closed = True
                return sent


def response(data: bytes) -> http1.Response:
    parser = http1.ResponseParser()
    parser.receive_data(data)
    event = parser.next_event()
    assert isinstance(event, http1.Response), event
    return event


def fault(data: bytes) -> tuple[int, str]:
    answer = response(data)
    assert answer.status == 200
    with pytest.raises(Fault) as caught:
        xmlrpc.parse_response(answer.body)
    return caught.value.faultCode, caught.value.faultString


def test_a_call_and_another_one_on_the_same_connection() -> None:
    client = Client()
    for value in ("one", "two"):
        answer = response(client.send(request("Echo", value)))
        assert answer.status == 200
        assert xmlrpc.parse_response(answer.body) == [value, ["192.0.2.7", 4711]]
        assert not client.closed
        assert client.phase is Phase.IDLE
        assert client.conversation.is_idle


def test_plugin_methods_get_no_address() -> None:
    assert xmlrpc.parse_response(response(Client().send(request("Plugin.method", 1, "x"))).body) == [1, "x"]


def test_two_requests_in_one_piece_get_two_answers() -> None:
    sent = Client().send(request("Echo", 1) + request("Echo", 2))
    parser = http1.ResponseParser()
    parser.receive_data(sent)
    values = [xmlrpc.parse_response(parser.next_event().body)[0] for _ in range(2)]  # type: ignore[union-attr]
    assert values == [1, 2]


def test_authentication_needs_only_the_head() -> None:
    client = Client()
    head = request("Echo", 1, authorization=basicauth.format_authorization("root", "wrong")).split(b"<?xml")[0]
    answer = response(client.send(head))
    assert answer.status == 401
    assert client.closed
    assert client.conversation.left_unread


@pytest.mark.parametrize(
    "authorization",
    [None, "Basic", "Basic %%%", "Basic /////w==", basicauth.format_authorization("crash", "password")],
)
def test_whoever_cannot_be_authenticated_gets_401_and_one_line(
    authorization: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client()
    answer = response(client.send(request("Echo", 1, authorization=authorization)))
    assert (answer.status, client.closed) == (401, True)
    assert "www-authenticate" not in dict(answer.headers)
    assert len(caplog.records) == 1
    assert "192.0.2.7:4711" in caplog.text


def test_faults() -> None:
    assert fault(Client().send(request("Nothing"))) == (-32601, "Unknown method Nothing")
    assert fault(Client().send(request("Fault"))) == (-32500, "Critical failure: too bad")
    assert fault(Client().send(request("Refuse"))) == (1, "not like this")
    assert fault(Client().send(request("Echo")))[0] == 1
    code, text = fault(Client().send(request("Unsendable")))
    assert code == 1
    assert text.startswith("TypeError:")


@pytest.mark.parametrize(
    "body", [b"", b"<x/>", b"no xml", b"<methodCall>", b'<?xml version="1.0"?><!DOCTYPE a []><a/>']
)
def test_what_is_no_call_gets_an_empty_500(body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    head = f"POST / HTTP/1.1\r\nHost: a\r\nAuthorization: {AUTHORIZATION}\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = response(Client().send(head.encode() + body))
    assert (answer.status, answer.body) == (500, b"")
    assert len(caplog.records) == 1
    assert "192.0.2.7:4711" in caplog.text


def test_access_control() -> None:
    assert response(Client().send(request("Plugin.denied"))).status == 401
    assert response(Client().send(request("Plugin.broken"))).status == 401
    assert response(Client(service({"trusted"})).send(request("Plugin.asked"))).status == 200
    assert response(Client(service(set())).send(request("Plugin.asked"))).status == 401
    assert response(Client(service(None)).send(request("Plugin.asked"))).status == 500


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
def test_other_methods_are_not_allowed(method: str) -> None:
    client = Client()
    sent = client.send(f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert sent.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nAllow: POST\r\n" in sent
    assert client.closed
    if method == "HEAD":
        assert sent.endswith(b"\r\n\r\n")


def test_expecting_to_continue() -> None:
    client = Client()
    whole = request("Echo", 1, headers="Expect: 100-continue\r\n")
    head, body = whole.split(b"<?xml", 1)
    assert client.send(head) == http1.CONTINUE
    assert response(client.send(b"<?xml" + body)).status == 200


def test_answers_are_compressed_for_those_who_accept_it() -> None:
    long = "x" * 5000
    client = Client(gzip_level=1)
    sent = client.send(request("Echo", long, headers="Accept-Encoding: gzip\r\n"))
    assert len(sent) < 1000
    assert xmlrpc.parse_response(response(sent).body)[0] == long
    assert len(client.send(request("Echo", long))) > 5000


def test_old_clients_get_an_old_answer_and_a_closed_connection() -> None:
    client = Client()
    sent = client.send(request("Echo", 1).replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert sent.startswith(b"HTTP/1.0 200 ")
    assert client.closed


def test_a_server_that_ends_keeps_no_connection() -> None:
    client = Client(may_continue=lambda: False)
    assert b"\r\nConnection: close\r\n" in client.send(request("Echo", 1))
    assert client.closed


@pytest.mark.parametrize(
    ("received", "phase", "status"),
    [(b"", None, None), (b"POST / HT", Phase.HEAD, b"408"), (request("Echo", 1)[:-5], Phase.BODY, b"408")],
)
def test_timing_out(received: bytes, phase: Phase | None, status: bytes | None) -> None:
    client = Client()
    if received:
        client.send(received)
        assert client.phase is phase
    client.conversation.timed_out(phase or Phase.IDLE)
    steps = [client.conversation.next_step(), client.conversation.next_step()] if status else []
    if status:
        assert isinstance(steps[0], Write)
        assert status in steps[0].buffers[0]
        assert isinstance(steps[1], Close)
    else:
        assert isinstance(client.conversation.next_step(), Close)


def test_a_peer_that_closes_between_requests_leaves_no_word_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = Client()
    client.send(request("Echo", 1))
    client.send(b"")
    assert client.closed
    assert not caplog.records
