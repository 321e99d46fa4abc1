"""The clients of a load count what a scripted server does to them, and go on as a real client would."""

from __future__ import annotations

import contextlib
import gzip
import re
import socket
import ssl
import threading
import time
import xmlrpc.client
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from geventcore.simulation.engine import Engine, client_contexts, make_runs, new_conversation, warm_up
from geventcore.simulation.load import METHODS, Load, LoadError, Pace, RetryPolicy, SimulatedClient, Target
from geventcore.simulation.records import CUT, FAILED, GOOD, KINDS, RUN, LoadResult
from geventcore.testing.certificates import CertificateFiles

CLIENTS = [SimulatedClient(f"node{number}.example.net", "root", f"127.1.0.{number}") for number in (1, 2)]
#: The calls of a run without a profile and decisions.
CALLS = [name for name in METHODS if name not in ("AssertProfile", "GetDecisionList")]
RETRY = RetryPolicy(attempts=3, delay_seconds=0.01, timeout_seconds=60.0)
PROBES = '<probes><probe name="facts" source="Probes" interpreter="/bin/sh">true</probe></probes>'

Answer = Callable[[str, str], bytes]


def http(body: bytes, head: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (head, len(body)) + body


def xml_rpc(value: str | bool) -> bytes:
    return xmlrpc.client.dumps((value,), methodresponse=True).encode()


def configuration(address: str) -> str:
    name = next(client.name for client in CLIENTS if client.address == address)
    return (
        f'<Configuration version="2.0" revision="-1"><Bundle name="b"><Path name="/etc/{name}" type="file" owner="root"'
        ' group="root" mode="644">content</Path></Bundle></Configuration>'
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
        self.port: int = self._listener.getsockname()[1]
        self.ca = certificates.ca

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


def load(server: ScriptedServer, pace: Pace, clients: list[SimulatedClient] = CLIENTS, seconds: float = 60.0) -> Load:
    target = Target("127.0.0.1", server.port)
    return Load(target, server.ca, "secret", clients, pace, seconds, RETRY, warm_up_runs=1)


def drive_runs(server: ScriptedServer, answer: Answer, clients: int = 2, runs: int = 1) -> LoadResult:
    server.answer = answer
    return make_runs(load(server, Pace(runs), CLIENTS[:clients]))


def errors(result: LoadResult) -> dict[str, int]:
    records = result.records
    return dict(
        Counter(
            records.reasons[outcome - FAILED]
            for kind, outcome in zip(records.kind, records.outcome, strict=True)
            if kind != RUN and outcome >= FAILED
        )
    )


def counted(result: LoadResult, outcome: int) -> dict[str, int]:
    rows = zip(result.records.kind, result.records.outcome, strict=True)
    return dict(Counter(KINDS[kind] for kind, found in rows if found == outcome))


def instead_of(method: str, answer: bytes) -> Answer:
    """Good answers but for one method."""
    return lambda called, address: answer if called == method else answer_well(called, address)


def never(_method: str, _address: str) -> bytes:
    """No answer as long as a test may take; the connection is closed by whoever has asked."""
    threading.Event().wait(2)
    return b""


def test_every_run_makes_the_five_calls(server: ScriptedServer) -> None:
    result = drive_runs(server, answer_well, runs=2)
    counts = result.counts
    assert (counts.runs_ok, counts.runs_failed, counts.runs_cut, counts.calls, counts.retries) == (4, 0, 0, 20, 0)
    assert errors(result) == {}
    assert counted(result, GOOD) == dict.fromkeys((*CALLS, "run"), 4)
    assert sorted(method for method, _ in server.requests) == sorted(CALLS * 4)


def test_what_is_recorded_of_a_call_fits_together(server: ScriptedServer) -> None:
    records = drive_runs(server, answer_well, clients=1).records
    rows = list(zip(records.kind, records.started, records.connected, records.seconds, strict=True))
    calls = [row for row in rows if row[0] != RUN]
    assert [KINDS[kind] for kind, *_ in calls] == CALLS
    assert all(0 < connected < seconds for _, _, connected, seconds in calls)
    for (_, started, _, seconds), (_, after, _, _) in pairwise(calls):
        assert started + seconds <= after + 1e-5
    ((_, started, _, seconds),) = [row for row in rows if row[0] == RUN]
    assert started <= calls[0][1] + 1e-5
    assert seconds >= sum(call[3] for call in calls) - 1e-4


def test_results_of_processes_add_up_and_keep_their_reasons(server: ScriptedServer) -> None:
    busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    sums = drive_runs(server, instead_of("DeclareVersion", busy), clients=1)
    sums.add(drive_runs(server, instead_of("GetConfig", busy), clients=1))
    assert errors(sums) == {"DeclareVersion: HTTP status 503": 3, "GetConfig: HTTP status 503": 3}
    assert (sums.counts.runs_ok, sums.counts.runs_failed) == (1, 1)


def test_what_is_uploaded_comes_from_what_was_received(server: ScriptedServer) -> None:
    drive_runs(server, answer_well, clients=1)
    uploads = dict(server.requests)
    assert '&lt;probe-data name="facts" source="Probes"&gt;' in uploads["RecvProbeData"]
    assert "Authorization: Basic cm9vdDpzZWNyZXQ=" in uploads["RecvStats"]
    assert re.search(
        r"&lt;Good&gt;&lt;Path name=\"/etc/node1.example.net\".*content&lt;/Path&gt;", uploads["RecvStats"]
    )


def test_without_probes_nothing_is_uploaded_for_them(server: ScriptedServer) -> None:
    result = drive_runs(server, instead_of("GetProbes", http(xml_rpc("<probes />"))))
    assert (result.counts.runs_ok, result.counts.calls) == (2, 8)
    assert "RecvProbeData" not in dict(server.requests)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "HTTP status 503"),
        (http(xmlrpc.client.dumps(xmlrpc.client.Fault(-32500, "oh")).encode()), "fault -32500: oh"),
        (http(xml_rpc("<error/>")), "no configuration"),
        (http(xml_rpc("<Configuration><Bundle></Configuration>")), "the configuration is not XML: "),
        (http(xml_rpc("<Configuration/>"))[:-3], "the server closed the connection in the body of its answer"),
        (b"", "the server closed the connection without an answer"),
        (b"?" * 70_000, "the answer is not HTTP"),
    ],
)
def test_a_call_that_fails_three_times_fails_the_run(server: ScriptedServer, answer: bytes, kind: str) -> None:
    result = drive_runs(server, instead_of("GetConfig", answer))
    assert (result.counts.runs_ok, result.counts.runs_failed, result.counts.retries) == (0, 2, 4)
    ((reason, count),) = errors(result).items()
    assert reason.startswith(f"GetConfig: {kind}")
    assert count == 6
    assert "RecvStats" not in dict(server.requests)


