"""Which keys session tickets are encrypted with.

OpenSSL makes ticket keys of its own for every context and never changes them. The binding that pyOpenSSL uses offers
no way to set them. What it does offer is to begin a connection with one context and to give it the certificates of
another one before the handshake: tickets then go by the context that it began with. So the keys are a row of contexts
that serve for nothing else. They are made before processes are forked, which thereby share them, and they stay when
certificates are read again.

A key is used for a day. Then the next one in the row is, in all processes at the same moment, and the one before is
forgotten: what it encrypted cannot be read again by anybody, which is what makes TLS 1.2 forward secret. A client with
a ticket of yesterday makes a full handshake.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from OpenSSL import SSL

#: How long a key is used: nginx and Apache advise a day or less.
KEY_SECONDS = 86400.0
#: How many keys are made in advance, 18 KB each. A server that runs for longer makes further ones, which each process
#: then has for itself.
KEYS = 31


class TicketKeys:
    """The keys of one server, for its whole life."""

    def __init__(
        self, make_context: Callable[[], SSL.Context], *, seconds: float = KEY_SECONDS, count: int = KEYS
    ) -> None:
        """`make_context` makes contexts without certificates, but with all other settings of a connection."""
        self._make_context = make_context
        self._seconds = seconds
        self._next_change = monotonic() + seconds
        self._contexts = [make_context() for _ in range(count)]

    def current(self) -> SSL.Context:
        """The context that a new connection is to begin with."""
        # Two threads at once could drop one key too many, which costs nobody more than a full handshake.
        while monotonic() >= self._next_change:
            self._next_change += self._seconds
            del self._contexts[0]
            if not self._contexts:
                self._contexts.append(self._make_context())
        return self._contexts[0]
