"""Python files of the repository: code of the site, run when it is loaded."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import ModuleType

from geventcore.errors import RepositoryError
from geventcore.plugin.registry import SITE_BUILTINS, load_object


def load_python(path: Path, name: str) -> ModuleType:
    """Run a file as a module of a name; `RepositoryError` names the file and the line of what fails.

    The module can be found under its name from then on, as dataclasses and pickle need it.
    """
    module = ModuleType(name)
    module.__file__ = str(path)
    # What was written for Bcfg2 may import its modules.
    module.__dict__["__builtins__"] = load_object(SITE_BUILTINS)()
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        # Not through the import system, which would leave compiled files in the repository.
        exec(compile(path.read_bytes(), str(path), "exec", dont_inherit=True), module.__dict__)
    except (Exception, SystemExit) as err:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise RepositoryError(f"{path}: {_line(err, path)}cannot be loaded: {_describe(err)}") from err
    return module


def _line(err: BaseException, path: Path) -> str:
    """Where in a file an exception comes from, as a prefix of a message."""
    if isinstance(err, SyntaxError):
        return f"line {err.lineno}: " if err.lineno else ""
    lines = [frame.lineno for frame in traceback.extract_tb(err.__traceback__) if frame.filename == str(path)]
    return f"line {lines[-1]}: " if lines else ""


def _describe(err: BaseException) -> str:
    message = err.msg if isinstance(err, SyntaxError) else str(err)
    return f"{type(err).__name__}: {' '.join(message.split())}"


def list_of_names(module: ModuleType, attribute: str) -> list[str] | None:
    """A module's list of names, None if it has none; `RepositoryError` if it is something else."""
    value = getattr(module, attribute, None)
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise RepositoryError(f"{module.__file__}: {attribute} must be a list of names")
    return list(value)
