"""The messages of the log, recorded in place of written: checks report them in their own way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class _Recorder(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def recorded_log() -> Iterator[list[logging.LogRecord]]:
    """Record the warnings and errors of the block in place of writing them."""
    logger = logging.getLogger()
    recorder = _Recorder()
    handlers, logger.handlers = logger.handlers, [recorder]
    try:
        yield recorder.records
    finally:
        logger.handlers = handlers
