"""Where log records go, and what a line of the log looks like.

Records are made with the standard `logging` module. `configure_logging` gives the root logger its handlers: the
console, a file, syslog. Each has a usual level, and `set_debug` raises them all to show everything and back.

Three rules hold for every handler:

* A log that cannot be written never harms whoever logs: the failure is told on standard error, at most once a minute,
  and writing is tried again with each record. A full disk stops nothing.
* A record takes one line, or more that are indented: what a client sends cannot look like a line of its own, and no
  control character reaches a terminal.
* A record made while a client is served says which one, see `log_client`.

Only what is needed to log is imported at the top: this module is loaded before gevent patches the standard library, and
`logging.handlers` would bring sockets and queues along.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

#: Where a local syslog daemon listens: Linux, macOS, the BSDs.
SYSLOG_SOCKETS = ("/dev/log", "/var/run/syslog", "/var/run/log")

#: What `SYSLOG_SOCKETS` get before the message; syslog knows the time by itself.
SYSLOG_FORMAT = "geventcore[%(process)d]: %(levelname)s %(name)s%(client)s: %(message)s"

#: A line of the console and of the log file.
LINE_FORMAT = "%(asctime)s %(levelname)s %(name)s[%(process)d]%(client)s: %(message)s"

#: Seconds between two complaints of one handler.
COMPLAINT_INTERVAL = 60.0

_log = logging.getLogger(__name__)

_client: ContextVar[str] = ContextVar("client", default="")


@contextmanager
def log_client(name: str) -> Iterator[None]:
    """Name the client in every record of this thread or greenlet, until the block ends.

    Each greenlet and each thread has a name of its own, and starts without one.
    """
    token = _client.set(name)
    try:
        yield
    finally:
        _client.reset(token)


def configure_logging(
    *,
    debug: bool = False,
    verbose: bool = False,
    path: Path | None = None,
    syslog: bool = False,
    console_level: int | None = logging.WARNING,
) -> None:
    """Replace the handlers that an earlier call gave to the root logger. Handlers of others stay.

    Args:
        debug: everything is logged everywhere.
        verbose: what is done is logged (level INFO), and not only what goes wrong (WARNING).
        path: the log file. Records are appended, and if it is moved away a new one is begun.
        syslog: whether to log to the syslog of this machine. If there is none, a warning says so.
        console_level: the level of what standard error gets anyway; `None` if it gets nothing, unless it would be the
            only place.

    Raises `OSError` if the log file cannot be opened; the handlers stay as they were.
    """
    usual = logging.DEBUG if debug else logging.INFO if verbose else logging.WARNING
    handlers: list[_Handler] = []
    if path is not None:
        handlers.append(_file_handler(path, usual))
    syslog_handler = _syslog_handler(usual) if syslog else None
    if syslog_handler is not None:
        handlers.append(syslog_handler)
    if console_level is not None or not handlers:
        handlers.append(_ConsoleHandler(usual if console_level is None else min(usual, console_level)))

    root = logging.getLogger()
    for old in _our_handlers():
        root.removeHandler(old)
        # Closing writes what is still buffered, which fails if the disk is full.
        with suppress(OSError):
            old.close()
    for handler in handlers:
        root.addHandler(handler)
    _set_root_level()
    if syslog and syslog_handler is None:
        _log.warning("no syslog on this machine: nothing listens at %s", ", ".join(SYSLOG_SOCKETS))


def set_debug(debug: bool) -> None:
    """Log everything everywhere, or again what `configure_logging` was told."""
    for handler in _our_handlers():
        handler.setLevel(logging.DEBUG if debug else handler.usual_level)
    _set_root_level()


def reopen_log_files() -> None:
    """Close the log file and open it with the next record.

    A file that was moved away is noticed without this; it is for those who want the old one closed at once.
    """
    for handler in _our_handlers():
        handler.reopen()


def hand_over_log_files(uid: int, gid: int) -> None:
    """Give the log file to the user that the process is going to be, so that it can be opened again later."""
    for handler in _our_handlers():
        handler.hand_over(uid, gid)


def _our_handlers() -> list[_Handler]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, _Handler)]


def _set_root_level() -> None:
    """Give the root logger the lowest level that a handler wants: what nobody wants is then not even made."""
    logging.getLogger().setLevel(min((handler.level for handler in _our_handlers()), default=logging.WARNING))


class _Handler(logging.Handler):
    """What our handlers have in common; it stands before a handler of the standard library among the base classes.

    Attributes:
        usual_level: the level when debugging is off.
    """

    usual_level = logging.WARNING
    _next_complaint = 0.0

    def use(self, level: int, line_format: str) -> None:
        self.usual_level = level
        self.setLevel(level)
        self.setFormatter(_LineFormatter(line_format))

    def reopen(self) -> None:
        """Close what is written to, if it can be opened again."""

    def hand_over(self, uid: int, gid: int) -> None:
        """Give what is written to to a user, if it is a file."""

    def emit(self, record: logging.LogRecord) -> None:
        name = _client.get()
        record.client = f" ({name})" if name else ""
        try:
            super().emit(record)
        except OSError:
            # Handlers deal with failed writes by themselves, but not with files that cannot be opened again.
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - a name of the logging module
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            # A message that does not fit its arguments: the standard report says where it was logged.
            super().handleError(record)
            return
        now = time.monotonic()
        if now < self._next_complaint:
            return
        self._next_complaint = now + COMPLAINT_INTERVAL
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(f"geventcore: the log cannot be written ({self}): {error}\n")
            sys.stderr.flush()


if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[TextIO]
else:
    _StreamHandler = logging.StreamHandler


class _ConsoleHandler(_Handler, _StreamHandler):
    """Standard error, whatever that is when a record is made."""

    def __init__(self, level: int) -> None:
        super().__init__(sys.stderr)
        self.use(level, LINE_FORMAT)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)

    def __repr__(self) -> str:
        return "standard error"


def _file_handler(path: Path, level: int) -> _Handler:
    from logging.handlers import WatchedFileHandler

    class FileHandler(_Handler, WatchedFileHandler):
        def reopen(self) -> None:
            self.acquire()
            try:
                stream, self.stream = self.stream, None
                if stream is not None:
                    with suppress(OSError):
                        stream.close()
            finally:
                self.release()

        def hand_over(self, uid: int, gid: int) -> None:
            if self.stream is not None:
                os.fchown(self.stream.fileno(), uid, gid)

        def __repr__(self) -> str:
            return str(path)

    handler = FileHandler(path, encoding="utf-8")
    handler.use(level, LINE_FORMAT)
    return handler


def _syslog_handler(level: int) -> _Handler | None:
    from logging.handlers import SysLogHandler

    class SyslogHandler(_Handler, SysLogHandler):
        def __repr__(self) -> str:
            return "syslog"

    # The handler itself does not mind if nobody is there.
    address = next((path for path in SYSLOG_SOCKETS if Path(path).is_socket()), None)
    if address is None:
        return None
    handler = SyslogHandler(address, facility=SysLogHandler.LOG_DAEMON)
    handler.use(level, SYSLOG_FORMAT)
    # Daemons of today show the null character that others need at the end.
    handler.append_nul = False
    return handler


class _LineFormatter(logging.Formatter):
    """One line for a record, with the further lines of a message or a traceback indented."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if text.isprintable():
            return text
        # File names that are not UTF-8 come as lone surrogates, which syslog could not be sent.
        return text.translate(_ESCAPES).encode("utf-8", "backslashreplace").decode("utf-8")


#: Control characters -> what stands for them in the log.
_ESCAPES: dict[int, str] = {
    **{code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code != ord("\t")},
    0x2028: "\\u2028",
    0x2029: "\\u2029",
    ord("\n"): "\n    ",
}
