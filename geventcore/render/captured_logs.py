"""Log lines of a render, so that an answer that is sent again logs what a rendered one would."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

#: Logger, level and message.
Line = tuple[str, int, str]

_captured: ContextVar[list[Line] | None] = ContextVar("captured", default=None)


class _Capturing(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        lines = _captured.get()
        if lines is not None:
            lines.append((record.name, record.levelno, record.getMessage()))


def install() -> None:
    """Have the lines of this program captured where that is wanted; it may be called again."""
    logger = logging.getLogger("geventcore")
    if not any(isinstance(handler, _Capturing) for handler in logger.handlers):
        logger.addHandler(_Capturing())


@contextmanager
def captured(lines: list[Line] | None) -> Iterator[None]:
    """Append the lines that this greenlet or thread logs in the block to `lines`; None captures none."""
    token = _captured.set(lines)
    try:
        yield
    finally:
        _captured.reset(token)


def log_again(lines: Sequence[Line]) -> None:
    """Log captured lines."""
    for name, level, message in lines:
        logging.getLogger(name).log(level, "%s", message)
