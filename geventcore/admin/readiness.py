"""The results of the readiness checks, for ``/readyz``.

Each thing that clients depend on has a named check: the repository, the database. A check returns the reason why it
fails, or ``""``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

#: Stands after ``ok`` and before what is wrong although clients are served.
NOTE_SEPARATOR = ", but "

log = logging.getLogger(__name__)


def run_checks(checks: Mapping[str, Callable[[], str]]) -> dict[str, str]:
    """Name of each check -> the reason why it fails, or ``""``. A check that raises an exception fails."""
    return {name: _result(name, check) for name, check in list(checks.items())}


def _result(name: str, check: Callable[[], str]) -> str:
    try:
        return check()
    # A boundary: checks belong to parts that fail in their own ways.
    except Exception as err:
        log.debug("readiness check %s failed", name, exc_info=True)
        return f"{type(err).__name__}: {err}"
