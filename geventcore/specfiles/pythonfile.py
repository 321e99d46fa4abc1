"""Python files of the repository: code of the site, executed when it is loaded."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from types import ModuleType

from geventcore.errors import RepositoryError
from geventcore.plugin.registry import SITE_BUILTINS, load_object
from geventcore.python2_code import findings_in_python, hint
from geventcore.regular_files import read_with_mode

log = logging.getLogger(__name__)


def load_python(path: Path, name: str) -> ModuleType:
    """Execute a file as the module `name`; `RepositoryError` names the file and line of a failure.

    The module is registered in `sys.modules`, as dataclasses and pickle require.
    """
    module = ModuleType(name)
    module.__file__ = str(path)
    # Code that was written for Bcfg2 may import Bcfg2's modules.
    module.__dict__["__builtins__"] = load_object(SITE_BUILTINS)()
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        # The import system would leave compiled files in the repository. The read is not remembered: code may depend on
        # more than its file, so touching it loads it again.
        source, _ = read_with_mode(str(path))
        exec(compile(source, str(path), "exec", dont_inherit=True), module.__dict__)
    except (Exception, SystemExit) as err:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise RepositoryError(f"{path}: {_line(err, path)}cannot be loaded: {_describe(err)}") from err
    for finding in findings_in_python(source.decode("utf-8", "replace")):
        log.log(logging.WARNING if finding.is_error else logging.INFO, "%s: %s", path, finding)
    return module


def _line(err: BaseException, path: Path) -> str:
    """Return the line of a file that raised an exception, as a prefix of a message."""
    if isinstance(err, SyntaxError):
        return f"line {err.lineno}: " if err.lineno else ""
    lines = [frame.lineno for frame in traceback.extract_tb(err.__traceback__) if frame.filename == str(path)]
    return f"line {lines[-1]}: " if lines else ""


def _describe(err: BaseException) -> str:
    message = err.msg if isinstance(err, SyntaxError) else str(err)
    return f"{type(err).__name__}: {' '.join(message.split())}{hint(err)}"


def list_of_names(module: ModuleType, attribute: str) -> list[str] | None:
    """Return a module's list of names, None if it is missing; `RepositoryError` if it has another type."""
    value = getattr(module, attribute, None)
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise RepositoryError(f"{module.__file__}: {attribute} must be a list of names")
    return list(value)
