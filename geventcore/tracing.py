"""Traces: a span for each request, with child spans for its phases, render steps, plugins and database statements.

The spans are made by the library of OpenTelemetry and sent by OTLP over HTTP (``geventcore[otel]``). Without
``[tracing] endpoint`` nothing is imported, and every function here returns at once. A request that is not sampled has
no child spans either.

`configure` is called once, before processes are forked; `start` in each process that serves, because the exporter has a
thread.
"""

from __future__ import annotations

import contextvars
import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from geventcore.errors import ConfigError

T = TypeVar("T")

#: The longest text of a statement in a span, in characters.
LONGEST_STATEMENT = 1000
#: How long the end of a process waits for the last spans to be sent, in milliseconds.
FLUSH_MILLISECONDS = 2000


@dataclass(frozen=True)
class Target:
    """The destination of the spans.

    Attributes:
        endpoint: the URL of the collector.
        sample: the share of requests with a trace, from 0 to 1.
        service: the name of the service.
        version: the version of the program.
    """

    endpoint: str
    sample: float
    service: str
    version: str


_target: Target | None = None
_tracer: Any = None
_provider: Any = None
_current: ContextVar[Any] = ContextVar("span", default=None)
_NOTHING: AbstractContextManager[None] = nullcontext()


def configure(target: Target) -> None:
    """Send spans to a collector from now on.

    Raises:
        ConfigError: the library is not installed.
    """
    global _target
    for library in ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"):
        try:
            is_there = importlib.util.find_spec(library) is not None
        except ModuleNotFoundError:
            is_there = False
        if not is_there:
            raise ConfigError(f"[tracing] endpoint needs {library}, which is missing: pip install 'geventcore[otel]'")
    _target = target


def is_configured() -> bool:
    """Return whether there will be spans."""
    return _target is not None


def start() -> None:
    """Begin to trace in this process."""
    global _tracer, _provider
    if _target is None or _tracer is not None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    resource = Resource.create(
        {
            "service.name": _target.service,
            "service.version": _target.version,
            "service.instance.id": f"{os.uname().nodename}:{os.getpid()}",
        }
    )
    _provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(_target.sample)))
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=_target.endpoint)))
    _tracer = _provider.get_tracer("geventcore", _target.version)


def stop() -> None:
    """Send the last spans of this process."""
    global _tracer, _provider
    provider, _provider, _tracer = _provider, None, None
    if provider is not None:
        provider.force_flush(FLUSH_MILLISECONDS)
        provider.shutdown()


def _child(parent: Any, name: str, start_ns: int, attributes: dict[str, Any]) -> Any:
    from opentelemetry.trace import set_span_in_context

    return _tracer.start_span(name, set_span_in_context(parent), attributes=attributes, start_time=start_ns)


class RequestTrace:
    """The span of one request."""

    def __init__(self, span: Any) -> None:
        self._span = span

    @property
    def ids(self) -> tuple[str, str]:
        """The numbers of the trace and of the span, in hexadecimal digits."""
        context = self._span.get_span_context()
        return f"{context.trace_id:032x}", f"{context.span_id:016x}"

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure a phase that runs here; spans that begin in the block are its children."""
        if _tracer is None:
            yield
            return
        span = _child(self._span, name, time.time_ns(), {})
        token = _current.set(span)
        try:
            yield
        finally:
            _current.reset(token)
            span.end()

    def add_phase(self, name: str, seconds: float) -> None:
        """Add a phase that has just ended."""
        if _tracer is not None:
            now = time.time_ns()
            _child(self._span, name, now - int(seconds * 1e9), {}).end(now)

    def note(self, **attributes: Any) -> None:
        """Add attributes."""
        self._span.set_attributes(attributes)

    def end(self) -> None:
        """End the span."""
        self._span.end()


def begin_request(seconds: float, peer: str) -> RequestTrace | None:
    """Return the span of a request that has begun some seconds ago; None if it is not traced."""
    if _tracer is None:
        return None
    from opentelemetry.trace import SpanKind

    span = _tracer.start_span(
        "request",
        kind=SpanKind.SERVER,
        attributes={"rpc.system": "xmlrpc", "network.peer.address": peer},
        start_time=time.time_ns() - int(seconds * 1e9),
    )
    return RequestTrace(span) if span.is_recording() else None


def span(name: str, **attributes: Any) -> AbstractContextManager[None]:
    """Measure a block as a child of the span that is open here, if one is."""
    if _tracer is None:
        return _NOTHING
    parent = _current.get()
    return _NOTHING if parent is None else _measured(parent, name, attributes)


@contextmanager
def _measured(parent: Any, name: str, attributes: dict[str, Any]) -> Iterator[None]:
    child = _child(parent, name, time.time_ns(), attributes)
    token = _current.set(child)
    try:
        yield
    except Exception as err:
        child.record_exception(err)
        raise
    finally:
        _current.reset(token)
        child.end()


def carried(function: Callable[..., T]) -> Callable[..., T]:
    """Return a function that another thread can call under the span that is open here."""
    if _tracer is None or _current.get() is None:
        return function
    context = contextvars.copy_context()

    def call(*arguments: Any) -> T:
        return context.run(function, *arguments)

    return call


def add_statement(system: str, statement: str, start_ns: int) -> None:
    """Add a database statement that has just ended."""
    parent = _current.get() if _tracer is not None else None
    if parent is not None:
        text = " ".join(statement.split())[:LONGEST_STATEMENT]
        attributes = {"db.system": system, "db.statement": text}
        _child(parent, f"statement {text.partition(' ')[0]}", start_ns, attributes).end()
