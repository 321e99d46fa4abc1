"""The Tornado core: Tornado's event loop moves the bytes, a pool of threads does the work.

The loop has a thread of its own; the main thread waits for signals. Needs ``geventcore[tornado]``.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.iostream import IOStream, StreamClosedError
from tornado.tcpserver import TCPServer

from geventcore.core.event_driven import EventDrivenConnection, EventDrivenCore
from geventcore.deadline_clock import CLOCK, TICK_SECONDS
from geventcore.options import types
from geventcore.options.option import Option

THREADS = Option(
    "tornado",
    "threads",
    types.integer(1, 10_000),
    20,
    "How many threads of the Tornado core answer requests at once; connections are not limited by it.",
    at_start=True,
)
READ_BYTES = 65536


class _Transport:
    """A connection's transport, see `geventcore.core.event_driven.Transport`."""

    def __init__(self, stream: IOStream, loop: IOLoop, executor: ThreadPoolExecutor) -> None:
        self._stream, self._loop, self._executor = stream, loop, executor
        #: Set while the connection reads.
        self.reading = asyncio.Event()
        self.reading.set()

    def write(self, data: bytes, done: Callable[[], None]) -> None:
        if self._stream.closed():
            done()
            return
        written = self._stream.write(data)
        if self._stream.writing():
            written.add_done_callback(lambda _: done())
        else:
            done()

    def pause(self) -> None:
        self.reading.clear()

    def resume(self) -> None:
        self.reading.set()

    def close(self) -> None:
        if self._stream.writing():
            self._loop.call_later(0.05, self.close)
        else:
            self._stream.close()

    def abort(self) -> None:
        self._loop.add_callback(self._stream.close)

    def run(self, work: Callable[[], None], done: Callable[[], None]) -> None:
        self._loop.add_future(self._loop.run_in_executor(self._executor, work), lambda _: done())

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        handle = self._loop.call_later(seconds, callback)
        return lambda: self._loop.remove_timeout(handle)


class _Server(TCPServer):
    def __init__(self, core: TornadoCore) -> None:
        super().__init__()
        self._core = core

    async def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        loop = IOLoop.current()
        transport = _Transport(stream, loop, self._core.executor)
        connection = EventDrivenConnection(self._core, address, transport)

        def closed() -> None:
            connection.connection_lost()
            transport.resume()

        stream.set_close_callback(closed)
        stream.set_nodelay(True)
        try:
            while True:
                connection.data_received(await stream.read_bytes(READ_BYTES, partial=True))
                await transport.reading.wait()
        except StreamClosedError:
            connection.eof_received()


class TornadoCore(EventDrivenCore):
    """Serves connections from Tornado's event loop."""

    name: ClassVar[str] = "tornado"
    options: ClassVar[tuple[Option[Any], ...]] = (*EventDrivenCore.options, THREADS)

    def _run(self) -> bool:
        self.executor = ThreadPoolExecutor(self.settings[THREADS], thread_name_prefix="worker")
        self._started = threading.Event()
        return True

    def _block(self) -> None:
        thread = threading.Thread(target=self._loop_forever, name="event loop")
        thread.start()
        self._started.wait()
        self.ready()
        self.wait_for_termination()
        self._loop.add_callback(self._server.stop)
        self.drain()
        self._loop.add_callback(self._loop.stop)
        thread.join()
        self.executor.shutdown(wait=False)

    def start_ticks(self) -> None:
        """See `EventDrivenCore.start_ticks`."""
        self._loop.add_callback(PeriodicCallback(CLOCK.tick, TICK_SECONDS * 1000).start)

    def _loop_forever(self) -> None:
        asyncio.set_event_loop(asyncio.new_event_loop())
        self._loop = IOLoop.current()
        self._server = _Server(self)
        self._server.add_sockets(self.sockets_to_accept())
        self._loop.add_callback(self._started.set)
        self._loop.start()
        self._loop.close(all_fds=True)
