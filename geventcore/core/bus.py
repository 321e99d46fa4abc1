"""What the processes of one server tell each other, and machines that share a database.

Whoever changes what others remember says so under a topic, and everyone else who has subscribed to the topic handles
it. A message is anything that JSON can carry. Without other processes there is nobody to tell.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

#: Handles a message; what it returns goes back to the sender, if the sender can be answered.
Handler = Callable[[Any], Any]


class Relay(Protocol):
    """A way to others."""

    def tell(self, topic: str, message: Any) -> list[Any]:
        """Pass a message on; the answers of those whose handling can be waited for."""


class Bus:
    """The handlers of this process, and the relays to others."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._relays: list[Relay] = []
        self._relays_to_machines: list[Relay] = []
        self._here = threading.local()

    @property
    def is_delivering(self) -> bool:
        """Whether the calling thread (or greenlet) handles what somebody else has told."""
        return getattr(self._here, "is_delivering", False)

    def subscribe(self, topic: str, handler: Handler) -> None:
        """Have `handler` called with every message of others under a topic; one handler a topic."""
        self._handlers[topic] = handler

    def add_relay(self, relay: Relay, *, to_machines: bool = False) -> None:
        """Tell others this way, too: processes of this machine, or other machines."""
        (self._relays_to_machines if to_machines else self._relays).append(relay)

    def tell(self, topic: str, message: Any, *, machines: bool = True) -> list[Any]:
        """Tell all others; without `machines`, which know it already, only those on this machine.

        When it returns, the other processes on this machine have handled the message. Returns what their handlers
        returned, in no order.
        """
        relays = [*self._relays, *(self._relays_to_machines if machines else ())]
        return [answer for relay in relays for answer in relay.tell(topic, message)]

    def deliver(self, topic: str, message: Any) -> Any:
        """Handle what somebody else has told; what nobody has subscribed to is nobody's concern."""
        handler = self._handlers.get(topic)
        if handler is None:
            return None
        self._here.is_delivering = True
        try:
            return handler(message)
        finally:
            self._here.is_delivering = False
