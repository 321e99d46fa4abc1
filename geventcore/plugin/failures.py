"""Failures of plugins: their description in one line, and the decision what the log gets.

A description has file, line and error, and a hint for names of Python 2.

A failure is *expected* if it is one of our own errors or an `OSError`: a file, a network or a database is not there.
Anything else, such as a `TypeError`, is a mistake in the plugin's code. The log gets its traceback once; failures of
the same kind at the same place are then counted, and get a line again after a while.
"""

from __future__ import annotations

import sys
import sysconfig
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import geventcore
from geventcore.errors import GeventcoreError
from geventcore.python2_code import hint

#: The time in seconds in which repeated failures of one kind get one line.
QUIET_SECONDS = 60.0
#: The number of kinds of failures that are remembered. The oldest are forgotten first.
MOST_KINDS = 1000

_STANDARD_LIBRARY = f"{sysconfig.get_path('stdlib')}/"
_OWN_FILES = f"{Path(geventcore.__file__).parent}/"


def describe(err: BaseException) -> str:
    """Return ``<file> line <n>: <type>: <text>``; for the server's error classes only the text."""
    if isinstance(err, GeventcoreError):
        return _one_line(str(err))
    if isinstance(err, SyntaxError) and err.filename:
        what = f"{type(err).__name__}: {err.msg}; Python 3 cannot read this file{hint(err)}"
        return f"{err.filename} line {err.lineno}: {what}"
    where = location(err.__traceback__)
    text = _one_line(str(err))
    what = f"{type(err).__name__}: {text}" if text else type(err).__name__
    what += hint(err) or (searched() if isinstance(err, ModuleNotFoundError) else "")
    return f"{where}: {what}" if where else what


def searched() -> str:
    """Return where Python looks for modules, beside its own, as the end of a message."""
    found = [path for path in sys.path if path and Path(path).is_dir()]
    directories = [path for path in found if not f"{path}/".startswith(_STANDARD_LIBRARY)]
    return f"; Python looked in {', '.join(directories)}, and PYTHONPATH adds directories" if directories else ""


def location(trace: TracebackType | None) -> str | None:
    """Return ``<file> line <n>`` of the innermost frame in site code (see `importing`), else in other foreign code."""
    found: tuple[str, bool] | None = None
    for frame, line in traceback.walk_tb(trace):
        filename = frame.f_code.co_filename
        if filename.startswith((_OWN_FILES, "<frozen importlib")):
            continue
        own_builtins = frame.f_globals.get("__builtins__")
        is_site_code = isinstance(own_builtins, dict) and "__site_code__" in own_builtins
        if is_site_code or found is None or not found[1]:
            found = (f"{filename} line {line}", is_site_code)
    return found[0] if found else None


def is_expected(err: BaseException) -> bool:
    """Return true for an error that the environment causes, and not a mistake in a plugin's code."""
    return isinstance(err, GeventcoreError | OSError)


def place_of(err: BaseException, plugin: object) -> str | None:
    """Return ``<file> line <n>``: the innermost line in the plugin's own module, else as `location`, else of all."""
    module = sys.modules.get(type(plugin).__module__)
    own_file = getattr(module, "__file__", None)
    lines = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(err.__traceback__)]
    own = next((f"{file} line {line}" for file, line in reversed(lines) if file == own_file), None)
    if own is not None or not lines:
        return own
    return location(err.__traceback__) or "{} line {}".format(*lines[-1])


@dataclass
class _Kind:
    logged_at: float
    quiet: int = 0


@dataclass
class FailureLog:
    """The failures that were logged lately.

    Attributes:
        now: the clock, in seconds.
    """

    now: Callable[[], float] = time.monotonic
    _kinds: OrderedDict[tuple[object, ...], _Kind] = field(default_factory=OrderedDict)

    def note(self, *kind: object) -> tuple[bool, int] | None:
        """Note a failure of a kind; return None if the log shall stay quiet about it.

        Otherwise returns true if the kind is a new one, and the number of failures since the last line.
        """
        now = self.now()
        known = self._kinds.get(kind)
        if known is None:
            self._kinds[kind] = _Kind(now)
            while len(self._kinds) > MOST_KINDS:
                self._kinds.popitem(last=False)
            return True, 0
        if now - known.logged_at < QUIET_SECONDS:
            known.quiet += 1
            return None
        quiet, known.quiet, known.logged_at = known.quiet, 0, now
        return False, quiet

    def clear(self) -> None:
        """Forget all failures, so that each gets a line again."""
        self._kinds.clear()


def _one_line(text: str) -> str:
    return " ".join(text.split("\n")).strip()
