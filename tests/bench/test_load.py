"""The load generator counts what a scripted server does to it, and goes on as a real client would."""

from __future__ import annotations

import contextlib
import gzip
import re
import socket
import ssl
import threading
import xmlrpc.client
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from contrib.bench.conversation import METHODS, LoadError, Target, prepare
from contrib.bench.load import Load, Patience, Result

from tests.peers.certificates import CertificateFiles
from tests.repositories.generate import GeneratedClient

CLIENTS = [GeneratedClient(f"node{number}.example.net", f"127.1.0.{number}", "basic") for number in (1, 2)]
IMPATIENT = Patience(attempts=3, delay_seconds=0.01, silence_seconds=0.2)
PROBES = '<probes><probe name="facts" source="Probes" interpreter="/bin/sh">true</probe></probes>'

Answer = Callable[[str, str], bytes]


def http(body: bytes, head: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (head, len(body)) + body


def xml_rpc(value: str | bool) -> bytes:
    return xmlrpc.client.dumps((value,), methodresponse=True).encode()


def configuration(address: str) -> str:
    name = next(client.name for client in CLIENTS if client.address == address)
    return (
        f'<Configuration version="2.0" revision="-1"><Bundle name="b"><Path name="/etc/{name}" type="file" mode="644">'
        "content</Path></Bundle></Configuration>"
    )


def answer_well(method: str, address: str) -> bytes:
    if method == "GetProbes":
        return http(xml_rpc(PROBES))
    return http(xml_rpc(configuration(address) if method == "GetConfig" else True))


class ScriptedServer:
    """Answers each call, on a connection and a thread of its own, with the bytes that `answer` gives."""

    def __init__(self, certificates: CertificateFiles) -> None:
        self.answer: Answer = answer_well
        self.requests: list[tuple[str, str]] = []
        certificate = certificates.server()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.certificate, certificate.key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()
        self.target = Target(f"https://127.0.0.1:{self._listener.getsockname()[1]}", certificates.ca, "secret")

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, address = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection, address[0])).start()

    def _serve(self, plain: socket.socket, address: str) -> None:
        with contextlib.suppress(OSError), self._context.wrap_socket(plain, server_side=True) as connection:
            request = b""
            while not request.endswith(b"</methodCall>\n"):
                received = connection.recv(65536)
                if not received:
                    return
                request += received
            called = re.search(rb"<methodName>(\w+)<", request)
            assert called is not None
            method = called[1].decode()
            self.requests.append((method, request.decode()))
            connection.sendall(self.answer(method, address))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    scripted = ScriptedServer(CertificateFiles(tmp_path))
    yield scripted
    scripted.close()


def drive(server: ScriptedServer, answer: Answer, runs: int = 4, seconds: float = 10.0) -> Result:
    """Prepare with a well-behaved server, then load it while it answers so."""
    prepared = prepare(server.target, CLIENTS)
    server.requests.clear()
    server.answer = answer
    return Load(server.target, CLIENTS, prepared, 2, IMPATIENT).drive(runs, seconds)


def instead_of(method: str, answer: bytes) -> Answer:
    """Good answers but for one method."""
    return lambda called, address: answer if called == method else answer_well(called, address)


def test_every_run_makes_the_five_calls(server: ScriptedServer) -> None:
    result = drive(server, answer_well)
    assert (result.runs_ok, result.runs_failed, result.runs_cut) == (4, 0, 0)
    assert result.calls == 20
    assert result.errors == {}
    assert {name: len(values) for name, values in result.durations.items()} == dict.fromkeys((*METHODS, "run"), 4)
    assert sorted(method for method, _ in server.requests) == sorted(METHODS * 4)


def test_what_is_uploaded_comes_from_what_was_received(server: ScriptedServer) -> None:
    drive(server, answer_well, runs=1)
    uploads = dict(server.requests)
    assert '&lt;probe-data name="facts" source="Probes"&gt;group:facts' in uploads["RecvProbeData"]
    assert "Authorization: Basic cm9vdDpzZWNyZXQ=" in uploads["RecvStats"]
    assert re.search(
        r"&lt;Good&gt;&lt;Path name=\"/etc/node1.example.net\".*content&lt;/Path&gt;", uploads["RecvStats"]
    )


def test_without_probes_nothing_is_uploaded_for_them(server: ScriptedServer) -> None:
    server.answer = instead_of("GetProbes", http(xml_rpc("<probes />")))
    result = drive(server, server.answer)
    assert result.runs_ok == 4
    assert result.calls == 16
    assert "RecvProbeData" not in dict(server.requests)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "status 503"),
        (http(xmlrpc.client.dumps(xmlrpc.client.Fault(-32500, "oh")).encode()), "fault: "),
        (http(xml_rpc(configuration("127.1.0.1").replace("node1", "stranger"))), "the configuration of another client"),
        (http(xml_rpc("<error/>")), "no configuration"),
        (http(xml_rpc("<Configuration/>"))[:-3], "connection closed early"),
        (b"", "connection closed early"),
    ],
)
def test_a_call_that_fails_three_times_fails_the_run(server: ScriptedServer, answer: bytes, kind: str) -> None:
    result = drive(server, instead_of("GetConfig", answer), runs=2)
    assert (result.runs_ok, result.runs_failed) == (0, 2)
    assert [(name.startswith(f"GetConfig: {kind}"), count) for name, count in result.errors.items()] == [(True, 6)]
    assert "RecvStats" not in dict(server.requests)


