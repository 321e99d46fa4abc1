"""Simulated clients against a server of the standard library: what they send, when they retry, when they give up."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree
from xmlrpc.client import Fault

import pytest

from geventcore.errors import ConfigError, TLSError
from geventcore.simulation import Load, Pace, RetryPolicy, RunPlan, SimulatedClient, Target, make_runs
from geventcore.simulation.conversation import CheckingConversation
from geventcore.simulation.engine import Engine, client_contexts
from geventcore.simulation.load import GET_PROBES, Address
from geventcore.testing.client_runs import ClientRun, client_runs, runs_of
from tests.support.xmlrpc_stub import CONFIGURATION, Hang, Raw, Received, Status, StubServer, unused_port

CLIENT = SimulatedClient("c1.example.com", "c1.example.com")
PLAN = RunPlan(checks_answers=True)
#: As patient as a real client, but for the pauses.
RETRY = RetryPolicy(delay_seconds=0.01, timeout_seconds=30)
WHOLE_RUN = [
    "AssertProfile",
    "DeclareVersion",
    "GetProbes",
    "RecvProbeData",
    "GetDecisionList",
    "GetConfig",
    "RecvStats",
]


def load_on(
    server: StubServer,
    clients: Sequence[SimulatedClient] = (CLIENT,),
    pace: Pace = Pace(),  # noqa: B008 - it is frozen
    plan: RunPlan = PLAN,
    retry: RetryPolicy = RETRY,
) -> Load:
    return Load(Target("127.0.0.1", server.port), server.ca, "secret", clients, pace, retry=retry, plan=plan)


def run_one(
    server: StubServer, client: SimulatedClient = CLIENT, plan: RunPlan = PLAN, retry: RetryPolicy = RETRY
) -> ClientRun:
    (run,) = runs_of(load_on(server, [client], plan=plan, retry=retry))
    return run


def test_a_run_makes_the_calls_of_a_real_client_in_their_order(tmp_path: Path) -> None:
    with StubServer(tmp_path) as server:
        result = run_one(
            server, replace(CLIENT, profile="web"), replace(PLAN, decision_mode="whitelist", version="1.4")
        )
    assert result.reason is None
    assert server.methods == WHOLE_RUN
    params = {call.method: call.params for call in server.received}
    assert params["AssertProfile"] == ("web",)
    assert params["DeclareVersion"] == ("1.4",)
    assert params["GetDecisionList"] == ("whitelist",)
    assert params["GetProbes"] == params["GetConfig"] == ()
    assert {(call.user, call.password) for call in server.received} == {("c1.example.com", "secret")}
    assert {call.headers["Accept-Encoding"] for call in server.received} == {"gzip"}
    assert [attempt.method for attempt in result.attempts] == WHOLE_RUN
    assert all(0 < attempt.connect_seconds <= attempt.seconds for attempt in result.attempts)


def test_every_call_has_its_own_connection_and_tls_session(tmp_path: Path) -> None:
    connections: list[object] = []
    with StubServer(tmp_path) as server:
        wrap = server.context.wrap_socket
        server.context.wrap_socket = lambda *args, **kwargs: connections.append(1) or wrap(*args, **kwargs)
        run_one(server)
    assert len(connections) == len(server.received) == 5
    assert not any(call.resumed for call in server.received)


def test_probes_are_answered_by_the_plan_and_only_if_there_are_any(tmp_path: Path) -> None:
    plan = replace(PLAN, probe_answers={"os": "{client} <os> é"})
    with StubServer(tmp_path) as server:
        run_one(server, plan=plan)
        (document,) = next(call.params for call in server.received if call.method == "RecvProbeData")
    assert document.isascii()
    (answer,) = ElementTree.fromstring(document)
    assert answer.attrib == {"name": "os", "source": "Probes"}
    assert answer.text == "c1.example.com <os> é"
    with StubServer(tmp_path, GetProbes="<probes/>") as server:
        result = run_one(server)
    assert result.reason is None
    assert server.methods == ["DeclareVersion", "GetProbes", "GetConfig", "RecvStats"]


def test_statistics_tell_of_the_configuration_that_was_received(tmp_path: Path) -> None:
    with StubServer(tmp_path) as server:
        run_one(server)
        (document,) = server.received[-1].params
    statistics = ElementTree.fromstring(document).find("Statistics")
    assert statistics is not None
    assert {**statistics.attrib} == {"version": "2.0", "revision": "7", "total": "2", "good": "2", "state": "clean"}
    stamps = statistics.find("OpStamps")
    assert stamps is not None
    times = [float(stamps.attrib[name]) for name in ("start", "probe_download", "config_download", "finished")]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (Status(500), "HTTP status 500"),
        (Status(401), "HTTP status 401"),
        (Fault(-32601, "no such method"), "fault -32601: no such method"),
        (Raw(b""), "the server closed the connection without an answer"),
        (Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n<meth"), "closed the connection in the body"),
        (Raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "the answer is not HTTP"),
        (Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhtml"), "not an XML-RPC response"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whatever_goes_wrong_is_tried_again(tmp_path: Path, failure: object, reason: str) -> None:
    with StubServer(tmp_path, GetConfig=[failure, failure, CONFIGURATION]) as server:
        result = run_one(server)
    assert result.reason is None
    assert server.methods.count("GetConfig") == 3
    tries = [attempt for attempt in result.attempts if attempt.method == "GetConfig"]
    assert [attempt.number for attempt in tries] == [1, 2, 3]
    assert reason in (tries[0].error or "")
    assert reason in (tries[1].error or "")
    assert tries[2].error is None


@pytest.mark.parametrize("method", WHOLE_RUN)
def test_a_run_gives_up_as_a_real_client_does(tmp_path: Path, method: str) -> None:
    with StubServer(tmp_path, **{method: Status(500)}) as server:
        result = run_one(server, replace(CLIENT, profile="web"), replace(PLAN, decision_mode="blacklist"))
    assert server.methods.count(method) == 3
    if method == "DeclareVersion":
        assert result.reason is None
        assert server.methods[-1] == "RecvStats"
    else:
        assert result.reason == f"{method}: HTTP status 500"
        assert server.methods[-3:] == [method] * 3, "nothing is called after what failed"


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"GetConfig": "<error>no profile</error>"}, "GetConfig: the server says: no profile"),
        ({"GetConfig": "<Configuration"}, "GetConfig: the configuration is not XML"),
        ({"GetConfig": 7}, "GetConfig: the answer is of type int, expected str"),
        ({"GetProbes": "<probes>"}, "GetProbes: the list of probes is not XML"),
        ({"RecvProbeData": "yes"}, "RecvProbeData: the answer is of type str, expected bool"),
    ],
)
def test_an_answer_that_a_client_cannot_use_ends_the_run(
    tmp_path: Path, answers: dict[str, object], reason: str
) -> None:
    with StubServer(tmp_path, **answers) as server:
        result = run_one(server)
    assert (result.reason or "").startswith(reason)
    (method,) = answers
    assert server.methods.count(method) == 1, "an answer is an answer: it is not asked for again"


def test_a_silent_server_is_waited_for_until_the_timeout(tmp_path: Path) -> None:
    with StubServer(tmp_path, GetProbes=Hang()) as server:
        load = load_on(server, retry=RetryPolicy(2, 0.01, 5.0))
        # The other calls get their answers whatever else the machine does.
        load = replace(load, plan=replace(PLAN, only=frozenset({GET_PROBES})), retry=RetryPolicy(2, 0.01, 0.2))
        (result,) = runs_of(load)
    assert (result.reason or "").startswith("GetProbes: timed out ")
    assert result.attempts[-1].number == 2


def test_a_server_that_does_not_shake_hands_is_waited_for_until_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = Target("127.0.0.1", listener.getsockname()[1])
        (result,) = runs_of(Load(target, None, "secret", [CLIENT], retry=RetryPolicy(1, 0, 0.2), plan=PLAN))
    assert result.reason == "GetProbes: timed out in the TLS handshake"
    assert all(attempt.connect_seconds is None for attempt in result.attempts)


def test_a_server_that_is_not_there_fails_the_run() -> None:
    load = Load(Target("127.0.0.1", unused_port()), None, "secret", [CLIENT], retry=RETRY, plan=PLAN)
    (result,) = runs_of(load)
    assert result.reason == "GetProbes: cannot connect: Connection refused"
    assert len(result.attempts) == 6


def test_the_servers_certificate_is_checked_with_the_ca(tmp_path: Path) -> None:
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    with StubServer(tmp_path) as server:
        server.ca = StubServer(stranger).ca
        result = run_one(server)
    assert "certificate verify failed" in (result.reason or "")
    assert server.received == []


def test_a_blank_in_the_password_arrives_as_a_plus(tmp_path: Path) -> None:
    with StubServer(tmp_path) as server:
        make_runs(replace(load_on(server), password="a b:c"))
    assert {call.password for call in server.received} == {"a+b:c"}


def test_a_client_shows_its_certificate(tmp_path: Path) -> None:
    with StubServer(tmp_path) as server:
        issued = server.authority.issue("c1.example.com", client=True, server=False)
        certificate, key = tmp_path / "c1.crt", tmp_path / "c1.key"
        certificate.write_bytes(issued.certificate_pem)
        key.write_bytes(issued.key_pem)
        client = replace(CLIENT, user="root", certificate=certificate, key=key)
        assert run_one(server, client).reason is None
    assert {(call.user, call.certificate) for call in server.received} == {("root", "c1.example.com")}


def test_a_client_calls_from_its_own_address(tmp_path: Path) -> None:
    with StubServer(tmp_path) as server:
        assert run_one(server, replace(CLIENT, user="root", address="127.0.0.9")).reason is None
    assert {call.address for call in server.received} == {"127.0.0.9"}


class SeveralAddresses(Target):
    """A server whose name has two addresses, of which nobody listens at the first."""

    def resolve(self) -> list[Address]:
        return [Address(socket.AF_INET, ("127.0.0.1", unused_port())), *super().resolve()]


def test_addresses_are_tried_until_one_lets_the_client_connect(tmp_path: Path) -> None:
    with StubServer(tmp_path) as server:
        (result,) = runs_of(replace(load_on(server), target=SeveralAddresses("127.0.0.1", server.port)))
    assert result.reason is None
    assert {attempt.number for attempt in result.attempts} == {1}, "it is one attempt"


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        ({"certificate": Path("/nonexistent.crt"), "key": Path("/nonexistent.key")}, TLSError),
        ({}, ConfigError),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(broken: dict[str, Path], error: type[Exception]) -> None:
    host = "127.0.0.1" if broken else "no-such-host.invalid"
    with pytest.raises(error, match=r"nonexistent|no-such-host"):
        make_runs(Load(Target(host, 1), None, "secret", [replace(CLIENT, **broken)]))


class Gauge:
    """Counts the clients between GetProbes and GetConfig, and notes if one is there twice."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: list[str] = []
        self.most = 0
        self.twice = False

    def enter(self, received: Received) -> str:
        with self._lock:
            self.twice |= received.user in self._running
            self._running.append(received.user)
            self.most = max(self.most, len(self._running))
        return "<probes/>"

    def leave(self, received: Received) -> str:
        with self._lock:
            self._running.remove(received.user)
        return CONFIGURATION


