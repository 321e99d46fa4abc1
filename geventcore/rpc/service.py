"""What a request gets: the decisions between a parsed request and its response.

``authenticate`` on the head alone, before the body is read; then ``answer`` for the body: parse, authorise, dispatch,
marshal. Whatever happens, there is an answer, and a bad request leaves one line in the log with the peer's address.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from geventcore.errors import (
    FAULT_CRITICAL,
    FAULT_OTHER,
    MetadataError,
    MetadataUnavailable,
    RequestError,
    RPCError,
    is_outage,
)
from geventcore.metrics.definitions import METHOD_SECONDS, REQUESTS
from geventcore.metrics.timings import Timings
from geventcore.recollection import recollecting
from geventcore.rpc.access import AccessControl
from geventcore.rpc.methods import MethodTable, XMLText
from geventcore.rpc.peer import Peer
from geventcore.tls.identity import PeerIdentity
from geventcore.wire import basicauth, xmlrpc

log = logging.getLogger(__name__)

#: Decides whether a caller is who it says: identity from a verified certificate, user, password, address.
Authenticate = Callable[[PeerIdentity | None, str, str, tuple[Any, ...]], bool]

#: Has a function called with one argument.
Offload = Callable[[Callable[[Any], Any], Any], Any]

#: A call is read elsewhere from this length on, in bytes: that many take some 10 ms.
LARGE_BODY = 1024 * 1024
#: A result is written elsewhere if it has more items than this: that many pairs take some 10 ms.
LARGE_RESULT = 2000

#: Bodies below this do not get smaller by compression, once the headers are counted.
MINIMUM_GZIP_BYTES = 1024


@dataclass(frozen=True)
class Response:
    """An HTTP response.

    Attributes:
        status: its code.
        body: what it carries.
        content_type: of the body.
        headers: further ones, ``(name, value)``.
    """

    status: int
    body: bytes = b""
    content_type: str = "text/xml"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Admission:
    """Whether a request may be read on.

    Attributes:
        is_let_in: whether it may.
        confirm: tells whether the caller is let in by what the database says, if that was decided from memory; raises
            `MetadataUnavailable` if the database cannot be asked.
    """

    is_let_in: bool
    confirm: Callable[[], bool] | None = None


LET_IN = Admission(True)
NOT_LET_IN = Admission(False)

REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


def error_response(status: int) -> Response:
    """The answer to a request that cannot be served: a short page, or nothing for 500."""
    if status == 500:
        return Response(500)
    reason = REASONS.get(status, "Error")
    page = f"<html><head><title>{status} {reason}</title></head><body><h1>{status} {reason}</h1></body></html>\n"
    headers = (("Allow", "POST"),) if status == 405 else ()
    return Response(status, page.encode("ascii"), "text/html", headers)


def refusal(status: int, method: str = "") -> Response:
    """The answer to a request that cannot be served, which is counted."""
    REQUESTS.inc(method, str(status))
    return error_response(status)


class Service:
    """Answers requests with the methods of one server."""

    def __init__(
        self,
        methods: MethodTable,
        access: AccessControl,
        authenticate: Authenticate,
        timings: Timings,
        offload: Offload = lambda function, argument: function(argument),
    ) -> None:
        """`offload` calls a function that computes for long in such a way that others can go on."""
        self.methods = methods
        self.access = access
        self._authenticate = authenticate
        self._timings = timings
        self._offload = offload

    def authenticate(self, authorization: str | None, peer: Peer) -> Admission:
        """Whether a request with this ``Authorization`` header may be read on.

        While the database is gone, this is decided by what was known last: what is called, which tells whether that is
        enough, comes later. `RequestError` if it cannot be found out just now.
        """
        try:
            credentials = basicauth.parse_authorization(authorization)
            arguments = (peer.identity, credentials.user, credentials.password, peer.address)
            with recollecting() as recollection:
                is_let_in = self._authenticate(*arguments)
            if not is_let_in:
                log.warning("%s: user %r is not let in", peer, credentials.user)
                return NOT_LET_IN
            if not recollection.was_used:
                return LET_IN
            failure = recollection.failure

            def confirm() -> bool:
                if failure is not None:
                    # The database was waited for once, and that is enough.
                    raise MetadataUnavailable(str(failure)) from failure
                return self._authenticate(*arguments)

            return Admission(True, confirm)
        except RequestError as err:
            log.warning("%s: no usable credentials: %s", peer, err)
        except MetadataUnavailable as err:
            raise RequestError(str(err), status=503) from err
        except Exception as err:  # failing to find out who calls must not let anyone in
            log.error("%s: authentication failed: %s: %s", peer, type(err).__name__, err, exc_info=err)
        return NOT_LET_IN

    def answer(self, body: bytes, peer: Peer, admission: Admission = LET_IN) -> Response:
        """The response to a request that was let in; never raises."""
        try:
            call = xmlrpc.parse_call(body) if len(body) < LARGE_BODY else self._offload(xmlrpc.parse_call, body)
        except RequestError as err:
            log.warning("%s: not an XML-RPC call: %s", peer, err)
            return refusal(500)
        may_wait = self.methods.may_wait(call.method)
        if admission.confirm is not None and not may_wait:
            refused = self._confirm(admission.confirm, call.method, peer)
            if refused is not None:
                return refused
        with recollecting() if may_wait else nullcontext():
            return self._carry_out(call, peer)

    def _confirm(self, confirm: Callable[[], bool], method: str, peer: Peer) -> Response | None:
        """The response to a caller who was let in from memory, unless the database says the same."""
        try:
            if confirm():
                return None
        except MetadataUnavailable as err:
            text = f"Critical failure: it cannot be found out who calls: {err}"
            log.log(_level(err, logging.ERROR), "%s: %s: %s", peer, method, text)
            REQUESTS.inc(self._known(method), "fault")
            return Response(200, xmlrpc.dump_fault(FAULT_CRITICAL, text))
        except Exception as err:  # failing to find out who calls must not let anyone in
            log.error("%s: authentication failed: %s: %s", peer, type(err).__name__, err, exc_info=err)
        log.warning("%s: is not let in after all", peer)
        return refusal(401, self._known(method))

    def _carry_out(self, call: xmlrpc.Call, peer: Peer) -> Response:
        try:
            allowed = self.access.allows(peer.address, call.method)
        except Exception as err:  # whoever cannot be identified gets no further than here
            expected = isinstance(err, RPCError | MetadataError) or is_outage(err)
            level = _level(err, logging.ERROR)
            log.log(level, "%s: cannot decide who may call %s: %s", peer, call.method, err, exc_info=not expected)
            return refusal(500, self._known(call.method))
        if not allowed:
            log.warning("%s: access to %s denied", peer, call.method)
            return refusal(401, self._known(call.method))
        return Response(200, self._dispatch(call, peer))

    def _known(self, method: str) -> str:
        """A method's name, if there is such a method: a client must not make up values of labels."""
        return method if method in self.methods else ""

    def _dispatch(self, call: xmlrpc.Call, peer: Peer) -> bytes:
        method = self._known(call.method)
        start = time.perf_counter()
        outcome, body = self._call(call, peer)
        METHOD_SECONDS.observe(time.perf_counter() - start, method)
        REQUESTS.inc(method, outcome)
        return body

    def _call(self, call: xmlrpc.Call, peer: Peer) -> tuple[str, bytes]:
        """The outcome and what is sent."""
        try:
            with self._timings.measure(call.method):
                result = self.methods.call(call.method, peer.address, call.params)
        except RPCError as err:
            level = _level(err, logging.WARNING)
            log.log(level, "%s: %s: fault %d: %s", peer, call.method, err.fault_code, err)
            return "fault", xmlrpc.dump_fault(err.fault_code, str(err))
        except Exception as err:  # the caller gets the text, the log the traceback
            if is_outage(err):
                log.debug("%s: %s failed: %s", peer, call.method, err)
            else:
                log.error("%s: %s failed: %s: %s", peer, call.method, type(err).__name__, err, exc_info=err)
            return "fault", xmlrpc.dump_fault(_fault_code(err), str(err))
        try:
            if isinstance(result, XMLText):
                return "ok", xmlrpc.dump_string_response(result.data)
            if isinstance(result, list | tuple | dict | set) and len(result) > LARGE_RESULT:
                dumped: bytes = self._offload(xmlrpc.dump_response, result)
                return "ok", dumped
            return "ok", xmlrpc.dump_response(result)
        except (TypeError, ValueError, OverflowError) as err:
            log.error("%s: the result of %s cannot be sent: %s", peer, call.method, err)
            return "fault", xmlrpc.dump_fault(FAULT_OTHER, f"{type(err).__name__}:{err}")


def _level(err: Exception, usual: int) -> int:
    """The level of a line about a failure: of thousands of calls that fail in an outage, none is news."""
    return logging.DEBUG if is_outage(err) else usual


def _fault_code(err: Exception) -> int:
    """An exception may carry a fault code of its own."""
    code = getattr(err, "fault_code", getattr(err, "faultCode", FAULT_OTHER))
    return code if isinstance(code, int) else FAULT_OTHER
