"""A worker's connection to the master, and through it to the other workers: a relay of the bus.

Messages of others are handled by a thread (or greenlet) for each topic, in the order in which they were sent. So a slow
handler of one topic does not delay another topic.
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

from geventcore.errors import GeventcoreError
from geventcore.workers.bus import Bus
from geventcore.workers.frames import Frame, FrameReader, Kind

log = logging.getLogger(__name__)

#: How often a worker tells the master that it is alive, in seconds.
ALIVE_SECONDS = 2.0


class _Question:
    """A message that this worker has sent, until all others have answered."""

    def __init__(self) -> None:
        self.is_done = threading.Event()
        self.answers: list[Any] = []


class WorkerLink:
    """The worker's end of a socket to the master."""

    def __init__(self, sock: socket.socket, bus: Bus, on_end: Callable[[], None], on_lost: Callable[[], None]) -> None:
        """`on_end` is called when the master is gone, `on_lost` when another worker is, which may not have told all."""
        self._sock = sock
        self._bus = bus
        self._on_end = on_end
        self._on_lost = on_lost
        self._numbers = itertools.count(1)
        self._questions: dict[int, _Question] = {}
        self._sending = threading.Lock()
        self._topics: dict[str, queue.SimpleQueue[Frame]] = {}
        self._is_closed = threading.Event()

    def start(self) -> None:
        """Handle messages of others from now on."""
        threading.Thread(target=self._receive, name="worker link", daemon=True).start()
        threading.Thread(target=self._say_alive, name="worker alive", daemon=True).start()

    def close(self) -> None:
        """Tell the master nothing more."""
        self._is_closed.set()

    def tell(self, topic: str, message: Any) -> list[Any]:
        """Send a message to the other workers, wait until they have handled it, and return their answers.

        When the master is gone, so are the others: there is no answer.
        """
        number = next(self._numbers)
        question = self._questions[number] = _Question()
        try:
            self._send(Frame(Kind.TELL, 0, number, topic.encode() + b"\0" + json.dumps(message).encode()))
            question.is_done.wait()
        except OSError as err:
            log.debug("the master is gone: %s", err)
        finally:
            del self._questions[number]
        return question.answers

    def say(self, kind: Kind) -> None:
        """Send the master a frame without a payload."""
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
            log.debug("the connection to the master is broken: %s", err)
        for question in list(self._questions.values()):
            question.is_done.set()
        if not self._is_closed.is_set():
            self._on_end()

    def _take(self, frame: Frame) -> None:
        if frame.kind is Kind.DONE:
            question = self._questions.get(frame.number)
            if question is not None:
                question.answers = json.loads(frame.payload)
                question.is_done.set()
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
                    "Cannot handle a message of another worker under the topic %r: %s: %s",
                    *(topic, type(err).__name__, err),
                    exc_info=not isinstance(err, GeventcoreError),
                )
                answer = b"null"
            try:
                self._send(Frame(Kind.ANSWER, frame.sender, frame.number, answer))
            except OSError as err:
                log.debug("the master is gone: %s", err)
                return
