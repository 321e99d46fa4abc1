"""The watchdog reports code that blocks the event loop: plugin, hook, client, template and line.

A native thread, outside of gevent, looks several times in each `max_blocking` seconds at the code that the serving
thread runs. If the event loop has not turned since the last look and the same greenlet has run all the time, that
greenlet blocks. Its stack tells the rest: the objects that it is in and their local variables. So calls of plugins need
not be noted, and code that does not block costs only a counter at each turn of the event loop.

Code that holds the interpreter's lock all the time, such as a regular expression, is seen when it ends, at the line
that called it.

The serving thread logs the report when it goes on, because the locks of the log belong to greenlets.
"""

from __future__ import annotations

import logging
import sys
import sysconfig
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import gevent
import gevent.hub
from gevent.monkey import get_original
from lxml import etree

import geventcore
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata

log = logging.getLogger(__name__)

#: The number of looks in each `max_blocking` seconds.
LOOKS = 4
#: A place is logged at most once in this time, in seconds.
COMPLAINT_SECONDS = 60.0
#: The module of the event loop. A greenlet may begin in another one of gevent's: that of its servers calls a handler.
_EVENT_LOOP = gevent.hub.__file__
# Directories end with a slash.
_STANDARD_LIBRARY = f"{sysconfig.get_path('stdlib')}/"
_OWN = f"{Path(geventcore.__file__).parent}/"
_RENDER = f"{_OWN}render/"
_TEMPLATING = f"{_OWN}templating/"

_sleep: Callable[[float], None] = get_original("time", "sleep")
_monotonic: Callable[[], float] = get_original("time", "monotonic")
_start_new_thread: Callable[..., int] = get_original("_thread", "start_new_thread")
_get_ident: Callable[[], int] = get_original("_thread", "get_ident")
_process_time: Callable[[], float] = time.process_time


@dataclass(frozen=True)
class Culprit:
    """Code that has blocked the event loop.

    Attributes:
        plugin: the name of the plugin; empty if it was none.
        hook: the method of the plugin that was called, or else the function.
        client: the client of the request; empty if it is not known.
        line: ``file:line`` of the site's or the server's code.
        subject: the entry that was bound and the template that was rendered, as far as there is one.
    """

    plugin: str
    hook: str
    client: str
    line: str
    subject: str = ""

    @property
    def place(self) -> tuple[str, str, str]:
        """The plugin, hook and line, which are the same for other clients."""
        return self.plugin, self.hook, self.line

    def __str__(self) -> str:
        who = f"{self.plugin}.{self.hook}" if self.plugin else self.hook
        what = f" ({self.subject})" if self.subject else ""
        return f"{who}{what} at {self.line}" + (f", for {self.client}" if self.client else "")


#: Called with plugin, hook and seconds, in the serving thread.
BlockedHook = Callable[[str, str, float], None]


@dataclass
class _Tally:
    seconds: float = 0.0
    times: int = 0
    told_at: float | None = None


class Watchdog:
    """Watches the thread that starts it.

    Attributes:
        seconds: (plugin, hook) -> the time for which it has blocked, in all.
    """

    def __init__(self, max_blocking: float) -> None:
        """`max_blocking` in seconds; 0 watches nothing."""
        self._max_blocking = max_blocking
        self._hooks: list[BlockedHook] = []
        self._tallies: dict[tuple[str, str, str], _Tally] = {}
        self._found: deque[tuple[Culprit, float]] = deque()
        self._turns = 0
        self._is_stopped = False
        self._thread_id = self._native_id = 0
        self._watchers: tuple[Any, ...] = ()
        self.seconds: dict[tuple[str, str], float] = {}

    def on_blocked(self, hook: BlockedHook) -> None:
        """Call `hook` whenever code has blocked."""
        self._hooks.append(hook)

    def start(self) -> None:
        """Watch the calling thread of this process. Call it after a fork."""
        if not self._max_blocking:
            return
        loop = gevent.get_hub().loop
        turn, wake = loop.prepare(ref=False), loop.async_(ref=False)
        turn.start(self._turn)
        wake.start(self._tell)
        self._watchers = (turn, wake)
        self._thread_id, self._native_id = _get_ident(), threading.get_native_id()
        _start_new_thread(self._watch, (wake,))

    def stop(self) -> None:
        """Watch no longer."""
        self._is_stopped = True
        watchers, self._watchers = self._watchers, ()
        for watcher in watchers:
            watcher.stop()

    def _turn(self) -> None:
        self._turns += 1

    def places(self) -> dict[tuple[str, str, str], float]:
        """Return plugin, hook and line of the code that has blocked -> the time in seconds."""
        return {place: tally.seconds for place, tally in self._tallies.items()}

    # -- in the thread that watches

    def _watch(self, wake: Any) -> None:
        suspect: FrameType | None = None
        culprit: Culprit | None = None
        looked, computed = _monotonic(), _process_time()
        since, cpu_since, turns = looked, computed, -1
        while not self._is_stopped:
            _sleep(self._max_blocking / LOOKS)
            now, cpu = _monotonic(), _process_time()
            frame = sys._current_frames().get(self._thread_id)
            if frame is None:
                return
            has_turned, turns = self._turns != turns, self._turns
            outermost = _outermost(frame)
            # Code that holds the interpreter's lock keeps this thread from looking. So may a busy machine.
            was_kept_from_looking = min(now - looked, cpu - computed) >= self._max_blocking
            if has_turned or outermost is not suspect:
                if culprit is not None:
                    self._found.append((culprit, now - since))
                    wake.send()
                suspect, culprit, since, cpu_since = outermost, None, now, cpu
                if was_kept_from_looking and not has_turned:
                    since, cpu_since = looked, computed
            is_long = now - since >= self._max_blocking and (
                cpu - cpu_since >= self._max_blocking / 2 or _is_asleep(self._native_id)
            )
            if culprit is None and is_long and not _is_waiting(outermost):
                culprit = _identify(frame)
            looked, computed = now, cpu
            del frame, outermost

    # -- in the thread that serves

    def _tell(self) -> None:
        while self._found:
            culprit, seconds = self._found.popleft()
            name = (culprit.plugin, culprit.hook)
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds
            for hook in self._hooks:
                hook(*name, seconds)
            tally = self._tallies.setdefault(culprit.place, _Tally())
            tally.seconds += seconds
            tally.times += 1
            now = _monotonic()
            if tally.told_at is None or now - tally.told_at >= COMPLAINT_SECONDS:
                tally.told_at = now
                log.warning(
                    "The event loop was blocked for %.1f s by %s (%.1f s in %d times so far); see [gevent] "
                    "max_blocking",
                    *(seconds, culprit, tally.seconds, tally.times),
                )


