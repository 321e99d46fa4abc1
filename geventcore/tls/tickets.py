"""The keys of session tickets.

OpenSSL makes ticket keys for every context and never changes them. The binding that pyOpenSSL uses cannot set them. But
a connection may start with one context and switch to the certificates of another one before the handshake. It then uses
the ticket keys of the first context. So each key is a context that serves no other purpose. The contexts are made
before workers are forked, so all workers share them, and a reload of certificates does not change them.

A key is used for a day. Then all processes switch to the next key at the same time and drop the old one. Nobody can
decrypt its tickets afterwards, which makes TLS 1.2 forward secret. A client with an old ticket makes a full handshake.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from OpenSSL import SSL

#: Lifetime of a key in seconds: nginx and Apache advise a day or less.
KEY_SECONDS = 86400.0
#: The number of keys made in advance, 18 KB each. After that, each process makes its own keys.
KEYS = 31


class TicketKeys:
    """The ticket keys of one server."""

    def __init__(
        self, make_context: Callable[[], SSL.Context], *, seconds: float = KEY_SECONDS, count: int = KEYS
    ) -> None:
        """Set up; `make_context` returns contexts without certificates, but with all other settings."""
        self._make_context = make_context
        self._seconds = seconds
        self._next_change = monotonic() + seconds
        self._contexts = [make_context() for _ in range(count)]

    def current(self) -> SSL.Context:
        """Return the context that a new connection starts with."""
        # Two concurrent threads may drop one key too many, which costs only full handshakes.
        while monotonic() >= self._next_change:
            self._next_change += self._seconds
            del self._contexts[0]
            if not self._contexts:
                self._contexts.append(self._make_context())
        return self._contexts[0]
