"""What plugins have in common that ask a version-control system for the repository's revision.

Such a plugin names the file or directory that tells a working copy of its system, and runs the system's program. The
program gets its arguments as they are, has no terminal to ask questions on, and is ended if it takes too long.
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
    "The root of the working copy that the repository is in, for the plugins that ask for its revision.",
)
#: How long a program may run, in seconds: asking for a revision is quick, updating may need the network.
SECONDS = 60.0


class VersionControl(Plugin, Version):
    """Knows the revision by running a program.

    Class attributes:
        markers: names one of which the root of a working copy has.
    """

    options: ClassVar[tuple[Option[Any], ...]] = (VCS_ROOT,)
    creates_directory: ClassVar[bool] = False
    remote_methods: ClassVar[tuple[str, ...]] = (*Plugin.remote_methods, "get_revision")
    markers: ClassVar[tuple[str, ...]]

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        if not any((self.root / marker).exists() for marker in self.markers):
            raise PluginInitError(
                f"{self.root} is no working copy of {self.name}: it has no {' or '.join(self.markers)}; "
                "see [server] vcs_root"
            )

    @property
    def root(self) -> Path:
        """The root of the working copy."""
        return self.context.settings[VCS_ROOT]

    def run(self, *command: str, seconds: float = SECONDS) -> str:
        """What a program prints in the working copy; `PluginExecutionError` if it fails."""
        try:
            done = run_to_end(
                command, seconds, cwd=self.root, env={**os.environ, "LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0"}
            )
        except OSError as err:
            raise PluginExecutionError(f"{command[0]} cannot be run: {err.strerror}") from err
        except subprocess.TimeoutExpired as err:
            raise PluginExecutionError(f"{' '.join(command)} took more than {seconds:.0f} seconds") from err
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().replace("\n", " | ")
            raise PluginExecutionError(f"{' '.join(command)} ended with status {done.returncode}: {said}")
        return done.stdout.decode("utf-8", "replace")

    def first_line(self, *command: str) -> str:
        """The first line that a program prints; `PluginExecutionError` if it prints none."""
        lines = self.run(*command).splitlines()
        if not lines or not lines[0].strip():
            raise PluginExecutionError(f"{' '.join(command)} printed nothing")
        return lines[0].strip()
