"""The boundary around calls into plugins: what a plugin raises is logged with the plugin, the hook and the client."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from geventcore.errors import GeventcoreError, is_outage
from geventcore.metrics.definitions import PLUGIN_FAILURES, count_plugin_call
from geventcore.plugin.client_metadata import ClientMetadata

log = logging.getLogger(__name__)


def plugin_name(plugin: object) -> str:
    """What a plugin is called in logs and metrics."""
    return str(getattr(plugin, "name", type(plugin).__name__))


@contextmanager
def measured(plugin: object, hook: str) -> Iterator[None]:
    """Count how long a plugin's hook takes, also if it raises."""
    start = time.perf_counter()
    try:
        yield
    finally:
        count_plugin_call(plugin_name(plugin), hook, time.perf_counter() - start)


def log_failure(plugin: object, hook: str, metadata: ClientMetadata | None, err: Exception) -> None:
    """Log what a plugin raised: one line for errors that are raised on purpose, a traceback for others.

    What fails in an outage of the database is only counted.
    """
    name = plugin_name(plugin)
    PLUGIN_FAILURES.inc(name, hook)
    client = f" for {metadata.hostname}" if metadata is not None else ""
    if is_outage(err):
        log.debug("%s.%s failed%s: %s", name, hook, client, err)
    elif isinstance(err, GeventcoreError):
        log.error("%s.%s failed%s: %s", name, hook, client, err)
    else:
        log.error("%s.%s failed%s: %s: %s", name, hook, client, type(err).__name__, err, exc_info=err)


@contextmanager
def guarded(
    plugin: object, hook: str, metadata: ClientMetadata | None, passes: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Log and swallow what a plugin's hook raises, but let the exceptions in `passes` through."""
    try:
        with measured(plugin, hook):
            yield
    except passes:
        raise
    except Exception as err:  # noqa: BLE001 - a plugin's mistake must not end the server
        log_failure(plugin, hook, metadata, err)
