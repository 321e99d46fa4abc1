"""The boundary around calls into plugins: an exception is logged with the plugin, the hook and the client."""

from __future__ import annotations

import logging
import time
from contextlib import AbstractContextManager
from types import TracebackType

from geventcore import tracing
from geventcore.errors import GeventcoreError, is_outage
from geventcore.metrics.definitions import PLUGIN_FAILURES, count_plugin_call
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.failures import FailureLog, is_expected, place_of

log = logging.getLogger(__name__)


def plugin_name(plugin: object) -> str:
    """Return the name of a plugin for logs and metrics."""
    return str(getattr(plugin, "name", type(plugin).__name__))


class _PluginCall:
    """A block that calls a plugin's hook.

    A class, because every call of a client enters dozens of these, and a generator costs three times as much.
    """

    __slots__ = ("_hook", "_name", "_span", "_start")

    def __init__(self, plugin: object, hook: str) -> None:
        self._name = plugin_name(plugin)
        self._hook = hook
        self._span: AbstractContextManager[object] | None = None

    def __enter__(self) -> None:
        self._start = time.perf_counter()
        if tracing.is_configured():
            self._span = tracing.span(f"{self._name}.{self._hook}")
            self._span.__enter__()

    def _finish(
        self, kind: type[BaseException] | None, err: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Record the duration."""
        try:
            if self._span is not None:
                self._span.__exit__(kind, err, traceback)
        finally:
            count_plugin_call(self._name, self._hook, time.perf_counter() - self._start)


class measured(_PluginCall):  # noqa: N801 - used like a function
    """A block that measures the duration of a plugin's hook, also if it raises."""

    __slots__ = ()

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._finish(kind, err, traceback)


#: The failures of all plugins of this process.
FAILURES = FailureLog()


def log_failure(plugin: object, hook: str, metadata: ClientMetadata | None, err: Exception) -> None:
    """Log an exception of a plugin with the plugin, the hook, the client and the place in the code.

    A mistake in the plugin's code gets a traceback the first time, any other failure with ``-d`` only. Repeated
    failures of one kind are counted, see `geventcore.plugin.failures`. Failures during an outage are only counted.
    """
    name = plugin_name(plugin)
    PLUGIN_FAILURES.inc(name, hook)
    client = f" for {metadata.hostname}" if metadata is not None else ""
    if is_outage(err):
        log.debug("%s.%s failed%s: %s", name, hook, client, err)
        return
    reason, kind = describe_failure(plugin, err)
    noted = FAILURES.note(name, hook, *kind)
    if noted is None:
        log.debug("%s.%s failed%s again: %s", name, hook, client, reason)
        return
    is_new, quiet = noted
    more = f"; it failed {quiet} more times since the last line" if quiet else ""
    has_traceback = log.isEnabledFor(logging.DEBUG) or (is_new and not is_expected(_origin(plugin, err)))
    log.error("%s.%s failed%s: %s%s", name, hook, client, reason, more, exc_info=err if has_traceback else None)


def _origin(plugin: object, err: Exception) -> BaseException:
    """Return what the code of the plugin raised: the adapter of a plugin for Bcfg2 raises another error for it."""
    return err.__cause__ if hasattr(plugin, "legacy") and err.__cause__ is not None else err


def describe_failure(plugin: object, err: Exception) -> tuple[str, tuple[object, ...]]:
    """Return the text of a failure with its place, and what tells its kind."""
    if isinstance(err, GeventcoreError):
        return str(err), (type(err), str(err))
    place = place_of(err, plugin)
    text = f"{type(err).__name__}: {err}" if str(err) else type(err).__name__
    return f"{place}: {text}" if place else text, (type(err), place)


class guarded(_PluginCall):  # noqa: N801 - used like a function
    """A measured block that logs and suppresses a plugin's exceptions, except for the classes in `passes`."""

    __slots__ = ("_metadata", "_passes", "_plugin")

    def __init__(
        self,
        plugin: object,
        hook: str,
        metadata: ClientMetadata | None,
        passes: tuple[type[Exception], ...] = (),
    ) -> None:
        super().__init__(plugin, hook)
        self._plugin = plugin
        self._metadata = metadata
        self._passes = passes

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._finish(kind, err, traceback)
        # A plugin's mistake must not end the server. What is no Exception, such as the end of a greenlet, passes.
        if not isinstance(err, Exception) or isinstance(err, self._passes):
            return False
        log_failure(self._plugin, self._hook, self._metadata, err)
        return True
