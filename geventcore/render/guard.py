"""The boundary around calls into plugins: an exception is logged with the plugin, the hook and the client."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from geventcore import tracing
from geventcore.errors import GeventcoreError, is_outage
from geventcore.metrics.definitions import PLUGIN_FAILURES, count_plugin_call
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.failures import FailureLog, is_expected, place_of

log = logging.getLogger(__name__)

NOT_TRACED = nullcontext()


def plugin_name(plugin: object) -> str:
    """Return the name of a plugin for logs and metrics."""
    return str(getattr(plugin, "name", type(plugin).__name__))


@contextmanager
def measured(plugin: object, hook: str) -> Iterator[None]:
    """Measure the duration of a plugin's hook, also if it raises."""
    start = time.perf_counter()
    try:
        with tracing.span(f"{plugin_name(plugin)}.{hook}") if tracing.is_configured() else NOT_TRACED:
            yield
    finally:
        count_plugin_call(plugin_name(plugin), hook, time.perf_counter() - start)


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


@contextmanager
def guarded(
    plugin: object, hook: str, metadata: ClientMetadata | None, passes: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Log and suppress the exceptions of a plugin's hook, except for the classes in `passes`."""
    try:
        with measured(plugin, hook):
            yield
    except passes:
        raise
    except Exception as err:  # noqa: BLE001 - a plugin's mistake must not end the server
        log_failure(plugin, hook, metadata, err)
