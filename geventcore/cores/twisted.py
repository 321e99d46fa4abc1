"""The Twisted core: Twisted's reactor moves the bytes, its pool of threads does the work.

The reactor has a thread of its own; the main thread waits for signals. Needs ``geventcore[twisted]``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ClassVar

from twisted.internet import reactor as _reactor
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from geventcore.core.event_driven import EventDrivenConnection, EventDrivenCore
from geventcore.deadline_clock import CLOCK, TICK_SECONDS
from geventcore.options import types
from geventcore.options.option import Option

#: Which interfaces the reactor has depends on the platform, so it is untyped.
reactor: Any = _reactor

THREADS = Option(
    "twisted",
    "threads",
    types.integer(1, 10_000),
    20,
    "How many threads of the Twisted core answer requests at once; connections are not limited by it.",
    at_start=True,
)


class _Transport:
    """A connection's transport, see `geventcore.core.event_driven.Transport`."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._is_full = False
        self._when_written: Callable[[], None] | None = None
        # The reactor then reports when much data waits to be sent, and when it is sent.
        transport.registerProducer(self, streaming=True)

    def write(self, data: bytes, done: Callable[[], None]) -> None:
        self._transport.write(data)
        if self._is_full:
            self._when_written = done
        else:
            done()

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        self._is_full = True

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        self._is_full = False
        done, self._when_written = self._when_written, None
        if done is not None:
            done()

    stopProducing = resumeProducing  # noqa: N815 - Twisted's name

    def pause(self) -> None:
        self._transport.pauseProducing()

    def resume(self) -> None:
        self._transport.resumeProducing()

    def close(self) -> None:
        # Twisted would wait for more data while a producer is registered.
        self._transport.unregisterProducer()
        self._transport.loseConnection()

    def abort(self) -> None:
        reactor.callFromThread(self._transport.abortConnection)

    def run(self, work: Callable[[], None], done: Callable[[], None]) -> None:
        def in_thread() -> None:
            try:
                work()
            finally:
                reactor.callFromThread(done)

        reactor.callInThread(in_thread)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        call = reactor.callLater(seconds, callback)

        def cancel() -> None:
            if call.active():
                call.cancel()

        return cancel


class _Connection(Protocol):
    def __init__(self, core: TwistedCore) -> None:
        self._core = core

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        transport: Any = self.transport
        transport.setTcpNoDelay(True)
        peer = transport.getPeer()
        self._connection = EventDrivenConnection(self._core, (peer.host, peer.port), _Transport(transport))

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        self._connection.data_received(data)

    def connectionLost(self, reason: Failure = Failure) -> None:  # type: ignore[assignment]  # noqa: N802 - Twisted's
        self._connection.eof_received()
        self._connection.connection_lost()


class _Factory(Factory):
    noisy = False

    def __init__(self, core: TwistedCore) -> None:
        self._core = core

    def buildProtocol(self, addr: IAddress | None) -> Protocol:  # noqa: N802 - Twisted's name
        return _Connection(self._core)


class TwistedCore(EventDrivenCore):
    """Serves connections from Twisted's reactor."""

    name: ClassVar[str] = "twisted"
    options: ClassVar[tuple[Option[Any], ...]] = (*EventDrivenCore.options, THREADS)

    def _run(self) -> bool:
        reactor.suggestThreadPoolSize(self.settings[THREADS])
        return True

    def start_ticks(self) -> None:
        """See `EventDrivenCore.start_ticks`."""
        reactor.callFromThread(LoopingCall(CLOCK.tick).start, TICK_SECONDS)

    def _block(self) -> None:
        factory = _Factory(self)
        ports = [reactor.adoptStreamPort(sock.fileno(), sock.family, factory) for sock in self.listeners]
        thread = threading.Thread(target=lambda: reactor.run(installSignalHandlers=False), name="reactor")
        started = threading.Event()
        reactor.callWhenRunning(started.set)
        thread.start()
        started.wait()
        self.ready()
        self.wait_for_termination()
        for port in ports:
            # The port has a copy of the socket.
            reactor.callFromThread(port.stopListening)
        self.drain()
        reactor.callFromThread(reactor.stop)
        # The reactor waits for its threads. The server ends even if some are stuck in a plugin.
        thread.join(timeout=1.0 if self.cut_off else None)
