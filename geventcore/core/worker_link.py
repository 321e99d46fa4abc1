"""A worker's line to the master, and over it to the other workers: a relay of the bus.

What others tell is handled in a thread (or greenlet) for each topic, in the order in which it was told; so what takes
its time under one topic does not hold up another.
"""

from __future__ import annotations

import itertools
import json
import logging
import queue
import socket
import threading
from collections.abc import Callable
from typing import Any

from geventcore.core.bus import Bus
from geventcore.core.frames import Frame, FrameReader, Kind
from geventcore.errors import GeventcoreError

log = logging.getLogger(__name__)

#: How often a worker says that it is alive, in seconds.
ALIVE_SECONDS = 2.0


class _Telling:
    def __init__(self) -> None:
        self.is_done = threading.Event()
        self.answers: list[Any] = []


class WorkerLink:
    """The worker's end of a socket to the master."""

    def __init__(self, sock: socket.socket, bus: Bus, on_end: Callable[[], None], on_lost: Callable[[], None]) -> None:
        """`on_end` is called when the master is gone, `on_lost` if another worker may not have told everything."""
        self._sock = sock
        self._bus = bus
        self._on_end = on_end
        self._on_lost = on_lost
        self._numbers = itertools.count(1)
        self._tellings: dict[int, _Telling] = {}
        self._sending = threading.Lock()
        self._topics: dict[str, queue.SimpleQueue[Frame]] = {}
        self._is_closed = threading.Event()

    def start(self) -> None:
        """Take what others tell from now on."""
        threading.Thread(target=self._receive, name="worker link", daemon=True).start()
        threading.Thread(target=self._say_alive, name="worker alive", daemon=True).start()

    def close(self) -> None:
        """Say nothing any more."""
        self._is_closed.set()

    def tell(self, topic: str, message: Any) -> list[Any]:
        """Tell the other workers, and wait until they have handled it; their answers.

        Without a master there is nobody to tell.
        """
        number = next(self._numbers)
        telling = self._tellings[number] = _Telling()
        try:
            self._send(Frame(Kind.TELL, 0, number, topic.encode() + b"\0" + json.dumps(message).encode()))
            telling.is_done.wait()
        except OSError as err:
            log.debug("the master is gone: %s", err)
        finally:
            del self._tellings[number]
        return telling.answers

    def say(self, kind: Kind) -> None:
        """Tell the master something about this worker."""
        try:
            self._send(Frame(kind))
        except OSError as err:
            log.debug("the master is gone: %s", err)

    def _send(self, frame: Frame) -> None:
        with self._sending:
            self._sock.sendall(frame.encode())

    def _say_alive(self) -> None:
        while not self._is_closed.wait(ALIVE_SECONDS):
            self.say(Kind.ALIVE)

    def _receive(self) -> None:
        reader = FrameReader()
        try:
            while data := self._sock.recv(65536):
                for frame in reader.feed(data):
                    self._take(frame)
        except OSError as err:
            log.debug("the line to the master is broken: %s", err)
        for telling in list(self._tellings.values()):
            telling.is_done.set()
        if not self._is_closed.is_set():
            self._on_end()

    def _take(self, frame: Frame) -> None:
        if frame.kind is Kind.DONE:
            telling = self._tellings.get(frame.number)
            if telling is not None:
                telling.answers = json.loads(frame.payload)
                telling.is_done.set()
        elif frame.kind is Kind.GONE:
            self._on_lost()
        elif frame.kind is Kind.TELL:
            topic = frame.payload.partition(b"\0")[0].decode()
            if topic not in self._topics:
                messages = self._topics[topic] = queue.SimpleQueue()
                threading.Thread(
                    target=self._handle, args=(topic, messages), name=f"bus topic {topic}", daemon=True
                ).start()
            self._topics[topic].put(frame)

    def _handle(self, topic: str, messages: queue.SimpleQueue[Frame]) -> None:
        while True:
            frame = messages.get()
            try:
                answer = json.dumps(self._bus.deliver(topic, json.loads(frame.payload.partition(b"\0")[2]))).encode()
            except Exception as err:
                log.error(
                    "Handling what another worker told under %r failed: %s: %s",
                    *(topic, type(err).__name__, err),
                    exc_info=not isinstance(err, GeventcoreError),
                )
                answer = b"null"
            try:
                self._send(Frame(Kind.ANSWER, frame.sender, frame.number, answer))
            except OSError as err:
                log.debug("the master is gone: %s", err)
                return
