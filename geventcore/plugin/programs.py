"""Running programs for plugins: cooperative, bounded in time, without a shell.

A program gets its arguments as they are and nothing on its standard input. If it takes too long it is ended, and so is
whatever it has started: that would keep its output open.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from geventcore.errors import PluginExecutionError

#: What a program says when it fails becomes one line of a log; more than this is cut, in characters.
MAX_MESSAGE = 500


def run_program(command: Sequence[str], seconds: float | None) -> bytes:
    """What a program prints; `seconds` is how long it may take, None for as long as it likes.

    `PluginExecutionError` names the program and says why if it cannot be run, takes too long, or ends with a status
    that is not 0.
    """
    program = command[0]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as err:
        reason = err.strerror if isinstance(err, OSError) else str(err)
        raise PluginExecutionError(f"{program} cannot be run: {reason}") from err
    with process:
        try:
            output, errors = process.communicate(timeout=seconds)
        except BaseException as err:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(err, subprocess.TimeoutExpired):
                raise PluginExecutionError(f"{program} took longer than {seconds:g} seconds and was ended") from err
            raise
    if process.returncode:
        said = " ".join(errors.decode("utf-8", "replace").split())[:MAX_MESSAGE]
        raise PluginExecutionError(f"{program} ended with status {process.returncode}: {said or 'no message'}")
    return output
