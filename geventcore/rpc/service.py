"""Authentication and dispatch: all decisions between a parsed request and its response.

`Service.authenticate` needs only the head, so it runs before the body is read. `Service.answer` takes the body: it
parses, authorises, dispatches and marshals. Every request gets a response. A bad request also leaves one line in the
log, with the peer's address.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
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
from geventcore.log import shortened
from geventcore.metrics.definitions import METHOD_SECONDS, REQUESTS
from geventcore.metrics.timings import Timings
from geventcore.rpc.access import AccessControl
from geventcore.rpc.methods import MethodTable, XMLText
from geventcore.rpc.peer import Peer
from geventcore.stale_reads import allow_stale_reads
from geventcore.tls.identity import PeerIdentity
from geventcore.wire import basicauth, xmlrpc

log = logging.getLogger(__name__)

#: Authenticates a caller. Arguments: identity from a verified certificate, user, password, address.
Authenticate = Callable[[PeerIdentity | None, str, str, tuple[Any, ...]], bool]

#: Calls a function with one argument and returns its result, possibly in another thread or process.
Offload = Callable[[Callable[[Any], Any], Any], Any]

#: Results with more items than this are marshalled by `Offload`: this many pairs take about 10 ms.
LARGE_RESULT_ITEMS = 2000

#: A call whose body arrives later than this after its head is authenticated again. Methods know the caller by its
#: address and port, and Metadata keeps that for 90 s: afterwards, a slow caller would be whoever has its address.
REMEMBERED_SECONDS = 45.0

#: Shorter bodies are not compressed: the additional headers outweigh the gain.
MINIMUM_GZIP_BYTES = 1024


@dataclass(frozen=True)
class Response:
    """An HTTP response.

    Attributes:
        status: HTTP status code.
        body: body in bytes, uncompressed.
        content_type: media type of the body.
        headers: additional headers, ``(name, value)``.
    """

    status: int
    body: bytes = b""
    content_type: str = "text/xml"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class AuthResult:
    """The result of authentication.

    Attributes:
        is_allowed: whether the caller may send its request body.
        confirm: authenticates the caller again without stale reads; None if the result does not depend on stale reads.
            Raises `MetadataUnavailable` if the database is unavailable.
        repeat: authenticates the caller again, as it did the first time; None if nobody was authenticated.
        decided_at: the monotonic time of the decision.
    """

    is_allowed: bool
    confirm: Callable[[], bool] | None = None
    repeat: Callable[[], bool] | None = None
    decided_at: float = 0.0

    @property
    def is_old(self) -> bool:
        """Return true if the metadata source may have forgotten who calls since then."""
        return self.repeat is not None and time.monotonic() - self.decided_at > REMEMBERED_SECONDS


ALLOWED = AuthResult(True)
DENIED = AuthResult(False)

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
    """Return the response for an HTTP error: a short page, or an empty body for status 500."""
    if status == 500:
        return Response(500)
    reason = REASONS.get(status, "Error")
    page = f"<html><head><title>{status} {reason}</title></head><body><h1>{status} {reason}</h1></body></html>\n"
    headers = (("Allow", "POST"),) if status == 405 else ()
    return Response(status, page.encode("ascii"), "text/html", headers)


def refusal(status: int, method: str = "") -> Response:
    """Count a refused request and return its response."""
    REQUESTS.inc(method, str(status))
    return error_response(status)


class Service:
    """The request handler of one server."""

    def __init__(
        self,
        methods: MethodTable,
        access: AccessControl,
        authenticate: Authenticate,
        timings: Timings,
        offload: Offload = lambda function, argument: function(argument),
    ) -> None:
        """Set up the handler; `offload` runs long computations without blocking other requests."""
        self.methods = methods
        self.access = access
        self._authenticate = authenticate
        self._timings = timings
        self._offload = offload

    def authenticate(self, authorization: str | None, peer: Peer) -> AuthResult:
        """Authenticate the sender of a request by its ``Authorization`` header.

        While the database is unavailable, stale reads decide. Whether the called method accepts that is not known yet,
        because its name is in the body; see `AuthResult.confirm`.

        Raises:
            RequestError: the caller cannot be identified at the moment; the status is 503.
        """
        try:
            credentials = basicauth.parse_authorization(authorization)
            arguments = (peer.identity, credentials.user, credentials.password, peer.address)
            with allow_stale_reads() as stale_reads:
                is_allowed = self._authenticate(*arguments)
            if not is_allowed:
                # The metadata source has logged the reason.
                log.info("%s: access denied for %r", peer, shortened(credentials.user))
                return DENIED
            now = time.monotonic()
            if not stale_reads.was_used:
                return AuthResult(True, repeat=lambda: self._authenticate(*arguments), decided_at=now)
            failure = stale_reads.failure

            def confirm() -> bool:
                if failure is not None:
                    # This request has waited for the database already. Do not wait twice.
                    raise MetadataUnavailable(str(failure)) from failure
                return self._authenticate(*arguments)

            def repeat() -> bool:
                with allow_stale_reads():
                    return self._authenticate(*arguments)

            return AuthResult(True, confirm, repeat, now)
        except RequestError as err:
            log.warning("%s: access denied: %s", peer, err)
        except MetadataUnavailable as err:
            raise RequestError(str(err), status=503) from err
        except Exception as err:  # an error in authentication must not grant access
            log.error("%s: access denied: authentication raised %s: %s", peer, type(err).__name__, err, exc_info=err)
        return DENIED

    def new_call(self) -> xmlrpc.CallReader:
        """Return a reader for the body of an authenticated request."""
        return xmlrpc.CallReader(readers=self.methods.readers)

    def answer(self, reader: xmlrpc.CallReader, peer: Peer, auth: AuthResult = ALLOWED) -> Response:
        """Return the response to an authenticated request whose body has been read. Never raises."""
        try:
            call = reader.close()
        except RequestError as err:
            log.warning("%s: not an XML-RPC call: %s", peer, err)
            return refusal(500)
        accepts_stale_identity = self.methods.accepts_stale_identity(call.method)
        if auth.confirm is not None and not accepts_stale_identity:
            refused = self._confirm(auth.confirm, call.method, peer)
            if refused is not None:
                return refused
        elif auth.repeat is not None and auth.is_old:
            refused = self._confirm(auth.repeat, call.method, peer)
            if refused is not None:
                return refused
        with allow_stale_reads() if accepts_stale_identity else nullcontext():
            return self._carry_out(call, peer)

    def _confirm(self, confirm: Callable[[], bool], method: str, peer: Peer) -> Response | None:
        """Authenticate again. Return the refusal, or None if access is still granted."""
        try:
            if confirm():
                return None
        except MetadataUnavailable as err:
            text = f"Critical failure: the caller cannot be identified: {err}"
            log.log(_level(err, logging.ERROR), "%s: %s: %s", peer, shortened(method), text)
            REQUESTS.inc(self._known(method), "fault")
            return Response(200, xmlrpc.dump_fault(FAULT_CRITICAL, text))
        except Exception as err:  # an error in authentication must not grant access
            log.error("%s: access denied: authentication raised %s: %s", peer, type(err).__name__, err, exc_info=err)
        log.info("%s: access to %s denied when authenticated again", peer, shortened(method))
        return refusal(401, self._known(method))

    def _carry_out(self, call: xmlrpc.Call, peer: Peer) -> Response:
        try:
            allowed = self.access.allows(peer.address, call.method)
        except Exception as err:  # an error in access control must not grant access
            expected = isinstance(err, RPCError | MetadataError) or is_outage(err)
            level = _level(err, logging.ERROR)
            log.log(level, "%s: access to %s denied: %s", peer, shortened(call.method), err, exc_info=not expected)
            return refusal(500, self._known(call.method))
        if not allowed:
            log.warning("%s: access to %s denied by an access-control plugin", peer, shortened(call.method))
            return refusal(401, self._known(call.method))
        return Response(200, self._dispatch(call, peer))

    def _known(self, method: str) -> str:
        """Return the name of an existing method, else an empty text: clients must not invent label values."""
        return method if method in self.methods else ""

    def _measured(self, method: str) -> AbstractContextManager[None]:
        """Measure a block under the name of an existing method: clients must not invent names that are kept."""
        return self._timings.measure(method) if method in self.methods else nullcontext()

    def _dispatch(self, call: xmlrpc.Call, peer: Peer) -> bytes:
        method = self._known(call.method)
        start = time.perf_counter()
        outcome, body = self._call(call, peer)
        METHOD_SECONDS.observe(time.perf_counter() - start, method)
        REQUESTS.inc(method, outcome)
        return body

    def _call(self, call: xmlrpc.Call, peer: Peer) -> tuple[str, bytes]:
        """Return the outcome, ``ok`` or ``fault``, and the response body."""
        try:
            with self._measured(call.method):
                result = self.methods.call(call.method, peer.address, call.params)
        except RPCError as err:
            level = _level(err, logging.WARNING)
            log.log(level, "%s: %s: fault %d: %s", peer, shortened(call.method), err.fault_code, err)
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
            if isinstance(result, list | tuple | dict | set) and len(result) > LARGE_RESULT_ITEMS:
                dumped: bytes = self._offload(xmlrpc.dump_response, result)
                return "ok", dumped
            return "ok", xmlrpc.dump_response(result)
        except (TypeError, ValueError, OverflowError) as err:
            log.error("%s: %s failed: XML-RPC cannot carry its result: %s", peer, call.method, err)
            return "fault", xmlrpc.dump_fault(FAULT_OTHER, f"{type(err).__name__}:{err}")


def _level(err: Exception, usual: int) -> int:
    """Return the level for logging a failure: DEBUG during an outage, which is logged once when it begins."""
    return logging.DEBUG if is_outage(err) else usual


def _fault_code(err: Exception) -> int:
    """Return the exception's own fault code, or the general one."""
    code = getattr(err, "fault_code", getattr(err, "faultCode", FAULT_OTHER))
    return code if isinstance(code, int) else FAULT_OTHER
