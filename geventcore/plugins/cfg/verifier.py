"""Verification of content by a command: the file ``:test``.

The command gets the content on its standard input and no arguments; it accepts with status 0. It is the file itself if
that is executable, otherwise the interpreter of its ``#!`` line.
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

#: How long a command may take, in seconds.
TIMEOUT_SECONDS = 30.0
#: Longer output of a command is cut, in characters: it becomes one line of a log and of a client's report.
MAX_OUTPUT = 500


class ExternalCommandVerifier(CfgVerifier):
    """``:test``, for all or for some."""

    basenames = (":test",)
    priority = 0

    def handle_event(self, event: FileEvent) -> None:
        """Nothing is kept: the file is looked at when it is run."""

    def verify(self, entry: etree._Element, metadata: ClientMetadata, data: bytes) -> None:
        command = self._command()
        try:
            done = run_to_end(command, TIMEOUT_SECONDS, data)
        except OSError as err:
            raise PluginExecutionError(f"{self.path} cannot be run: {err.strerror}") from err
        except subprocess.TimeoutExpired as err:
            raise PluginExecutionError(f"{self.path} took longer than {TIMEOUT_SECONDS:g} seconds") from err
        if done.returncode:
            text = " ".join((done.stderr or done.stdout).decode("utf-8", "replace").split())[:MAX_OUTPUT]
            raise PluginExecutionError(
                f"{self.path} does not accept the content: {text or 'no message'} (exit status {done.returncode})"
            )

    def _command(self) -> list[str]:
        path = str(self.path)
        if os.access(path, os.X_OK):
            return [path]
        try:
            with open(path, "rb") as stream:
                first_line = stream.readline().decode("utf-8", "replace")
            interpreter = shlex.split(first_line[2:]) if first_line.startswith("#!") else []
        except (OSError, ValueError) as err:
            raise PluginExecutionError(f"{path} cannot be run: {err}") from err
        if not interpreter:
            raise PluginExecutionError(f"{path} cannot be run: it is not executable and has no #! line")
        return [*interpreter, path]