def test_the_configuration_of_another_client_is_none(server: ScriptedServer) -> None:
    def answer(method: str, address: str) -> bytes:
        return answer_well(method, "127.1.0.1" if method == "GetConfig" else address)

    server.answer = answer
    # One after the other: the right answer comes first, and shows that configurations have their client's name.
    result = make_runs(load(server, Pace(1, concurrency=1)))
    assert (result.counts.runs_ok, result.counts.runs_failed) == (1, 1)
    assert errors(result).keys() == {"GetConfig: the configuration of another client"}


def test_a_call_that_fails_twice_is_made_again(server: ScriptedServer) -> None:
    def answer(method: str, address: str) -> bytes:
        attempts = [called for called, _ in server.requests].count("RecvStats")
        return b"" if method == "RecvStats" and attempts < 3 else answer_well(method, address)

    result = drive_runs(server, answer, clients=1)
    assert (result.counts.runs_ok, result.counts.runs_failed, result.counts.retries) == (1, 0, 2)
    assert errors(result) == {"RecvStats: the server closed the connection without an answer": 2}


def test_a_version_that_is_refused_does_not_end_the_run(server: ScriptedServer) -> None:
    result = drive_runs(server, instead_of("DeclareVersion", http(xml_rpc(False))), clients=1)
    assert (result.counts.runs_ok, result.counts.runs_failed, result.counts.calls) == (1, 0, 4)
    assert errors(result) == {"DeclareVersion: the answer is not True": 3}


def test_a_silent_server_is_given_up(server: ScriptedServer) -> None:
    server.answer = never
    impatient = RetryPolicy(attempts=3, delay_seconds=0.01, timeout_seconds=0.2)
    result = make_runs(replace(load(server, Pace(), CLIENTS[:1]), retry=impatient))
    assert result.counts.runs_failed == 1
    assert sum(errors(result).values()) == 6
    # On a busy machine not even the handshake is done in time.
    assert all(re.match("(DeclareVersion|GetProbes): timed out ", reason) for reason in errors(result))


def test_runs_under_way_at_the_end_are_cut(server: ScriptedServer) -> None:
    ours, theirs = socket.socketpair()

    def answer(method: str, address: str) -> bytes:
        if len(server.requests) == 2:
            theirs.sendall(b"stop")
        return never(method, address)

    server.answer = answer
    given = load(server, Pace(None, concurrency=2), seconds=600)
    with ours, theirs:
        result = Engine(given, new_conversation(given), client_contexts(given)).drive(time.monotonic(), ours.fileno())
    counts = result.counts
    assert (counts.runs_ok, counts.runs_failed, counts.runs_cut) == (0, 0, 2)
    assert counted(result, CUT) == {"run": 2, "DeclareVersion": 2}
    assert all(0 < seconds <= result.seconds + 1e-5 for seconds in result.records.seconds)