def blocking_places(function: Callable[[], object], max_blocking: float) -> dict[tuple[str, str, str], float]:
    """Call a function in a greenlet; return plugin, hook and line of the code that blocks -> the time in seconds."""
    watchdog = Watchdog(max_blocking)
    watchdog.start()
    gevent.spawn(function).get()
    # The report of the last place comes with the next turns of the event loop.
    gevent.sleep(2 * max_blocking)
    watchdog.stop()
    return watchdog.places()


def _frames(frame: FrameType) -> Iterator[FrameType]:
    """From the innermost to the outermost."""
    found: FrameType | None = frame
    while found is not None:
        yield found
        found = found.f_back


def _outermost(frame: FrameType) -> FrameType:
    while frame.f_back is not None:
        frame = frame.f_back
    return frame


def _is_asleep(native_id: int) -> bool:
    """Return true if a thread waits in the kernel, and not for a processor of a busy machine."""
    try:
        return Path(f"/proc/self/task/{native_id}/stat").read_text().rpartition(")")[2].split()[0] != "R"
    except (OSError, IndexError):
        return True


def _is_waiting(outermost: FrameType) -> bool:
    """Return true for the event loop itself, which waits for events."""
    return outermost.f_code.co_filename == _EVENT_LOOP


def _is_library(filename: str) -> bool:
    """Return true for a library: then the line that called it says more."""
    if filename.startswith(_OWN):
        return False
    return filename.startswith((_STANDARD_LIBRARY, "<frozen")) or "site-packages" in filename


def _identify(frame: FrameType) -> Culprit:
    plugin = hook = client = line = function = entry = template = ""
    for current in _frames(frame):
        code = current.f_code
        if not line and not _is_library(code.co_filename):
            line, function = f"{code.co_filename}:{current.f_lineno}", code.co_name
        values = current.f_locals
        owner = values.get("self")
        if isinstance(owner, Plugin) and plugin in ("", owner.name):
            # The called hook is the outermost method of the innermost plugin.
            plugin, hook = owner.name, code.co_name
        if code.co_filename.startswith(_RENDER):
            generator = values.get("generator")
            if isinstance(generator, Plugin) and not plugin:
                # Any function in the generator's table may bind an entry.
                plugin, hook = generator.name, "bind_entry"
            entry = entry or _entry_name(values)
        elif not template and code.co_filename.startswith(_TEMPLATING):
            template = str(getattr(owner, "path", ""))
        if not client:
            client = next((value.hostname for value in values.values() if isinstance(value, ClientMetadata)), "")
    subject = ", ".join(part for part in (entry, template) if part)
    return Culprit(plugin, hook or function or frame.f_code.co_name, client, line or "unknown code", subject)


def _entry_name(values: Mapping[str, Any]) -> str:
    """The entry that a function binds, by its local variables."""
    for name in ("element", "entry"):
        if isinstance(found := values.get(name), etree._Element):
            return f"{found.tag}:{found.get('name')}"
    return ""
