"""One run of one client: its calls in their order, and when it gives up.

``[AssertProfile] → DeclareVersion → GetProbes → [RecvProbeData] → [GetDecisionList] → GetConfig → RecvStats``

A failed DeclareVersion is only noted. Without the statistics being taken the run ends with exit status 2, without
anything else with 1: the same as a real client's.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from geventcore.fleet.calls import Attempt, Caller, CallFailed, CallPolicy
from geventcore.fleet.connection import Address, Target
from geventcore.fleet.observation import Observation, observe, statistics_document
from geventcore.fleet.probes import ProbeAnswer, plausible_answer, probe_data, read_probes
from geventcore.wire.basicauth import format_authorization

T = TypeVar("T")

EXIT_FAILED = 1
EXIT_STATISTICS_FAILED = 2

#: The release that most clients in the field are.
CLIENT_VERSION = "1.3.4"


@dataclass(frozen=True)
class Identity:
    """Who a client is, and how it proves it.

    Attributes:
        hostname: its name, for the record.
        user, password: for basic authentication. A server takes a user name for the client's host name, unless it is
            ``root``: then the address that the call comes from says who calls.
        source_address: the local address to call from, or None for any.
        certificate, key: files in PEM format, or None.
        profile: what the client asserts in each run, or None.
    """

    hostname: str
    user: str
    password: str = field(repr=False)
    source_address: str | None = None
    certificate: Path | None = None
    key: Path | None = None
    profile: str | None = None


@dataclass(frozen=True)
class RunPlan:
    """What all clients do in a run.

    Attributes:
        decision_mode: ``whitelist``, ``blacklist`` or None for not asking.
        version: the release that the client declares.
        answer_probe: what a client's probe prints.
    """

    decision_mode: str | None = None
    version: str = CLIENT_VERSION
    answer_probe: ProbeAnswer = plausible_answer


@dataclass(frozen=True)
class RunResult:
    """What came of a run.

    Attributes:
        hostname: of the client.
        exit_status: what a real client would have exited with; 0 is good.
        reason: why the run failed, or None.
        started: seconds since the epoch.
        seconds: from the first call to the last answer.
        attempts: every try of every call.
        probes: number of probes that were answered.
        observation: the configuration as the client saw it, or None if there was none.
    """

    hostname: str
    exit_status: int
    reason: str | None
    started: float
    seconds: float
    attempts: tuple[Attempt, ...]
    probes: int
    observation: Observation | None

    @property
    def ok(self) -> bool:
        """Whether the run was good."""
        return self.exit_status == 0


class _GivenUp(Exception):
    """The run cannot go on."""

    def __init__(self, reason: str, exit_status: int = EXIT_FAILED) -> None:
        super().__init__(reason)
        self.exit_status = exit_status


class ClientRun:
    """One run; make a new object for each."""

    def __init__(
        self,
        identity: Identity,
        plan: RunPlan,
        target: Target,
        addresses: Sequence[Address],
        context: ssl.SSLContext,
        policy: CallPolicy | None = None,
    ) -> None:
        # Clients quote the password for a URL and take it apart again in a way that turns blanks into plus signs.
        authorization = format_authorization(identity.user, identity.password.replace(" ", "+"))
        self._caller = Caller(
            target, addresses, context, authorization, policy or CallPolicy(), identity.source_address
        )
        self._identity = identity
        self._plan = plan
        self._stamps: dict[str, float] = {}
        self._probes = 0
        self._observation: Observation | None = None

    async def run(self) -> RunResult:
        """Do it. A run that fails is a result too; nothing is raised for it."""
        started, begin = time.time(), time.perf_counter()
        exit_status, reason = 0, None
        try:
            await self._run()
        except _GivenUp as err:
            exit_status, reason = err.exit_status, str(err)
        return RunResult(
            hostname=self._identity.hostname,
            exit_status=exit_status,
            reason=reason,
            started=started,
            seconds=time.perf_counter() - begin,
            attempts=tuple(self._caller.attempts),
            probes=self._probes,
            # The report has been sent, and thousands of them would take gigabytes.
            observation=self._observation and replace(self._observation, report=""),
        )

    async def _run(self) -> None:
        self._stamp("start", "initialization")
        if self._identity.profile is not None:
            await self._call("AssertProfile", bool, self._identity.profile)
        # A client logs a failure and goes on; here the record of attempts has it.
        with suppress(CallFailed):
            await self._caller.call("DeclareVersion", self._plan.version)
        await self._run_probes()
        if self._plan.decision_mode is not None:
            await self._call("GetDecisionList", list, self._plan.decision_mode)
        configuration = await self._call("GetConfig", str)
        self._stamp("config_download")
        try:
            self._observation = observe(configuration)
        except ValueError as err:
            raise _GivenUp(f"GetConfig: {err}") from err
        self._stamp("config_parse", "inventory", "install", "remove", "finished")
        document = statistics_document(self._observation, self._stamps)
        await self._call("RecvStats", bool, document, exit_status=EXIT_STATISTICS_FAILED)

    async def _run_probes(self) -> None:
        document = await self._call("GetProbes", str)
        try:
            probes = read_probes(document)
        except ValueError as err:
            raise _GivenUp(f"GetProbes: {err}") from err
        self._stamp("probe_download")
        if probes:
            hostname = self._identity.hostname
            answers = [(probe, self._plan.answer_probe(hostname, probe)) for probe in probes]
            await self._call("RecvProbeData", bool, probe_data(answers))
            self._probes = len(answers)
        self._stamp("probe_upload")

    async def _call(self, method: str, answers: type[T], *params: str, exit_status: int = EXIT_FAILED) -> T:
        try:
            answer: Any = await self._caller.call(method, *params)
        except CallFailed as err:
            raise _GivenUp(str(err), exit_status) from err
        if not isinstance(answer, answers):
            raise _GivenUp(
                f"{method}: the answer is of type {type(answer).__name__}, expected {answers.__name__}", exit_status
            )
        return answer

    def _stamp(self, *phases: str) -> None:
        now = time.time()
        self._stamps.update((phase, now) for phase in phases)
