"""Trigger: programs that run after a client has received its configuration (docs: reference/plugins/trigger).

Every executable file below ``Trigger/`` is called as ``file <hostname> -p <profile> -g <group1:group2…>``. The client
does not wait for them.

A program runs once at a time for a client. Further runs of this client, while the program runs or waits for its turn,
become one run after it, with the latest profile and groups. So no client, however often it calls, makes the queue
longer than the number of programs.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, ClassVar

from geventcore.errors import PluginExecutionError
from geventcore.options import Option, types
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import ClientRunHooks
from geventcore.plugin.programs import positional, run_program

TIMEOUT = Option(
    "trigger",
    "timeout",
    types.TIMEOUT,
    300.0,
    "The timeout after which a trigger is killed, in seconds; 0 for none.",
)
#: The limit on concurrent triggers, so that many clients at once cannot fill the machine with processes.
MAX_PROCESSES = 20
#: The log has a warning each time the number of waiting triggers has grown by this many.
LONG_QUEUE = 1000


class Trigger(Plugin, ClientRunHooks):
    """A plugin that runs programs at the end of client runs."""

    options: ClassVar[tuple[Option[Any], ...]] = (TIMEOUT,)

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._lock = threading.Lock()
        #: (program, host name) -> arguments, in the order of their turns.
        self._waiting: dict[tuple[str, str], list[str]] = {}
        self._running: set[tuple[str, str]] = set()
        #: Those to run again: they wait until the program has ended for this client.
        self._again: dict[tuple[str, str], list[str]] = {}
        self._threads = 0

    def end_client_run(self, metadata: ClientMetadata) -> None:
        """Queue every trigger, without waiting for it; a command that only looks at the site runs none."""
        if self.context.read_only:
            return
        # A client chooses the groups of its probes: one with a colon would look like several.
        groups = ":".join(sorted(group for group in metadata.groups if ":" not in group and group.isprintable()))
        arguments = ["-p", metadata.profile or "", "-g", groups]
        for path in self._triggers():
            self._put((str(path), positional(metadata.hostname)), arguments)

    def _triggers(self) -> list[Path]:
        found = []
        for path in sorted(path for path in self.directory.rglob("*") if path.is_file()):
            if os.access(path, os.X_OK):
                found.append(path)
            else:
                self.log.error("%s: ignoring this trigger, it is not executable", path)
        return found

    def _put(self, run: tuple[str, str], arguments: list[str]) -> None:
        """Queue a program for a client; it runs when fewer than `MAX_PROCESSES` triggers are running."""
        with self._lock:
            if run in self._running:
                self._again[run] = arguments
                return
            is_new = run not in self._waiting
            self._waiting[run] = arguments
            if not is_new:
                return
            if len(self._waiting) % LONG_QUEUE == 0:
                self.log.warning(
                    "%d triggers are waiting: clients arrive faster than triggers finish", len(self._waiting)
                )
            if self._threads == MAX_PROCESSES:
                return
            self._threads += 1
        threading.Thread(target=self._work, name="trigger", daemon=True).start()

    def _work(self) -> None:
        """Run the waiting programs one after the other until none is left."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                run = next(iter(self._waiting))
                arguments = self._waiting.pop(run)
                self._running.add(run)
            try:
                run_program([*run, *arguments], self.context.settings[TIMEOUT])
            except PluginExecutionError as err:
                self.log.error("%s: trigger for %s failed: %s", *run, err)
            except Exception:
                self.log.exception("%s: trigger for %s failed", *run)
            finally:
                with self._lock:
                    self._running.discard(run)
                    if run in self._again:
                        self._waiting[run] = self._again.pop(run)

    def shutdown(self) -> None:
        """Drop the waiting triggers; running ones continue."""
        super().shutdown()
        with self._lock:
            waiting = len(self._waiting) + len(self._again)
            if waiting:
                self.log.warning("%d waiting triggers did not run, because the server is shutting down", waiting)
                self._waiting.clear()
                self._again.clear()
