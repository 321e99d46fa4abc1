"""Wire formats: parsers and writers for HTTP/1, XML-RPC and basic authentication.

The package does no I/O. The server side raises `geventcore.errors.RequestError` for bad input, with an HTTP status. The
client side raises `ResponseError`.
"""

from __future__ import annotations

from geventcore.errors import GeventcoreError


class ResponseError(GeventcoreError):
    """A server's response that violates HTTP or XML-RPC, or exceeds the limits."""
