"""The children of a server as it sees them: who is free builds, who dies is replaced."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from geventcore.core.channel import Channel
from geventcore.core.nursery import Nursery
from geventcore.errors import CoreInitError

log = logging.getLogger(__name__)

T = TypeVar("T")

#: How many children in a row may die over one request before the client is told.
ATTEMPTS = 3


class Child:
    """A child as the parent sees it: one request at a time."""

    def __init__(self, number: int, channel: Channel) -> None:
        self.number = number
        self._channel = channel
        self._lock = threading.Lock()

    def await_ready(self) -> None:
        """Return when the child has read the repository; `EOFError` if it has died, `CoreInitError` if it cannot."""
        head, _ = self._channel.receive()
        if "error" in head:
            raise CoreInitError(head["error"])

    def ask(self, order: str, **details: Any) -> tuple[dict[str, Any], bytes]:
        """Have the child do something; `EOFError` if it dies over it."""
        with self._lock:
            return self._ask(order, details)

    def ask_if_free(self, order: str) -> dict[str, Any] | None:
        """What the child answers; None if it is busy. `EOFError` if it dies over it."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            return self._ask(order, {})[0]
        finally:
            self._lock.release()

    def _ask(self, order: str, details: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        try:
            self._channel.send({"order": order, **details})
        except OSError as err:
            raise EOFError(str(err)) from err
        return self._channel.receive()

    def close(self) -> None:
        """End the child."""
        self._channel.close()


class Children:
    """All children: the free ones wait in a queue, dead ones are replaced."""

    def __init__(self, nursery: Nursery, count: int) -> None:
        self._nursery = nursery
        self._free: queue.Queue[Child] = queue.Queue()
        self._all: dict[int, Child] = {}
        self._lock = threading.Lock()
        self._closed = False
        for number in range(count):
            self._all[number] = Child(number, nursery.new_child(number))
        for child in self._all.values():
            try:
                child.await_ready()
            except EOFError as err:
                self.close()
                raise CoreInitError(f"child {child.number} has not started; the log says why") from err
            except CoreInitError:
                self.close()
                raise
            self._free.put(child)

    def build(self, client: str) -> tuple[dict[str, Any], bytes]:
        """Have a free child build a configuration; `CoreInitError` if children keep dying over it."""
        for _ in range(ATTEMPTS):
            child = self._free.get()
            try:
                answer = child.ask("build", client=client)
            except EOFError:
                log.error("child %d died building the configuration of %s", child.number, client)
                self._replace(child)
                continue
            self._free.put(child)
            return answer
        raise CoreInitError(f"{ATTEMPTS} processes died building the configuration of {client}")

    def tell_all(self, order: str, **details: Any) -> list[tuple[int, dict[str, Any]]]:
        """Have every child do something; ``(number, answer)`` of those that live."""
        return self._each(lambda child: child.ask(order, **details)[0])

    def ask_free(self, order: str) -> list[dict[str, Any]]:
        """Ask those that build nothing now, which answer at once."""
        return [answer for _, answer in self._each(lambda child: child.ask_if_free(order)) if answer is not None]

    def _each(self, ask: Callable[[Child], T]) -> list[tuple[int, T]]:
        with self._lock:
            children = list(self._all.values())
        answers = []
        for child in children:
            try:
                answers.append((child.number, ask(child)))
            except EOFError:
                # Whoever builds with it next finds it dead and replaces it; a new one knows everything.
                log.debug("child %d is gone", child.number)
        return answers

    def _replace(self, child: Child) -> None:
        child.close()
        threading.Thread(target=self._start_instead, args=(child.number,), name="new child", daemon=True).start()

    def _start_instead(self, number: int) -> None:
        delay = 0.1
        while not self._closed:
            try:
                child = Child(number, self._nursery.new_child(number))
                child.await_ready()
            except (EOFError, CoreInitError) as err:
                log.error("child %d cannot be replaced, next try in %.1f s: %s", number, delay, err)
                time.sleep(delay)
                delay = min(delay * 2, 30.0)
                continue
            with self._lock:
                self._all[number] = child
            self._free.put(child)
            return

    def close(self) -> None:
        """End all children."""
        self._closed = True
        with self._lock:
            for child in self._all.values():
                child.close()