CLIENTS = [SimulatedClient(f"c{n}", f"c{n}") for n in range(8)]


def test_no_more_clients_run_than_allowed_and_none_runs_twice_at_a_time(tmp_path: Path) -> None:
    gauge = Gauge()
    with StubServer(tmp_path, GetProbes=gauge.enter, GetConfig=gauge.leave) as server:
        runs = runs_of(load_on(server, CLIENTS, Pace(runs=2, concurrency=3)))
    assert [run.reason for run in runs] == [None] * 16
    assert sorted(run.client for run in runs) == sorted([client.name for client in CLIENTS] * 2)
    assert 1 <= gauge.most <= 3
    assert not gauge.twice


def test_a_herd_runs_all_at_once(tmp_path: Path) -> None:
    everybody = threading.Barrier(8, timeout=30)

    def meet(_received: Received) -> str:
        everybody.wait()
        return "<probes/>"

    with StubServer(tmp_path, GetProbes=meet) as server:
        result = make_runs(load_on(server, CLIENTS))
    assert result.counts.runs_ok == 8, "each waits for all the others"


def test_a_splay_starts_clients_in_an_order_that_the_seed_decides(tmp_path: Path) -> None:
    def order(seed: int) -> list[str]:
        with StubServer(tmp_path, GetProbes="<probes/>") as server:
            runs = runs_of(load_on(server, CLIENTS, Pace(splay_seconds=0.3, seed=seed)))
        return [run.client for run in sorted(runs, key=lambda run: run.started)]

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_a_load_that_is_stopped_keeps_what_it_has_and_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    stopped, stop = socket.socketpair()

    def configuration(received: Received) -> object:
        if received.user == "c0":
            return CONFIGURATION
        return Hang()

    def statistics(_received: Received) -> bool:
        stop.close()
        return True

    with StubServer(tmp_path, GetConfig=configuration, RecvStats=statistics) as server, stopped:
        load = load_on(server, CLIENTS)
        engine = Engine(load, CheckingConversation(load), client_contexts(load))
        result = engine.drive(time.monotonic(), stopped.fileno())
        assert result.counts.runs_failed == 0
        assert result.counts.runs_ok + result.counts.runs_cut == len(CLIENTS)
        assert {run.client for run in client_runs(result, [client.name for client in CLIENTS])} <= {"c0"}
        assert result.seconds > 0
    assert len(os.listdir("/proc/self/fd")) == before
