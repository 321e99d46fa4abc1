"""Log handlers and the format of log lines.

Code logs with the standard `logging` module. `configure_logging` adds handlers to the root logger: the console, a
file, syslog. Each has a usual level. `set_debug` lowers all levels to DEBUG, and restores them.

Four rules hold for every handler:

* A log that cannot be written never disturbs the code that logs. The failure goes to standard error, at most once a
  minute, and each record is a new attempt. A full disk stops nothing.
* A record takes one line; further lines are indented. So text from a client cannot imitate a log line, and no control
  character reaches a terminal.
* A record has a bounded length. Messages quote clients, who choose the length of names.
* A record written while the server serves a request names the client and the method, and says how long the request has
  taken, see `log_request`.

The imports at the top are few: this module is loaded before gevent patches the standard library, and
`logging.handlers` would import sockets and queues.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from geventcore.trusted_files import open_trusted

#: Sockets of the local syslog daemon: Linux, macOS, the BSDs.
SYSLOG_SOCKETS = ("/dev/log", "/var/run/syslog", "/var/run/log")

#: A line for syslog, which adds the time itself.
SYSLOG_FORMAT = "geventcore[%(process)d]: %(levelname)s %(name)s%(client)s: %(message)s"

#: A line of the console and of the log file.
LINE_FORMAT = "%(asctime)s %(levelname)s %(name)s[%(process)d]%(client)s: %(message)s"

#: A handler that cannot write reports this at most once in this time.
REPORT_INTERVAL_SECONDS = 60.0

#: The longest message and the longest traceback of a record, in characters.
LONGEST_MESSAGE = 4096
LONGEST_TRACEBACK = 32_768

#: The length up to which a message quotes a name that a client chose, in characters.
LONGEST_NAME = 100

#: How many names a message lists at most.
MOST_NAMES = 5

_log = logging.getLogger(__name__)

_client: ContextVar[str] = ContextVar("client", default="")
_request: ContextVar[RequestContext | None] = ContextVar("request", default=None)
#: The number of this worker process; 0 in a server of one process, and in the master.
_worker = 0


@dataclass
class RequestContext:
    """The request that a record belongs to.

    Attributes:
        method: the name of the XML-RPC method.
        started: when the request began, on the clock of `time.monotonic`.
        client: the host name of the client, when it is known.
        trace_id, span_id: the trace of the request, in hexadecimal digits; empty without one.
    """

    method: str
    started: float
    client: str = ""
    trace_id: str = ""
    span_id: str = ""

    @property
    def seconds(self) -> float:
        """The age of the request."""
        return time.monotonic() - self.started

    def __str__(self) -> str:
        parts = [self.client, self.method, f"{self.seconds:.3f} s", self.trace_id and f"trace {self.trace_id}"]
        return " ".join(filter(None, parts))


@contextmanager
def log_request(context: RequestContext) -> Iterator[None]:
    """Describe the request in every record of this thread or greenlet until the block ends."""
    token = _request.set(context)
    try:
        yield
    finally:
        _request.reset(token)


def name_client(client: str) -> None:
    """Name the client of the request that is being served here, if one is."""
    context = _request.get()
    if context is not None:
        context.client = client


def set_worker(number: int) -> None:
    """Set the number of this process for JSON records."""
    global _worker
    _worker = number


def shortened(text: str, longest: int = LONGEST_NAME) -> str:
    """Return a text of at most `longest` characters, and a note of what is left out."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}… ({len(text) - longest} more characters)"


def few_of(names: Collection[str]) -> str:
    """Return the first names of a list that a client has sent, quoted and shortened, and the number of the others."""
    listed = ", ".join(repr(shortened(name)) for name in islice(names, MOST_NAMES))
    return listed if len(names) <= MOST_NAMES else f"{listed} and {len(names) - MOST_NAMES} more"


@contextmanager
def log_client(name: str) -> Iterator[None]:
    """Name the client in every record of this thread or greenlet until the block ends.

    Each greenlet and each thread has its own client name, and starts without one.
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
    as_json: bool = False,
) -> None:
    """Replace the handlers that an earlier call added to the root logger. Other handlers stay.

    Args:
        debug: log everything, on all handlers.
        verbose: log from level INFO, instead of WARNING.
        path: the log file. Records are appended. A new file is opened after the old one was moved.
        syslog: whether to log to the syslog of this machine. If there is none, a warning is logged.
        as_json: write each record as a JSON object in one line.
        console_level: the level for standard error. `None` turns it off, unless there is no other handler.

    Raises:
        OSError: the log file cannot be opened; the handlers stay as they were.
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
        # Closing flushes the buffer, which fails on a full disk.
        with suppress(OSError):
            old.close()
    for handler in handlers:
        if as_json:
            handler.setFormatter(_JSONFormatter(handler.json_prefix))
        root.addHandler(handler)
    _set_root_level()
    if syslog and syslog_handler is None:
        _log.warning("cannot log to syslog: no syslog daemon listens at %s", ", ".join(SYSLOG_SOCKETS))