def test_a_word_to_stop_ends_the_load(server: ScriptedServer) -> None:
    given = load(server, Pace(None, concurrency=2), seconds=600)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"stop")
        result = Engine(given, new_conversation(given), client_contexts(given)).drive(time.monotonic(), ours.fileno())
    assert result.seconds < 600


def test_so_many_runs_are_under_way_all_the_time(server: ScriptedServer) -> None:
    result = make_runs(load(server, Pace(None, concurrency=1), seconds=0.5))
    assert result.counts.runs_ok > 2
    assert result.counts.runs_cut <= 1, "one is under way when the time is over, unless it ends just then"
    runs = sorted((started, seconds) for _, _, started, _, seconds in result.records.of_kind(RUN))
    for (started, seconds), (after, _) in pairwise(runs):
        assert started + seconds <= after + 1e-4


def test_a_rate_begins_runs_whatever_becomes_of_those_before(server: ScriptedServer) -> None:
    server.answer = never
    result = make_runs(load(server, Pace(None, rate=50), seconds=0.2))
    assert result.counts.runs_cut == 2
    assert 6 <= result.counts.runs_not_begun <= 9


def test_entries_that_the_server_could_not_bind_are_counted(server: ScriptedServer) -> None:
    def answer(method: str, address: str) -> bytes:
        if method != "GetConfig":
            return answer_well(method, address)
        return http(xml_rpc(configuration(address).replace(' mode="', ' failure="no" mode="')))

    assert drive_runs(server, answer).counts.bad_entries == 2


def test_answers_may_be_chunked_and_compressed(server: ScriptedServer) -> None:
    def answer(method: str, address: str) -> bytes:
        body = gzip.compress(xml_rpc(configuration(address))) if method == "GetConfig" else b""
        if not body:
            return answer_well(method, address)
        chunks = b"%x\r\n%s\r\n%x;last\r\n%s\r\n0\r\n\r\n" % (10, body[:10], len(body) - 10, body[10:])
        return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n" + chunks

    result = drive_runs(server, answer)
    assert errors(result) == {}
    assert result.counts.runs_ok == 2


def test_a_text_may_travel_as_cdata(server: ScriptedServer) -> None:
    def answer(method: str, address: str) -> bytes:
        text = {"GetConfig": configuration(address), "GetProbes": PROBES}.get(method)
        if text is None:
            return answer_well(method, address)
        return http(xml_rpc("TEXT").replace(b"TEXT", f"<![CDATA[{text}]]>".encode()))

    result = drive_runs(server, answer)
    assert errors(result) == {}
    assert result.counts.runs_ok == 2


def test_an_answer_without_length_ends_with_the_connection(server: ScriptedServer) -> None:
    def answer(method: str, address: str) -> bytes:
        head, _, body = answer_well(method, address).partition(b"\r\n\r\n")
        return head.partition(b"\r\n")[0] + b"\r\n\r\n" + body

    assert drive_runs(server, answer).counts.runs_ok == 2


def warm(given: Load) -> None:
    warm_up(given, new_conversation(given), client_contexts(given))


def test_a_server_that_does_not_work_is_found_out_before_the_load(server: ScriptedServer) -> None:
    server.answer = instead_of(
        "GetConfig", http(xml_rpc(configuration("127.1.0.1").replace(" mode", ' failure="x" m')))
    )
    with pytest.raises(LoadError, match="could not bind 1 entries of node1"):
        warm(load(server, Pace()))
    server.answer = instead_of("GetProbes", b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(LoadError, match=r"node1\.example\.net failed: GetProbes: HTTP status 401"):
        warm(load(server, Pace()))


def test_a_server_with_a_foreign_certificate_is_found_out_before_the_load(
    server: ScriptedServer, tmp_path: Path
) -> None:
    stranger = CertificateFiles(tmp_path / "stranger")
    with pytest.raises(LoadError, match="certificate verify failed"):
        warm(replace(load(server, Pace()), ca=stranger.ca))


def test_a_certificate_is_checked_in_every_handshake(server: ScriptedServer, tmp_path: Path) -> None:
    result = make_runs(replace(load(server, Pace()), ca=CertificateFiles(tmp_path / "stranger").ca))
    assert errors(result) == {
        "DeclareVersion: TLS: certificate verify failed": 6,
        "GetProbes: TLS: certificate verify failed": 6,
    }
    assert server.requests == []
