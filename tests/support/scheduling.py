"""Share the tests among processes: a file is one piece of work, but the contract of each core is one of its own.

Tests of a file share servers and databases, so they stay together. The servers of the contract belong to one core each.
Files with a few long tests that share nothing are cut up.
"""

from __future__ import annotations

import os
import re

from xdist.scheduler import LoadScopeScheduling

#: The core that the name of a contract test begins its parameters with.
_CORE = re.compile(r"\[(gevent-workers|[a-z]+)[-\]]")

#: Files whose tests share nothing and take minutes each.
_LONG_FILES = ("tests/render/test_answer_fuzz.py",)


class ByFileAndCore(LoadScopeScheduling):
    """Gives each process the next file, or the next core's part of a file of the contract."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file in _LONG_FILES:
            return nodeid
        core = _CORE.search(nodeid) if "contract/" in file else None
        return f"{file}[{core[1]}]" if core else file


def processes() -> int:
    """How many processes run tests at once: twice the processors, since most tests wait for servers."""
    return 2 * len(os.sched_getaffinity(0))