def set_debug(debug: bool) -> None:
    """Log everything on all handlers, or return to the levels given to `configure_logging`."""
    for handler in _our_handlers():
        handler.setLevel(logging.DEBUG if debug else handler.usual_level)
    _set_root_level()


def reopen_log_files() -> None:
    """Close the log file, and open it again with the next record.

    Handlers notice a moved file by themselves. Call this to have the old file closed at once.
    """
    for handler in _our_handlers():
        handler.reopen()


def hand_over_log_files(uid: int, gid: int) -> None:
    """Give the log file to the user that the process will run as, so that it can be opened again later."""
    for handler in _our_handlers():
        handler.hand_over(uid, gid)


def _our_handlers() -> list[_Handler]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, _Handler)]


def _set_root_level() -> None:
    """Set the root logger to the lowest level of its handlers, so that no record is made in vain."""
    logging.getLogger().setLevel(min((handler.level for handler in _our_handlers()), default=logging.WARNING))


class _Handler(logging.Handler):
    """The mixin of our handlers. It comes before the standard library's handler in the list of base classes.

    Attributes:
        usual_level: the level while debugging is off.
    """

    usual_level = logging.WARNING
    #: What stands before the JSON object.
    json_prefix = ""
    _next_report = 0.0

    def use(self, level: int, line_format: str) -> None:
        self.usual_level = level
        self.setLevel(level)
        self.setFormatter(_LineFormatter(line_format))

    def reopen(self) -> None:
        """Close the log, if it can be opened again."""

    def hand_over(self, uid: int, gid: int) -> None:
        """Give the log file to a user. Does nothing for other handlers."""

    def emit(self, record: logging.LogRecord) -> None:
        request = _request.get()
        name = str(request) if request is not None else _client.get()
        record.client = f" ({name})" if name else ""
        record.request = request
        try:
            super().emit(record)
        except OSError:
            # The standard handlers catch failed writes, but not the failure to open a file again.
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - a name of the logging module
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            # A message does not fit its arguments: the standard report names the line of code.
            super().handleError(record)
            return
        now = time.monotonic()
        if now < self._next_report:
            return
        self._next_report = now + REPORT_INTERVAL_SECONDS
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(f"geventcore: cannot write the log ({self}): {error}\n")
            sys.stderr.flush()


if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[TextIO]
else:
    _StreamHandler = logging.StreamHandler


class _ConsoleHandler(_Handler, _StreamHandler):
    """A handler for standard error; it looks `sys.stderr` up for each record."""

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
        def _open(self) -> TextIOWrapper:
            # The process may be root, and the directory that of the user it will run as.
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            return TextIOWrapper(open(open_trusted(path, flags), "ab"), encoding=self.encoding)

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
        json_prefix = "geventcore: "

        def __repr__(self) -> str:
            return "syslog"

    # The standard handler ignores a missing daemon.
    address = next((path for path in SYSLOG_SOCKETS if Path(path).is_socket()), None)
    if address is None:
        return None
    handler = SyslogHandler(address, facility=SysLogHandler.LOG_DAEMON)
    handler.use(level, SYSLOG_FORMAT)
    # Old daemons need a null character at the end of a message; current ones print it.
    handler.append_nul = False
    return handler


class _LineFormatter(logging.Formatter):
    """A formatter that puts a record on one line and indents further lines of its message or traceback."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        record.message = shortened(record.message, LONGEST_MESSAGE)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if len(text) > LONGEST_MESSAGE + LONGEST_TRACEBACK:
            # The end names the error and the innermost calls.
            beginning, end = text[:LONGEST_MESSAGE], text[-LONGEST_TRACEBACK:]
            left_out = len(text) - LONGEST_MESSAGE - LONGEST_TRACEBACK
            text = f"{beginning}\n… ({left_out} characters left out)\n{end}"
        if text.isprintable():
            return text
        # File names that are not UTF-8 contain lone surrogates, which cannot be sent to syslog.
        return text.translate(_ESCAPES).encode("utf-8", "backslashreplace").decode("utf-8")


class _JSONFormatter(logging.Formatter):
    """A formatter that makes a JSON object of a record, in ASCII and in one line."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def format(self, record: logging.LogRecord) -> str:
        request: RequestContext | None = getattr(record, "request", None)
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "worker": _worker,
            "message": shortened(record.getMessage(), LONGEST_MESSAGE),
        }
        if request is not None:
            fields |= {
                "client": request.client,
                "method": request.method,
                "duration_seconds": round(request.seconds, 6),
                "trace_id": request.trace_id,
                "span_id": request.span_id,
            }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)[-LONGEST_TRACEBACK:]
        return self._prefix + json.dumps({name: value for name, value in fields.items() if value != ""})


#: Control characters -> their escapes in the log.
_ESCAPES: dict[int, str] = {
    **{code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code != ord("\t")},
    0x2028: "\\u2028",
    0x2029: "\\u2029",
    ord("\n"): "\n    ",
}
