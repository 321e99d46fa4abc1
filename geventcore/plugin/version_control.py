"""The common base of plugins that get the repository's revision from a version-control system.

Such a plugin names the files or directories that mark a working copy of its system, and runs the system's program. The
program gets its arguments unchanged, has no terminal, and is killed after a timeout.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, ClassVar

from geventcore.errors import PluginExecutionError, PluginInitError
from geventcore.options import Option, types
from geventcore.plugin.base import Plugin
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Version
from geventcore.plugin.programs import run_to_end

VCS_ROOT = Option(
    "server",
    "vcs_root",
    types.PATH,
    "<repository>",
    "The root of the working copy that contains the repository, for the version-control plugins.",
)
#: The timeout of a program, in seconds. Reading a revision is quick, but updating may need the network.
TIMEOUT_SECONDS = 60.0


class VersionControl(Plugin, Version):
    """A plugin that gets the revision by running a program.

    Class attributes:
        markers: names of files; the root of a working copy has one of them.
    """

    options: ClassVar[tuple[Option[Any], ...]] = (VCS_ROOT,)
    creates_directory: ClassVar[bool] = False
    remote_methods: ClassVar[tuple[str, ...]] = (*Plugin.remote_methods, "get_revision")
    markers: ClassVar[tuple[str, ...]]

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        if not any((self.root / marker).exists() for marker in self.markers):
            raise PluginInitError(
                f"{self.root} is not a working copy of {self.name}: it has no {' or '.join(self.markers)}; "
                "set [server] vcs_root"
            )

    @property
    def root(self) -> Path:
        """The root of the working copy."""
        return self.context.settings[VCS_ROOT]

    def run(self, *command: str, seconds: float = TIMEOUT_SECONDS) -> str:
        """Run a program in the working copy and return its output; `PluginExecutionError` if it fails."""
        try:
            done = run_to_end(
                command, seconds, cwd=self.root, env={**os.environ, "LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0"}
            )
        except OSError as err:
            raise PluginExecutionError(f"{command[0]} cannot be run: {err.strerror}") from err
        except subprocess.TimeoutExpired as err:
            raise PluginExecutionError(
                f"{' '.join(command)} was killed after the timeout of {seconds:.0f} seconds"
            ) from err
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().replace("\n", " | ")
            raise PluginExecutionError(f"{' '.join(command)} ended with status {done.returncode}: {said}")
        return done.stdout.decode("utf-8", "replace")

    def first_line(self, *command: str) -> str:
        """Run a program and return the first line of its output; `PluginExecutionError` if it is empty."""
        lines = self.run(*command).splitlines()
        if not lines or not lines[0].strip():
            raise PluginExecutionError(f"{' '.join(command)} printed nothing")
        return lines[0].strip()
