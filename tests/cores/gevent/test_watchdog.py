"""The watchdog names code that blocks the event loop, wherever that code and gevent are installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from geventcore.cores.gevent.watchdog import Watchdog

MAX_BLOCKING_SECONDS = 0.05
#: Blocking calls at most. One is enough, unless the machine is so busy that the watchdog gets no processor time.
ROUNDS = 20
SITE_PACKAGES = Path(gevent.__file__).parents[1]


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    started = Watchdog(MAX_BLOCKING_SECONDS)
    started.start()
    yield started
    started.stop()


def blocking_function(file: str) -> Callable[[], None]:
    """A function that blocks for six times as long as allowed, compiled as if it stood in a file of site-packages."""
    source = f"import time\ndef block():\n    time.sleep({6 * MAX_BLOCKING_SECONDS})\n"
    namespace: dict[str, Callable[[], None]] = {}
    exec(compile(source, SITE_PACKAGES / file, "exec"), namespace)
    return namespace["block"]


def seen(watchdog: Watchdog, block: Callable[[], None], rounds: int) -> bool:
    """Whether the watchdog notices one of so many blocking calls."""
    for _ in range(rounds):
        gevent.spawn(block).join()
        gevent.sleep(MAX_BLOCKING_SECONDS)
        if watchdog.seconds:
            return True
    return False


@pytest.mark.parametrize("file", ["geventcore/core/methods.py", "gevent_site/plugin.py", "geventhttp.py", "other.py"])
def test_code_beside_gevent_is_named(watchdog: Watchdog, file: str) -> None:
    assert seen(watchdog, blocking_function(file), ROUNDS)
    assert set(watchdog.seconds) == {("", "block")}


def test_code_of_gevent_itself_is_not_named(watchdog: Watchdog) -> None:
    assert not seen(watchdog, blocking_function("gevent/hub.py"), 3)
