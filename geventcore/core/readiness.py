"""Whether the server can serve: named checks, asked by ``/readyz``.

Whatever clients depend on has a check of its own: the repository, the database. A check says why it is not passed, or
nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

log = logging.getLogger(__name__)

#: Says what is missing; ``""`` if nothing is. It must answer within a second, and may be called from any thread.
Check = Callable[[], str]


class Readiness:
    """The checks of one server process."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        """Add a check, or replace the one of that name."""
        self._checks[name] = check

    def results(self) -> dict[str, str]:
        """Name of each check -> why it is not passed, or ``""``."""
        return {name: _result(name, check) for name, check in list(self._checks.items())}


def _result(name: str, check: Check) -> str:
    try:
        return check()
    # Checks belong to parts that fail in their own ways; then they are not passed.
    except Exception as err:
        log.debug("the check %s has failed", name, exc_info=True)
        return f"{type(err).__name__}: {err}"
