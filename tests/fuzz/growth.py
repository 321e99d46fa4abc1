"""How much longer a function takes for an input that is several times as long.

The processor's time of this thread counts, not that of a clock. So what else runs on the machine makes no difference,
and neither does how fast it is: only the ratio of two times is looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: How much longer the longer input is.
FACTOR = 8
#: Linear growth is `FACTOR`, quadratic growth is its square.
MOST_GROWTH = 3.0 * FACTOR
#: Less than this can be anything, in seconds.
NOTHING = 0.02


def _cost(function: Callable[[T], object], data: T) -> float:
    before = time.thread_time()
    function(data)
    return time.thread_time() - before


def growth(function: Callable[[T], object], make: Callable[[int], T], size: int) -> float:
    """The ratio of the times for `FACTOR` times `size` and for `size`; 0 if it takes no time to speak of."""
    large = make(FACTOR * size)
    cost = _cost(function, large)
    if cost < NOTHING:
        return 0.0
    small = make(size)
    # At least a part of what is measured for the longer one, however inexact the clock.
    base = max(min(_cost(function, small) for _ in range(3)), NOTHING / FACTOR**2)
    if cost / base > MOST_GROWTH:
        # A pause for the garbage collector looks like growth, but not twice.
        cost = min(cost, _cost(function, large))
    return cost / base
