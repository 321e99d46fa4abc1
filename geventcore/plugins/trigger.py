"""Trigger: programs that run when a client has got its configuration (docs: reference/plugins/trigger).

Every executable file below ``Trigger/`` is called as ``file <hostname> -p <profile> -g <group1:group2…>``. The client
does not wait for them.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from pathlib import Path
from typing import Any, ClassVar

from geventcore.errors import PluginExecutionError
from geventcore.options import Option, types
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import ClientRunHooks
from geventcore.plugin.programs import run_program

TIMEOUT = Option(
    "trigger",
    "timeout",
    types.TIMEOUT,
    300.0,
    "How long a trigger may run before it is ended, in seconds; 0 for as long as it likes.",
)
#: Further ones wait for one to end: a herd of clients must not fill the machine with processes.
MAX_PROCESSES = 20
#: Whenever this many more are waiting, the log says so.
LONG_QUEUE = 1000


class Trigger(Plugin, ClientRunHooks):
    """Runs programs at the end of client runs."""

    options: ClassVar[tuple[Option[Any], ...]] = (TIMEOUT,)

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._lock = threading.Lock()
        self._waiting: deque[list[str]] = deque()
        self._threads = 0

    def end_client_run(self, metadata: ClientMetadata) -> None:
        """Have every trigger run, and return."""
        groups = ":".join(sorted(metadata.groups))
        arguments = [metadata.hostname, "-p", metadata.profile or "", "-g", groups]
        for path in self._triggers():
            self._put([str(path), *arguments])

    def _triggers(self) -> list[Path]:
        found = []
        for path in sorted(path for path in self.directory.rglob("*") if path.is_file()):
            if os.access(path, os.X_OK):
                found.append(path)
            else:
                self.log.error("%s: not executable, so it is no trigger", path)
        return found

    def _put(self, command: list[str]) -> None:
        """Have a program run as soon as there is a place."""
        with self._lock:
            self._waiting.append(command)
            if len(self._waiting) % LONG_QUEUE == 0:
                self.log.warning("%d triggers are waiting: they take longer than clients come", len(self._waiting))
            if self._threads == MAX_PROCESSES:
                return
            self._threads += 1
        threading.Thread(target=self._work, name="trigger", daemon=True).start()

    def _work(self) -> None:
        """Run programs until none is waiting."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                command = self._waiting.popleft()
            try:
                run_program(command, self.context.settings[TIMEOUT])
            except PluginExecutionError as err:
                self.log.error("%s: trigger for %s failed: %s", command[0], command[1], err)
            except Exception:
                self.log.exception("%s: trigger for %s failed", command[0], command[1])

    def shutdown(self) -> None:
        """Those that run go on; those that wait are given up."""
        super().shutdown()
        with self._lock:
            if self._waiting:
                self.log.warning("%d triggers did not run, because the server ends", len(self._waiting))
                self._waiting.clear()
