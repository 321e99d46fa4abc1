"""Running programs for plugins: cooperative, bounded in time, without a shell.

A program gets its arguments as they are, and on its standard input what it is given, or nothing. If it takes too long
it is ended, and so is whatever it has started: that would keep its output open.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from geventcore.errors import PluginExecutionError

#: What a program says when it fails becomes one line of a log; more than this is cut, in characters.
MAX_MESSAGE = 500


def run_to_end(
    command: Sequence[str],
    seconds: float | None,
    data: bytes | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program with `data` on its standard input; `seconds` is how long it may take, None for no limit.

    Raises `OSError` or `ValueError` if it cannot be run, and `subprocess.TimeoutExpired`.
    """
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        try:
            output, errors = process.communicate(data, seconds)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def run_program(command: Sequence[str], seconds: float | None) -> bytes:
    """What a program prints; `seconds` is how long it may take, None for as long as it likes.

    `PluginExecutionError` names the program and says why if it cannot be run, takes too long, or ends with a status
    that is not 0.
    """
    program = command[0]
    try:
        done = run_to_end(command, seconds)
    except (OSError, ValueError) as err:
        reason = err.strerror if isinstance(err, OSError) else str(err)
        raise PluginExecutionError(f"{program} cannot be run: {reason}") from err
    except subprocess.TimeoutExpired as err:
        raise PluginExecutionError(f"{program} took longer than {seconds:g} seconds and was ended") from err
    if done.returncode:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[:MAX_MESSAGE]
        raise PluginExecutionError(f"{program} ended with status {done.returncode}: {said or 'no message'}")
    return done.stdout
