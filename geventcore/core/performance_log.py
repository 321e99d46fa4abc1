"""The performance log: the durations of a server, written to its log from time to time."""

from __future__ import annotations

import logging
import threading

from geventcore.core.configuration import Configuration
from geventcore.metrics.timings import Timings
from geventcore.options.server import PERFORMANCE_INTERVAL

log = logging.getLogger(__name__)

#: The interval after a reload that has turned the log off, in seconds.
DEFAULT_INTERVAL_SECONDS = 300.0


def log_performance(timings: Timings, configuration: Configuration, stop: threading.Event) -> None:
    """Log all durations in intervals of ``[logging] performance_interval`` until `stop` is set."""
    while not stop.wait(configuration.settings[PERFORMANCE_INTERVAL] or DEFAULT_INTERVAL_SECONDS):
        for name, (minimum, maximum, mean, count) in sorted(timings.snapshot().items()):
            log.info("Performance of %s: min %.06f max %.06f mean %.06f count %d", name, minimum, maximum, mean, count)
