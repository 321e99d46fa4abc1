"""Verification of content by a command: the file ``:test``.

The command gets the content on its standard input and no arguments; it accepts with status 0. It is the file itself if
that is executable, otherwise the interpreter of its ``#!`` line.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from contextlib import suppress

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.filemonitor import FileEvent
from geventcore.plugin.client_metadata import ClientMetadata
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
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as err:
            raise PluginExecutionError(f"{self.path} cannot be run: {err.strerror}") from err
        with process:
            try:
                output, errors = process.communicate(data, TIMEOUT_SECONDS)
            except BaseException as err:
                # Whatever the command has started goes, too: it would keep the pipes open.
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                if isinstance(err, subprocess.TimeoutExpired):
                    raise PluginExecutionError(f"{self.path} took longer than {TIMEOUT_SECONDS:g} seconds") from err
                raise
        if process.returncode:
            text = " ".join((errors or output).decode("utf-8", "replace").split())[:MAX_OUTPUT]
            raise PluginExecutionError(
                f"{self.path} does not accept the content: {text or 'no message'} (exit status {process.returncode})"
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
