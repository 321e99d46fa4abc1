"""The requests that clients send, and the answers that they accept.

``[AssertProfile] → DeclareVersion → GetProbes → [RecvProbeData] → [GetDecisionList] → GetConfig → RecvStats``

`Conversation` is for loads: its clients cost little processor time, which they take from a server on the same machine.
Bodies are made once and shared: the answer to a list of probes by all clients that got the same list, the statistics
by all whose configurations are alike, which is judged by the number of elements. Answers are checked without parsing:
status, fault, kind, the client's own name, entries that the server could not bind.

`CheckingConversation` parses every answer and looks at every entry, as a real client does.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from typing import Any
from xmlrpc.client import Fault

from geventcore import __version__
from geventcore.simulation.answers import AttemptFailed
from geventcore.simulation.deviations import deviating
from geventcore.simulation.load import (
    ASSERT_PROFILE,
    DECLARE_VERSION,
    GET_CONFIG,
    GET_DECISION_LIST,
    GET_PROBES,
    METHODS,
    RECV_PROBE_DATA,
    RECV_STATS,
    Load,
    SimulatedClient,
)
from geventcore.simulation.observation import Observation, observe, statistics_document
from geventcore.simulation.probes import Probe, plausible_answer, probe_data, read_probes
from geventcore.wire import ResponseError
from geventcore.wire.basicauth import format_authorization
from geventcore.wire.xmlrpc import dump_call, parse_response

#: Kinds of configurations that statistics are kept for; the others send those of the most similar kind.
_MOST_SHAPES = 64
_MOST_LENGTHS = 10_000
#: The beginnings of texts in answers: escaped, or in a CDATA section.
_STARTS = {GET_CONFIG: re.compile(rb"(?:<|&lt;)Configuration"), GET_PROBES: re.compile(rb"(?:<|&lt;)probes")}
#: An answer shows its kind within so many bytes.
_START_BYTES = 600
_FAULT_CHARACTERS = 300
#: Method -> type of its answer.
_ANSWER_TYPES: dict[int, type] = {
    ASSERT_PROFILE: bool,
    DECLARE_VERSION: object,
    GET_PROBES: str,
    RECV_PROBE_DATA: bool,
    GET_DECISION_LIST: list,
    GET_CONFIG: str,
    RECV_STATS: bool,
}
#: Method -> phases of a run that end with its answer.
_PHASES = {
    GET_PROBES: ("probe_download", "probe_upload"),
    RECV_PROBE_DATA: ("probe_upload",),
    GET_CONFIG: ("config_download", "config_parse", "inventory", "install", "remove", "finished"),
}


class RunFailed(Exception):
    """A client cannot go on after an answer, and does not ask again; the text is the reason."""


class Run:
    """One client run: the call that is next, the number of its attempt, and what the run has learnt."""

    __slots__ = ("attempt", "client", "method", "number", "probe_upload", "stamps", "started", "statistics")

    def __init__(self, client: SimulatedClient, number: int, now: float) -> None:
        self.client = client
        self.number = number
        self.started = now
        self.method = -1
        self.attempt = 1
        self.probe_upload: bytes | None = None
        self.statistics = b""
        self.stamps: dict[str, float] = {}


class Conversation:
    """The requests of all clients of a load.

    Attributes:
        observed: client -> its last configuration, without the report; empty unless answers are parsed.
    """

    def __init__(self, load: Load) -> None:
        self._start = f"POST {load.target.path} HTTP/1.1\r\nHost: {load.target.authority}\r\nAuthorization: "
        # In the order of the original client on Python 3.
        self._rest = (
            "\r\nAccept-Encoding: gzip\r\nContent-Type: text/xml"
            f"\r\nUser-Agent: geventcore-simulation/{__version__}\r\nContent-Length: "
        )
        # Clients quote the password for a URL and take it apart again in a way that turns blanks into plus signs.
        self._password = load.password.replace(" ", "+")
        self._plan = load.plan
        self._made = load.plan.only or frozenset(range(len(METHODS)))
        if load.plan.decision_mode is None:
            self._made -= {GET_DECISION_LIST}
        self._bodies = {
            DECLARE_VERSION: dump_call("DeclareVersion", (load.plan.version,)),
            GET_PROBES: dump_call("GetProbes", ()),
            GET_DECISION_LIST: dump_call("GetDecisionList", (load.plan.decision_mode or "",)),
            GET_CONFIG: dump_call("GetConfig", ()),
        }
        self._heads: dict[str, bytes] = {}
        self._probe_uploads: dict[bytes, bytes | None] = {}
        #: Length of an answer -> number of its elements -> what is sent for it.
        self._shapes: dict[int, int] = {}
        self._statistics: dict[int, _Statistics] = {}
        self.observed: dict[str, Observation] = {}

    def head(self, user: str, body: bytes) -> bytes:
        """Return the head of a request of a user."""
        head = self._heads.get(user)
        if head is None:
            authorization = format_authorization(user, self._password)
            head = self._heads[user] = f"{self._start}{authorization}{self._rest}".encode()
        return head + b"%d\r\n\r\n" % len(body)

    def advance(self, run: Run) -> bool:
        """Go on to the next call of a run; return false if there is none."""
        run.attempt = 1
        while run.method < len(METHODS) - 1:
            run.method += 1
            if run.method in self._made and self._is_needed(run):
                return True
        return False

    def body(self, run: Run) -> bytes:
        """Return the body of the next call of a run."""
        if run.method == RECV_STATS:
            return run.statistics
        if run.method == RECV_PROBE_DATA:
            assert run.probe_upload is not None, "the call is made only if there is something to upload"
            return run.probe_upload
        if run.method == ASSERT_PROFILE:
            return dump_call("AssertProfile", (run.client.profile or "",))
        return self._bodies[run.method]

    def receive(self, run: Run, answer: bytes | bytearray) -> int:
        """Check the answer to the call of a run, and keep what later calls send back.

        Returns:
            How many bad entries it has, if it is a configuration.

        Raises:
            AttemptFailed: it is not what the method answers.
            RunFailed: the run cannot go on with it.
        """
        check_answer(run.method, answer)
        if run.method == GET_PROBES:
            run.probe_upload = self._probe_upload(run.client, answer)
        elif run.method == GET_CONFIG:
            run.statistics = self._statistics_for(run.client, answer)
            return answer.count(b' failure="')
        return 0

    @staticmethod
    def _is_needed(run: Run) -> bool:
        if run.method == ASSERT_PROFILE:
            return run.client.profile is not None
        return run.method != RECV_PROBE_DATA or run.probe_upload is not None

    def _answer_probes(self, client: SimulatedClient, document: str) -> bytes | None:
        """Return the call that uploads the results; None without probes; `ValueError` if it is no list of them."""
        answers = [(probe, self._result(client.name, probe)) for probe in read_probes(document)]
        return dump_call("RecvProbeData", (probe_data(answers),)) if answers else None

    def _result(self, name: str, probe: Probe) -> str:
        given = self._plan.probe_answers.get(probe.name)
        return plausible_answer(name, probe) if given is None else given.replace("{client}", name)

    def _probe_upload(self, client: SimulatedClient, answer: bytes | bytearray) -> bytes | None:
        key = bytes(answer)
        if key not in self._probe_uploads:
            try:
                self._probe_uploads[key] = self._answer_probes(client, _text(answer))
            except ValueError as error:
                raise AttemptFailed(str(error)) from error
        return self._probe_uploads[key]

    def _statistics_for(self, client: SimulatedClient, answer: bytes | bytearray) -> bytes:
        # Counting elements takes a while; configurations that differ in the client's name only are often as long.
        shape = self._shapes.get(len(answer))
        if shape is None:
            shape = answer.count(b"<") + answer.count(b"&lt;")
            if len(self._shapes) < _MOST_LENGTHS:
                self._shapes[len(answer)] = shape
        known = self._statistics.get(shape)
        if known is None:
            if len(self._statistics) >= _MOST_SHAPES:
                return self._statistics[min(self._statistics, key=lambda other: abs(other - shape))].body
            try:
                observation = observe(_text(answer))
            except ValueError as error:
                raise AttemptFailed(str(error)) from error
            now = time.time()
            stamps = {phase: now for phases in (("start", "initialization"), *_PHASES.values()) for phase in phases}
            body = dump_call("RecvStats", (statistics_document(observation, stamps),))
            known = self._statistics[shape] = _Statistics(body, client.name.encode() in answer)
        if known.names_client and client.name.encode() not in answer:
            raise AttemptFailed("the configuration of another client")
        return known.body


class CheckingConversation(Conversation):
    """The same of clients that parse every answer, and report what they see in it."""

    def receive(self, run: Run, answer: bytes | bytearray) -> int:
        """See `Conversation.receive`; an answer that can be parsed is not asked for again."""
        value = _parsed(answer)
        expected = _ANSWER_TYPES[run.method]
        is_expected = isinstance(value, expected)
        if not is_expected:
            raise RunFailed(f"the answer is of type {type(value).__name__}, expected {expected.__name__}")
        now = time.time()
        if not run.stamps:
            run.stamps.update(start=now, initialization=now)
        run.stamps.update((phase, now) for phase in _PHASES.get(run.method, ()))
        try:
            if run.method == GET_PROBES:
                run.probe_upload = self._answer_probes(run.client, value)
            elif run.method == GET_CONFIG:
                return self._take_configuration(run, value)
        except ValueError as error:
            raise RunFailed(str(error)) from error
        return 0

    def _take_configuration(self, run: Run, configuration: str) -> int:
        observation = observe(configuration)
        seed = self._plan.deviations
        reported = observation if seed is None else deviating(observation, run.client.name, seed)
        run.statistics = dump_call("RecvStats", (statistics_document(reported, run.stamps),))
        # The report is sent, and thousands of them would take gigabytes.
        self.observed[run.client.name] = replace(observation, report="")
        return observation.total - observation.good


def check_answer(method: int, body: bytes | bytearray) -> None:
    """Check the beginning of an answer; `AttemptFailed` if it is not what the method answers."""
    start = body[:_START_BYTES]
    if b"<fault>" in start:
        # It raises with the text of the fault.
        _parsed(body)
    expected = _STARTS.get(method)
    if expected is not None:
        if not expected.search(start):
            raise AttemptFailed("no configuration" if method == GET_CONFIG else "no probes")
    elif method != GET_DECISION_LIST and b"<boolean>1</boolean>" not in start:
        raise AttemptFailed("the answer is not True")


@dataclass(frozen=True)
class _Statistics:
    """The upload of clients with one shape of configuration, and whether such configurations hold their name."""

    body: bytes
    names_client: bool


def _parsed(answer: bytes | bytearray) -> Any:
    try:
        return parse_response(bytes(answer))
    except Fault as fault:
        raise AttemptFailed(f"fault {fault.faultCode}: {fault.faultString}"[:_FAULT_CHARACTERS]) from fault
    except ResponseError as error:
        raise AttemptFailed(str(error)) from error


def _text(answer: bytes | bytearray) -> str:
    value = _parsed(answer)
    if not isinstance(value, str):
        raise AttemptFailed(f"the answer is of type {type(value).__name__}, expected str")
    return value
