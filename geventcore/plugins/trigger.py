"""Trigger: programs that run when a client has got its configuration (docs: reference/plugins/trigger).

Every executable file below ``Trigger/`` is called as ``file <hostname> -p <profile> -g <group1:group2…>``. The client
does not wait for them.
"""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from typing import Any, ClassVar

from geventcore.options import Option, types
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import ClientRunHooks

TIMEOUT = Option(
    "trigger",
    "timeout",
    types.TIMEOUT,
    300.0,
    "How long a trigger may run before it is ended, in seconds; 0 for as long as it likes.",
)
#: Further ones wait for one to end: a herd of clients must not fill the machine with processes.
MAX_PROCESSES = 20


class Trigger(Plugin, ClientRunHooks):
    """Runs programs at the end of client runs."""

    options: ClassVar[tuple[Option[Any], ...]] = (TIMEOUT,)

    def end_client_run(self, metadata: ClientMetadata) -> None:
        """Start every trigger, and return."""
        groups = ":".join(sorted(metadata.groups))
        arguments = [metadata.hostname, "-p", str(metadata.profile or ""), "-g", groups]
        for path in sorted(path for path in self.directory.rglob("*") if path.is_file()):
            if not os.access(path, os.X_OK):
                self.log.error("%s: not executable, so it is no trigger", path)
                continue
            name = f"trigger {path.name} for {metadata.hostname}"
            threading.Thread(target=self._run, args=(path, arguments), name=name, daemon=True).start()

    _places = threading.BoundedSemaphore(MAX_PROCESSES)

    def _run(self, path: Path, arguments: list[str]) -> None:
        with self._places:
            try:
                done = subprocess.run(
                    [str(path), *arguments],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=self.context.settings[TIMEOUT],
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as err:
                self.log.error("%s: trigger for %s failed: %s", path, arguments[0], err)
                return
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().replace("\n", " | ")
            self.log.error("%s: trigger for %s ended with status %d: %s", path, arguments[0], done.returncode, said)
