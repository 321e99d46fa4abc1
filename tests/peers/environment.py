"""Virtual environments with Bcfg2 1.3.4 in them: one for a current Python 3, one for Python 2.7.

Each is built once, in the folder `GEVENTCORE_PEERS` names (default `.cache/peers` in the repository's root), by plain
`pip install`. Builders take turns by a lock file. The last thing a build writes is a note of what went in: a folder
without the right note is a build that was interrupted or is out of date, and is built again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY_ROOT = Path(__file__).resolve().parents[2]
LAUNCHERS = Path(__file__).resolve().parent / "launchers"

#: Genshi and pyinotify are for the server only; the client ignores them.
REQUIREMENTS = ("bcfg2==1.3.4", "genshi", "pyinotify")
#: What it needs to keep anything in a database: the last Django that it runs with, and what changes tables for that.
DATABASE_REQUIREMENTS = ("Django==1.6.11", "South==1.0.2", "psycopg2-binary==2.8.6")
#: The last virtualenv that makes environments for Python 2.7.
VIRTUALENV = "virtualenv==20.21.1"
#: In order of preference: 3.11 is the last Python that has asyncore, which pyinotify needs.
PYTHON3_PREFERENCE = ("3.11", "3.10", "3.9", "3.8", "3.7")

_NOTE = "built.json"
_BUILD_TIMEOUT_SECONDS = 600.0


class PeerError(Exception):
    """A peer can't be built or run; the text says why and ends with the output of the command that failed."""


@dataclass(frozen=True)
class Interpreter:
    """A Python found on this machine.

    Attributes:
        path: the executable.
        version: major and minor number.
    """

    path: Path
    version: tuple[int, int]

    @property
    def name(self) -> str:
        """`py311`, `py27`, …"""
        return f"py{self.version[0]}{self.version[1]}"


@dataclass(frozen=True)
class Environment:
    """A virtual environment in which Bcfg2 1.3.4 is installed.

    Attributes:
        name: `py311`, `py27`, …
        directory: the environment's folder.
        version: the Python's major and minor number.
    """

    name: str
    directory: Path
    version: tuple[int, int]

    def command(self, script: str) -> list[str]:
        """The start of a command line that runs one of Bcfg2's scripts, `bcfg2` or `bcfg2-server`."""
        if self.version[0] == 2:
            return [str(self.directory / "bin" / script)]
        launcher = {"bcfg2": "run_client.py", "bcfg2-server": "run_server.py"}[script]
        return [str(self.directory / "bin" / "python"), str(LAUNCHERS / launcher)]


def peers_directory() -> Path:
    """Where the environments are."""
    return Path(os.environ.get("GEVENTCORE_PEERS") or REPOSITORY_ROOT / ".cache" / "peers").absolute()


def find_python3() -> Interpreter:
    """The interpreter for the Python 3 peer: 3.11 if there is one, an older one, else the running one.

    The client runs on each; the server, on 3.12 and newer, would lack its file monitor (see `server`).
    """
    for version in PYTHON3_PREFERENCE:
        found = _find(version)
        if found is not None:
            return found
    return Interpreter(Path(sys.executable), sys.version_info[:2])


def find_python2() -> Interpreter | None:
    """Python 2.7, on `PATH` or in pyenv, or None."""
    return _find("2.7")


def python3_environment() -> Environment:
    """The Python 3 peer's environment, built if need be.

    Raises:
        PeerError: the build failed.
    """
    interpreter = find_python3()
    return _built(interpreter, [[str(interpreter.path), "-m", "venv", "{directory}"]])


def python2_environment(*, database: bool = False) -> Environment | None:
    """The Python 2.7 peer's environment, built if need be; None without such an interpreter.

    With `database` it is another one, which has what 1.3.4 needs for a database.

    Raises:
        PeerError: the build failed.
    """
    interpreter = find_python2()
    if interpreter is None:
        return None
    maker = peers_directory() / "virtualenv"
    return _built(
        interpreter,
        [
            [str(find_python3().path), "-m", "venv", "--clear", str(maker)],
            [str(maker / "bin" / "pip"), "install", VIRTUALENV],
            [str(maker / "bin" / "virtualenv"), "--python", str(interpreter.path), "{directory}"],
        ],
        DATABASE_REQUIREMENTS if database else (),
    )


def clean_environ() -> dict[str, str]:
    """This process's environment variables without those that steer a Python or choose a configuration file."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "BCFG2_", "PYTEST_", "COV_")) and name not in ("VIRTUAL_ENV", "PYENV_VERSION")
    }


def _find(version: str) -> Interpreter | None:
    """The first Python of that version which starts: pyenv's placeholders on `PATH` exist, but don't."""
    candidates = [Path(found) for found in [shutil.which(f"python{version}")] if found]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates += sorted(pyenv.glob(f"versions/{version}*/bin/python{version}"), reverse=True)
    for path in candidates:
        command = [str(path), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        try:
            answer = subprocess.run(
                command, capture_output=True, text=True, timeout=30, env=clean_environ(), check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if answer.returncode == 0 and answer.stdout.strip() == version:
            major, minor = version.split(".")
            return Interpreter(path, (int(major), int(minor)))
    return None


def _built(interpreter: Interpreter, creation: Sequence[Sequence[str]], further: Sequence[str] = ()) -> Environment:
    """The environment of that interpreter, made by the `creation` commands and pip unless it is there already."""
    name = f"{interpreter.name}-database" if further else interpreter.name
    directory = peers_directory() / name
    environment = Environment(name, directory, interpreter.version)
    requirements = [*REQUIREMENTS, *further]
    wanted = {"interpreter": str(interpreter.path), "requirements": requirements}
    if _note(directory) == wanted:
        return environment
    peers_directory().mkdir(parents=True, exist_ok=True)
    with _locked(peers_directory() / "lock") as lock:
        if _note(directory) == wanted:
            return environment
        shutil.rmtree(directory, ignore_errors=True)
        for command in creation:
            _build_step([argument.replace("{directory}", str(directory)) for argument in command], lock)
        _build_step([str(directory / "bin" / "pip"), "install", *requirements], lock)
        note = directory / f"{_NOTE}.new"
        note.write_text(json.dumps(wanted))
        note.rename(directory / _NOTE)
    return environment


def _note(directory: Path) -> object:
    """What the last complete build in `directory` noted, or None."""
    try:
        return json.loads((directory / _NOTE).read_text())
    except (OSError, ValueError):
        return None


def _build_step(command: Sequence[str], lock: int) -> None:
    """Run a command; it inherits the lock, so that it keeps others out even if it outlives this process."""
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_BUILD_TIMEOUT_SECONDS,
            env=clean_environ(),
            pass_fds=[lock],
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerError(f"cannot build a Bcfg2 peer: {' '.join(command)}: {error}") from error
    if done.returncode != 0:
        raise PeerError(f"cannot build a Bcfg2 peer: {' '.join(command)} failed:\n{done.stdout[-3000:]}")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Hold the lock file, which is given as a descriptor; the system releases it whatever becomes of its holders."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle.fileno()
