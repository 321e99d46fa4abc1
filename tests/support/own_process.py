"""Measurements of memory, in a process where nothing but the measured code runs.

Servers and databases of other tests leave threads, which allocate at any moment.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from tests.support.project import PROJECT

#: What the process does: two calls, so that what the first one leaves in caches and modules does not count.
_COUNT = """
import gc
from {module} import {name}
{name}()
gc.collect()
gc.disable()
{name}()
print(gc.collect())
"""


def count_cyclic_objects(function: Callable[[], object]) -> int:
    """Return how many objects a call of a module's function leaves to the garbage collector."""
    script = _COUNT.format(module=function.__module__, name=function.__qualname__)
    command = [sys.executable, "-c", script]
    return int(subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True, timeout=120).stdout)
