"""A site's own plugin, for tests: plain blocking Python that waits in every way there is.

The host's name says in which way its configuration waits, as in ``lock-17``. All end when a file opens the gate, but
those that wait for a server (port in the file ``port``), which ends when that answers, and those that wait for a name,
which ends when the name server answers. Files lie beside the repository.
"""

from __future__ import annotations

import itertools
import queue
import socket
import subprocess
import threading
import time
from pathlib import Path

from lxml import etree

from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import Structure, Threaded

OPEN_GATE = "gate-is-open"
PORT = "port"


class Waiting(Plugin, Structure, Threaded):
    """Waits, and then adds an entry that tells what it has waited for."""

    creates_directory = False
    _lock: threading.Lock
    _condition: threading.Condition
    _event: threading.Event
    _orders: queue.Queue[queue.Queue[str]]
    _numbers = itertools.count()
    _is_open = False

    def start_threads(self) -> None:
        """One thread holds the lock until the gate is open, another one answers what is put into a queue then."""
        self._lock = threading.Lock()
        self._condition = threading.Condition()
        self._event = threading.Event()
        self._orders = queue.Queue()
        self._lock.acquire()
        threading.Thread(target=self._watch, daemon=True).start()
        threading.Thread(target=self._answer, daemon=True).start()

    def build_structures(self, metadata: ClientMetadata) -> list[etree._Element]:
        """One bundle, sooner or later."""
        kind = metadata.hostname.partition("-")[0]
        wait = getattr(self, f"_wait_for_{kind}", None)
        if wait is None:
            return []
        self.log.info("%s waits", metadata.hostname)
        bundle = etree.Element("Bundle", name=kind)
        etree.SubElement(bundle, "BoundPath", name=f"/waited/{wait()}", type="file")
        return [bundle]

    @property
    def _directory(self) -> Path:
        return self.context.repository.parent

    def _watch(self) -> None:
        while not (self._directory / OPEN_GATE).exists():
            time.sleep(0.05)
        self._lock.release()
        self._event.set()
        with self._condition:
            self._is_open = True
            self._condition.notify_all()

    def _answer(self) -> None:
        while True:
            order = self._orders.get()
            self._event.wait()
            order.put("queue")

    def _wait_for_sleep(self) -> str:
        while not (self._directory / OPEN_GATE).exists():
            time.sleep(0.1)
        return "sleep"

    def _wait_for_lock(self) -> str:
        with self._lock:
            return "lock"

    def _wait_for_condition(self) -> str:
        with self._condition:
            while not self._is_open:
                self._condition.wait()
        return "condition"

    def _wait_for_queue(self) -> str:
        answers: queue.Queue[str] = queue.Queue()
        self._orders.put(answers)
        return answers.get()

    def _wait_for_thread(self) -> str:
        thread = threading.Thread(target=self._event.wait)
        thread.start()
        thread.join()
        return "thread"

    def _wait_for_program(self) -> str:
        script = f"while ! test -e {self._directory / OPEN_GATE}; do sleep 0.2; done; echo program"
        return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.strip()

    def _wait_for_server(self) -> str:
        # By its name, so that it is looked up, too.
        with socket.create_connection(("localhost", int((self._directory / PORT).read_text()))) as sock:
            sock.sendall(b"?")
            return sock.recv(100).decode()

    def _wait_for_offload(self) -> str:
        return self.context.offload(lambda: "offload")

    def _wait_for_name(self) -> str:
        try:
            # Each has a name of its own.
            socket.getaddrinfo(f"{next(self._numbers)}.example.net.", 80)
        except socket.gaierror:
            return "no-such-name"
        return "name"
