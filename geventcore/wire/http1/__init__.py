"""HTTP/1.0 and 1.1 without I/O.

``RequestParser`` and ``ResponseParser`` are driven by a loop: ask for the `next_event`; on `NEED_DATA` read from the
peer and pass what came to `receive_data`; on `CLOSED` close. Bytes of a following message wait until they are asked
for. Between messages a parser holds no buffer, so that an idle connection costs next to nothing.

`framing` cuts messages out of the stream, on the C parser of httptools; `request` and `response` are the two ends;
`encoding` writes messages.
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
from geventcore.wire.http1.request import RequestBody, RequestHead, RequestParser
from geventcore.wire.http1.response import Response, ResponseParser

__all__ = [
    "CLOSED",
    "CONTINUE",
    "NEED_DATA",
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
