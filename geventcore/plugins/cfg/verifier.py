"""Verification of content by a command: the file ``:test``.

The command gets the content on its standard input, without arguments; exit status 0 accepts it. The command is the file
itself if it is executable, else the interpreter of its ``#!`` line.
"""

from __future__ import annotations

import os
import shlex
import subprocess

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.filemonitor import FileEvent
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.programs import run_to_end
from geventcore.plugins.cfg.handlers import CfgVerifier
from geventcore.regular_files import read_file

#: The timeout of a command, in seconds.
TIMEOUT_SECONDS = 30.0
#: The limit on the output of a command, in characters. It becomes one line of the log and of the client's report.
MAX_OUTPUT = 500


class ExternalCommandVerifier(CfgVerifier):
    """``:test``, for all clients or for some."""

    basenames = (":test",)
    priority = 0

    def handle_event(self, event: FileEvent) -> None:
        """Do nothing: the file is read when it is run."""

    def verify(self, entry: etree._Element, metadata: ClientMetadata, data: bytes) -> None:
        command = self._command()
        try:
            done = run_to_end(command, TIMEOUT_SECONDS, data)
        except OSError as err:
            raise PluginExecutionError(f"{self.path} cannot be run: {err.strerror}") from err
        except subprocess.TimeoutExpired as err:
            raise PluginExecutionError(f"{self.path}: timeout after {TIMEOUT_SECONDS:g} seconds") from err
        if done.returncode:
            text = " ".join((done.stderr or done.stdout).decode("utf-8", "replace").split())[:MAX_OUTPUT]
            raise PluginExecutionError(
                f"{self.path} rejects the content: {text or 'no message'} (exit status {done.returncode})"
            )

    def _command(self) -> list[str]:
        path = str(self.path)
        if os.access(path, os.X_OK):
            return [path]
        try:
            first_line = read_file(path).partition(b"\n")[0].decode("utf-8", "replace")
            interpreter = shlex.split(first_line[2:]) if first_line.startswith("#!") else []
        except (OSError, ValueError) as err:
            raise PluginExecutionError(f"{path} cannot be run: {err}") from err
        if not interpreter:
            raise PluginExecutionError(f"{path} cannot be run: it is not executable and has no #! line")
        return [*interpreter, path]
