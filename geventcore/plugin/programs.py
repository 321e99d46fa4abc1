"""Running programs for plugins: cooperative, with a timeout, without a shell.

A program gets its arguments unchanged, and the given data or nothing on its standard input. After the timeout it is
killed together with its child processes, which would keep its output open.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from geventcore.errors import PluginExecutionError

#: The limit on the error output of a failed program, in characters. It becomes one line of the log.
MAX_MESSAGE = 500


def positional(text: str) -> str:
    """Return a text as an argument that no program takes for an option; `PluginExecutionError` if it would be one."""
    if not text or text.startswith("-") or not text.isprintable():
        raise PluginExecutionError(f"{text!r} cannot be an argument of a program")
    return text


def run_to_end(
    command: Sequence[str],
    seconds: float | None,
    data: bytes | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program with `data` on its standard input; `seconds` is the timeout, None for no limit.

    Raises `OSError` or `ValueError` if the program cannot be run, and `subprocess.TimeoutExpired`.
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
    """Run a program and return its output; `seconds` is the timeout, None for no limit.

    `PluginExecutionError`, with the program and the reason, if it cannot be run, exceeds the timeout, or ends with a
    status other than 0.
    """
    program = command[0]
    try:
        done = run_to_end(command, seconds)
    except (OSError, ValueError) as err:
        reason = err.strerror if isinstance(err, OSError) else str(err)
        raise PluginExecutionError(f"{program} cannot be run: {reason}") from err
    except subprocess.TimeoutExpired as err:
        raise PluginExecutionError(f"{program} was killed after the timeout of {seconds:g} seconds") from err
    if done.returncode:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[:MAX_MESSAGE]
        raise PluginExecutionError(f"{program} ended with status {done.returncode}: {said or 'no message'}")
    return done.stdout
