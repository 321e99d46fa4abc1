"""The wire formats: HTTP/1, XML-RPC and basic authentication as bytes in, values out, and back.

Nothing here opens, reads or waits for anything. A server raises `geventcore.errors.RequestError` about what a peer
sends; the client side, which has no status to answer with, raises `ResponseError`.
"""

from __future__ import annotations

from geventcore.errors import GeventcoreError


class ResponseError(GeventcoreError):
    """A server's answer that HTTP or XML-RPC does not allow, or that is larger than the limits."""