def test_a_call_that_fails_twice_is_made_again(server: ScriptedServer) -> None:
    def answer(method: str, address: str) -> bytes:
        attempts = [called for called, _ in server.requests].count("RecvStats")
        return b"" if method == "RecvStats" and attempts < 3 else answer_well(method, address)

    result = drive(server, answer, runs=1)
    assert (result.runs_ok, result.runs_failed) == (1, 0)
    assert result.errors == {"RecvStats: connection closed early": 2}


def test_a_version_that_is_refused_does_not_end_the_run(server: ScriptedServer) -> None:
    result = drive(server, instead_of("DeclareVersion", http(xml_rpc(False))), runs=1)
    assert (result.runs_ok, result.runs_failed) == (1, 0)
    assert result.errors == {"DeclareVersion: not True": 3}
    assert result.calls == 4


def test_a_silent_server_is_given_up(server: ScriptedServer) -> None:
    silence = threading.Event()

    def never(method: str, address: str) -> bytes:
        silence.wait(30)
        return b""

    result = drive(server, never, runs=1)
    silence.set()
    assert result.runs_failed == 1
    assert result.errors == {"DeclareVersion: timeout": 3, "GetProbes: timeout": 3}


def test_runs_under_way_at_the_end_are_cut(server: ScriptedServer) -> None:
    silence = threading.Event()

    def never(method: str, address: str) -> bytes:
        silence.wait(30)
        return b""

    result = drive(server, never, seconds=0.1)
    silence.set()
    assert (result.runs_ok, result.runs_failed, result.runs_cut) == (0, 0, 2)
    assert {name: len(ages) for name, ages in result.unfinished.items()} == {"run": 2, "DeclareVersion": 2}
    assert all(0 < age <= result.seconds for age in result.unfinished["run"])


def test_entries_that_the_server_could_not_bind_are_counted(server: ScriptedServer) -> None:
    def answer(method: str, address: str) -> bytes:
        if method != "GetConfig":
            return answer_well(method, address)
        return http(xml_rpc(configuration(address).replace(' mode="', ' failure="no" mode="')))

    assert drive(server, answer, runs=3).bad_entries == 3


def test_answers_may_be_chunked_and_compressed(server: ScriptedServer) -> None:
    def answer(method: str, address: str) -> bytes:
        body = gzip.compress(xml_rpc(configuration(address))) if method == "GetConfig" else b""
        if not body:
            return answer_well(method, address)
        chunks = b"%x\r\n%s\r\n%x;last\r\n%s\r\n0\r\n\r\n" % (10, body[:10], len(body) - 10, body[10:])
        return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n" + chunks

    result = drive(server, answer)
    assert result.errors == {}
    assert result.runs_ok == 4


def test_a_text_may_travel_as_cdata(server: ScriptedServer) -> None:
    def answer(method: str, address: str) -> bytes:
        text = {"GetConfig": configuration(address), "GetProbes": PROBES}.get(method)
        if text is None:
            return answer_well(method, address)
        return http(xml_rpc("TEXT").replace(b"TEXT", f"<![CDATA[{text}]]>".encode()))

    result = drive(server, answer)
    assert result.errors == {}
    assert result.runs_ok == 4


def test_an_answer_without_length_ends_with_the_connection(server: ScriptedServer) -> None:
    def answer(method: str, address: str) -> bytes:
        head, _, body = answer_well(method, address).partition(b"\r\n\r\n")
        return head.partition(b"\r\n")[0] + b"\r\n\r\n" + body

    assert drive(server, answer).runs_ok == 4


def test_a_server_that_does_not_work_is_found_out_before_the_load(server: ScriptedServer) -> None:
    server.answer = instead_of("GetConfig", http(xml_rpc(configuration("127.1.0.1").replace(" mode", " failure"))))
    with pytest.raises(LoadError, match="not in order"):
        prepare(server.target, CLIENTS)
    server.answer = instead_of("GetProbes", b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(LoadError, match=r"GetProbes from 127\.1\.0\.1: status 401"):
        prepare(server.target, CLIENTS)


def test_a_server_with_a_foreign_certificate_is_found_out_before_the_load(
    server: ScriptedServer, tmp_path: Path
) -> None:
    stranger = CertificateFiles(tmp_path / "stranger")
    target = Target(f"https://{server.target.host}", stranger.ca, "secret")
    with pytest.raises(LoadError, match="certificate verify failed"):
        prepare(target, CLIENTS)
