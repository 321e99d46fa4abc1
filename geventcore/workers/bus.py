"""The bus: messages between the processes of one server, and between servers that share a database.

A process that changes something which others have cached sends a message under a topic; every other process calls the
handler that is subscribed to the topic. A message is anything that JSON can carry. In a single process nothing happens.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

#: Handles a message. Its result goes back to the sender, if the sender is a process of the same server.
Handler = Callable[[Any], Any]


class Relay(Protocol):
    """A connection to other processes."""

    def tell(self, topic: str, message: Any) -> list[Any]:
        """Send a message; return the answers of those that the caller can wait for."""


class Bus:
    """The handlers of this process, and the relays to others."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._relays: list[Relay] = []
        self._relays_to_machines: list[Relay] = []
        self._here = threading.local()

    @property
    def is_delivering(self) -> bool:
        """True while the calling thread (or greenlet) handles a message of another process."""
        return getattr(self._here, "is_delivering", False)

    def subscribe(self, topic: str, handler: Handler) -> None:
        """Call `handler` with every message of others under a topic. A topic has one handler."""
        self._handlers[topic] = handler

    def add_relay(self, relay: Relay, *, to_machines: bool = False) -> None:
        """Send messages over `relay`, too. It leads to processes of this machine, or to other machines."""
        (self._relays_to_machines if to_machines else self._relays).append(relay)

    def tell(self, topic: str, message: Any, *, machines: bool = True) -> list[Any]:
        """Send a message to all others; without `machines`, only to those on this machine.

        When this returns, the other processes on this machine have handled the message. Returns the results of their
        handlers, in no order.
        """
        relays = [*self._relays, *(self._relays_to_machines if machines else ())]
        return [answer for relay in relays for answer in relay.tell(topic, message)]

    def deliver(self, topic: str, message: Any) -> Any:
        """Handle a message of another process. Without a subscriber it is ignored."""
        handler = self._handlers.get(topic)
        if handler is None:
            return None
        self._here.is_delivering = True
        try:
            return handler(message)
        finally:
            self._here.is_delivering = False
