"""HTTP/1.0 and 1.1 without I/O.

Drive ``RequestParser`` and ``ResponseParser`` with a loop: call `next_event`; on `NEED_DATA` read from the peer and
call `receive_data`; on `CLOSED` close. Bytes of the next message wait until it is requested. Between messages a parser
holds no buffer, so an idle connection costs almost nothing.

`framing` splits the stream into messages with the C parser of httptools. `request` and `response` are the parsers of
both sides. `encoding` writes messages.
"""

from geventcore.wire.http1.encoding import (
    CONTINUE,
    accepts_gzip,
    encode_head,
    encode_request,
    encode_response,
    gzip_body,
)
from geventcore.wire.http1.framing import CLOSED, NEED_DATA, HTTPLimits, Signal
from geventcore.wire.http1.request import BodyPart, RequestBody, RequestHead, RequestParser
from geventcore.wire.http1.response import Response, ResponseParser

__all__ = [
    "CLOSED",
    "CONTINUE",
    "NEED_DATA",
    "BodyPart",
    "HTTPLimits",
    "RequestBody",
    "RequestHead",
    "RequestParser",
    "Response",
    "ResponseParser",
    "Signal",
    "accepts_gzip",
    "encode_head",
    "encode_request",
    "encode_response",
    "gzip_body",
]
