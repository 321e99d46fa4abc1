"""What a request gets: the decisions between a parsed request and its response.

``authenticate`` on the head alone, before the body is read; then ``answer`` for the body: parse, authorise, dispatch,
marshal. Whatever happens, there is an answer, and a bad request leaves one line in the log with the peer's address.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from geventcore.errors import FAULT_OTHER, MetadataError, MetadataUnavailable, RequestError, RPCError
from geventcore.metrics.definitions import METHOD_SECONDS, REQUESTS
from geventcore.metrics.timings import Timings
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

    def authenticate(self, authorization: str | None, peer: Peer) -> bool:
        """Whether a request with this ``Authorization`` header may be read on.

        `RequestError` if that cannot be found out just now.
        """
        try:
            credentials = basicauth.parse_authorization(authorization)
            if self._authenticate(peer.identity, credentials.user, credentials.password, peer.address):
                return True
            log.warning("%s: user %r is not let in", peer, credentials.user)
        except RequestError as err:
            log.warning("%s: no usable credentials: %s", peer, err)
        except MetadataUnavailable as err:
            raise RequestError(str(err), status=503) from err
        except Exception as err:  # failing to find out who calls must not let anyone in
            log.error("%s: authentication failed: %s: %s", peer, type(err).__name__, err, exc_info=err)
        return False

    def answer(self, body: bytes, peer: Peer) -> Response:
        """The response to an authenticated request; never raises."""
        try:
            call = xmlrpc.parse_call(body) if len(body) < LARGE_BODY else self._offload(xmlrpc.parse_call, body)
        except RequestError as err:
            log.warning("%s: not an XML-RPC call: %s", peer, err)
            return refusal(500)
        try:
            allowed = self.access.allows(peer.address, call.method)
        except Exception as err:  # whoever cannot be identified gets no further than here
            expected = isinstance(err, RPCError | MetadataError)
            log.error("%s: cannot decide who may call %s: %s", peer, call.method, err, exc_info=not expected)
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
            log.warning("%s: %s: fault %d: %s", peer, call.method, err.fault_code, err)
            return "fault", xmlrpc.dump_fault(err.fault_code, str(err))
        except Exception as err:  # the caller gets the text, the log the traceback
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


def _fault_code(err: Exception) -> int:
    """An exception may carry a fault code of its own."""
    code = getattr(err, "fault_code", getattr(err, "faultCode", FAULT_OTHER))
    return code if isinstance(code, int) else FAULT_OTHER
