"""One XML-RPC call as a real client makes it: some attempts, a fixed pause between them, everything retried alike.

A refused connection, a timeout, a status that is not 200 and a fault are all the same to a client: it waits a second
and tries again, and after three attempts the call has failed.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xmlrpc.client import Fault

from geventcore import __version__
from geventcore.errors import GeventcoreError
from geventcore.fleet.connection import Address, Connection, Target
from geventcore.wire import ResponseError
from geventcore.wire.http1 import NEED_DATA, Response, ResponseParser, encode_request
from geventcore.wire.xmlrpc import dump_call, parse_response

USER_AGENT = f"geventcore-fleet/{__version__}"


@dataclass(frozen=True)
class CallPolicy:
    """How patient a client is; the defaults are those of real ones.

    Attributes:
        attempts: how often a call is tried.
        retry_delay_seconds: the pause between two attempts.
        timeout_seconds: for each operation on the socket.
    """

    attempts: int = 3
    retry_delay_seconds: float = 1.0
    timeout_seconds: float = 90.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a call.

    Attributes:
        method: the XML-RPC method.
        number: 1 for the first try of the call.
        started: seconds since the epoch.
        connect_seconds: until the TLS handshake was done; None if that never happened.
        seconds: from the start to the answer, or to the failure.
        error: why it failed, or None.
    """

    method: str
    number: int
    started: float
    connect_seconds: float | None
    seconds: float
    error: str | None


class CallFailed(GeventcoreError):
    """Every attempt of a call failed; the text is the last one's reason."""

    def __init__(self, method: str, reason: str) -> None:
        super().__init__(f"{method}: {reason}")
        self.method = method
        self.reason = reason


class _AttemptFailedError(Exception):
    """One attempt came to nothing; the text is the reason."""


class _Stopwatch:
    """Times of one attempt."""

    def __init__(self) -> None:
        self.started = time.time()
        self._begin = time.perf_counter()
        self.connect_seconds: float | None = None

    def seconds(self) -> float:
        return time.perf_counter() - self._begin

    def connected(self) -> None:
        self.connect_seconds = self.seconds()


class Caller:
    """Makes the calls of one client and keeps a record of every attempt.

    Attributes:
        attempts: what was tried, oldest first.
    """

    def __init__(
        self,
        target: Target,
        addresses: Sequence[Address],
        context: ssl.SSLContext,
        authorization: str,
        policy: CallPolicy,
        source_address: str | None = None,
    ) -> None:
        self._target = target
        self._addresses = addresses
        self._context = context
        self._policy = policy
        self._source_address = source_address
        self._headers = [
            ("Host", target.authority),
            ("Authorization", authorization),
            ("Accept-Encoding", "gzip"),
            ("Content-Type", "text/xml"),
            ("User-Agent", USER_AGENT),
        ]
        self.attempts: list[Attempt] = []

    async def call(self, method: str, *params: str) -> Any:
        """The answer of a method; `CallFailed` if no attempt brought one."""
        request = encode_request("POST", self._target.path, self._headers, dump_call(method, params))
        reason = ""
        for number in range(1, self._policy.attempts + 1):
            if number > 1:
                await asyncio.sleep(self._policy.retry_delay_seconds)
            watch = _Stopwatch()
            error: str | None = "cancelled"
            try:
                answer = await self._attempt(request, watch)
                error = None
                return answer
            except _AttemptFailedError as err:
                error = reason = str(err)
            finally:
                self.attempts.append(
                    Attempt(method, number, watch.started, watch.connect_seconds, watch.seconds(), error)
                )
        raise CallFailed(method, reason)

    async def _attempt(self, request: bytes, watch: _Stopwatch) -> Any:
        try:
            response = await self._exchange(request, watch)
        except (OSError, ResponseError) as err:
            raise _AttemptFailedError(_reason(err)) from err
        if response.status != 200:
            raise _AttemptFailedError(f"HTTP status {response.status}")
        try:
            return parse_response(response.body)
        except Fault as fault:
            raise _AttemptFailedError(f"fault {fault.faultCode}: {fault.faultString}") from fault
        except ResponseError as err:
            raise _AttemptFailedError(str(err)) from err

    async def _exchange(self, request: bytes, watch: _Stopwatch) -> Response:
        connection = await Connection.open(
            self._addresses, self._context, self._policy.timeout_seconds, self._source_address
        )
        try:
            watch.connected()
            await connection.send(request)
            parser = ResponseParser()
            while True:
                event = parser.next_event()
                if isinstance(event, Response):
                    return event
                if event is not NEED_DATA:
                    raise ResponseError("the server closed the connection without an answer")
                parser.receive_data(await connection.receive())
        finally:
            connection.close()


def _reason(err: Exception) -> str:
    """What an error says, without the number that Python puts before a system's message."""
    return getattr(err, "strerror", None) or str(err) or type(err).__name__
