"""The multiprocessing core: one process talks to clients, its children build configurations.

The parent is a builtin core: it accepts, authenticates and answers everything but ``GetConfig``, which goes to a child
that is free. A child is a core without a network, with plugins and a file monitor of its own. Before it builds, it
applies the file events that are there, so what the parent has stored (a probe's result, a profile) is part of what it
builds.

Children come from a *nursery*, a process that was forked before there were threads and does nothing but fork. A child
that dies is replaced, and its request is given to another one. All talk goes over socket pairs, which end with the
process at either end: when the parent is gone, so are the children, however it went.
"""

from __future__ import annotations

import array
import contextlib
import functools
import json
import logging
import os
import queue
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from lxml import etree

from geventcore.core.base import Core
from geventcore.core.methods import Address, CoreMethods, critical
from geventcore.cores.builtin import BuiltinCore
from geventcore.errors import (
    CoreInitError,
    GeventcoreError,
    MetadataError,
    ValidationError,
)
from geventcore.log import reopen_log_files
from geventcore.options import types
from geventcore.options.common import CACHE_MODE
from geventcore.options.option import Option
from geventcore.options.settings import LoadedSettings
from geventcore.plugin.base import Plugin
from geventcore.rpc.methods import Method, XMLText, exposed

log = logging.getLogger(__name__)

CHILDREN = Option(
    "server",
    "children",
    types.integer(1),
    os.cpu_count() or 1,
    "How many processes of the multiprocessing core build configurations.",
    flags=("--children",),
)

#: How long a start waits for every child to have read the repository, in seconds.
START_SECONDS = 300.0
#: How many children in a row may die over one request before the client is told.
ATTEMPTS = 3
#: How long to wait for a child to end by itself, in seconds.
STOP_SECONDS = 5.0

_LENGTH = struct.Struct("!Q")


class Channel:
    """One end of a socket pair that carries messages: a JSON head and a body of bytes, each with its length."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Send one message; `OSError` if the other end is gone."""
        encoded = json.dumps(head).encode("utf-8")
        self._sock.sendall(_LENGTH.pack(len(encoded)) + _LENGTH.pack(len(body)) + encoded + body)

    def receive(self) -> tuple[dict[str, Any], bytes]:
        """The next message; `EOFError` if the other end is gone."""
        lengths = self._exactly(2 * _LENGTH.size)
        head_length, body_length = struct.unpack("!QQ", lengths)
        head: dict[str, Any] = json.loads(self._exactly(head_length))
        return head, self._exactly(body_length)

    def _exactly(self, length: int) -> bytes:
        data = bytearray(length)
        view = memoryview(data)
        while view:
            try:
                count = self._sock.recv_into(view)
            except OSError as err:
                raise EOFError(str(err)) from err
            if not count:
                raise EOFError("the other end is gone")
            view = view[count:]
        return bytes(data)

    def close(self) -> None:
        """End the channel."""
        self._sock.close()


class ChildCore(Core):
    """What a child is: builds configurations and does what it is told over a channel."""

    def __init__(self, settings: LoadedSettings, number: int) -> None:
        super().__init__(settings)
        self.number = number

    @property
    def statistics_name(self) -> str:
        """Statistics read as those of the core itself."""
        return "Core"

    def serve(self, channel: Channel) -> None:
        """Do what the parent asks until it is gone."""
        try:
            try:
                self.load()
            except GeventcoreError as err:
                # Nobody listens any more if another child has failed before.
                with contextlib.suppress(OSError):
                    channel.send({"error": str(err)})
                return
            self.handle_file_events()
            channel.send({"ready": True})
            while True:
                head, _ = channel.receive()
                try:
                    answer, body = self._do(head)
                except GeventcoreError as err:
                    answer, body = {"error": str(err), "kind": _kind(err)}, b""
                channel.send(answer, body)
        except EOFError:
            log.debug("child %d: the parent is gone", self.number)
        finally:
            self.shutdown()

    def _do(self, head: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        self.file_monitor.wait(0)
        self.handle_file_events()
        order = head["order"]
        if order == "build":
            with self.timings.measure("GetConfig"):
                return {}, etree.tostring(self._configuration(head["client"]))
        if order == "expire":
            self.metadata.expire(head["client"])
        elif order == "call":
            plugin = self.plugins.by_name.get(head["plugin"])
            if plugin is not None:
                getattr(plugin, head["method"])(*head["arguments"])
        elif order == "statistics":
            return {"statistics": self.timings.snapshot()}, b""
        elif order == "debug":
            CoreMethods(self).set_debug(("127.0.0.1", 0), head["value"])
        elif order == "reload":
            self.reload_settings()
        elif order == "reopen logs":
            reopen_log_files()
        return {}, b""

    def _complain(self, complaint: str) -> None:
        # The parent reads the same configuration, and says it.
        log.debug("%s", complaint)

    def _configuration(self, client: str) -> etree._Element:
        return self.build_configuration(client)


def _kind(err: GeventcoreError) -> str:
    if isinstance(err, MetadataError):
        return "metadata"
    return "validation" if isinstance(err, ValidationError) else "other"


class Nursery:
    """The process that forks children on demand, and the parent's end of it."""

    def __init__(self, settings: LoadedSettings, abandon: Iterable[socket.socket]) -> None:
        """Fork the nursery; it and its children close the `abandon` sockets, which only the parent may keep open."""
        self._control, theirs = socket.socketpair()
        self._lock = threading.Lock()
        self.pid = os.fork()
        if self.pid == 0:
            self._control.close()
            for sock in abandon:
                sock.close()
            _run_nursery(theirs, settings)
        theirs.close()

    def new_child(self, number: int) -> Channel:
        """A channel to a new child; `CoreInitError` if the nursery is gone."""
        with self._lock:
            try:
                self._control.sendall(struct.pack("!I", number))
                _, descriptors, _, _ = socket.recv_fds(self._control, 1, 1)
            except OSError as err:
                raise CoreInitError(f"no more children can be started: {err}") from err
        if not descriptors:
            raise CoreInitError("no more children can be started: their nursery is gone")
        return Channel(socket.socket(fileno=descriptors[0]))

    def close(self) -> None:
        """End the nursery, whose children have been told to end, and wait for it."""
        self._control.close()
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            pid, _ = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return
            time.sleep(0.02)
        log.error("The nursery %d does not end; it is killed", self.pid)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def _run_nursery(control: socket.socket, settings: LoadedSettings) -> None:
    """The nursery's whole life; never returns."""
    # The parent ends everything by closing sockets; signals to the process group must not be faster.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    # It has nothing to say, and would keep a log file that was moved away; its children open the file with their first
    # line.
    reopen_log_files()
    children: set[int] = set()
    while True:
        request = control.recv(4, socket.MSG_WAITALL)
        if len(request) < 4:
            break
        _reap(children, os.WNOHANG)
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            control.close()
            ours.close()
            _run_child(struct.unpack("!I", request)[0], Channel(theirs), settings)
        children.add(pid)
        theirs.close()
        control.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [ours.fileno()]))])
        ours.close()
    deadline = time.monotonic() + STOP_SECONDS - 1
    while children and time.monotonic() < deadline:
        _reap(children, os.WNOHANG)
        time.sleep(0.02)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    _reap(children, 0)
    os._exit(0)


def _reap(children: set[int], options: int) -> None:
    for pid in list(children):
        if os.waitpid(pid, options)[0]:
            children.discard(pid)


def _run_child(number: int, channel: Channel, settings: LoadedSettings) -> None:
    """A child's whole life; never returns."""
    status = 1
    try:
        ChildCore(settings, number).serve(channel)
        status = 0
    except Exception as err:
        log.error("child %d ended: %s", number, err, exc_info=not isinstance(err, GeventcoreError))
    finally:
        logging.shutdown()
        os._exit(status)


class Child:
    """A child as the parent sees it: one request at a time."""

    def __init__(self, number: int, channel: Channel) -> None:
        self.number = number
        self._channel = channel
        self._lock = threading.Lock()

    def await_ready(self) -> None:
        """Return when the child has read the repository; `EOFError` if it has died, `CoreInitError` if it cannot."""
        head, _ = self._channel.receive()
        if "error" in head:
            raise CoreInitError(head["error"])

    def ask(self, order: str, **details: Any) -> tuple[dict[str, Any], bytes]:
        """Have the child do something; `EOFError` if it dies over it."""
        with self._lock:
            try:
                self._channel.send({"order": order, **details})
            except OSError as err:
                raise EOFError(str(err)) from err
            return self._channel.receive()

    def close(self) -> None:
        """End the child."""
        self._channel.close()


class Children:
    """All children: the free ones wait in a queue, dead ones are replaced."""

    def __init__(self, nursery: Nursery, count: int) -> None:
        self._nursery = nursery
        self._free: queue.Queue[Child] = queue.Queue()
        self._all: dict[int, Child] = {}
        self._lock = threading.Lock()
        self._closed = False
        for number in range(count):
            self._all[number] = Child(number, nursery.new_child(number))
        for child in self._all.values():
            try:
                child.await_ready()
            except EOFError as err:
                self.close()
                raise CoreInitError(f"child {child.number} has not started; the log says why") from err
            except CoreInitError:
                self.close()
                raise
            self._free.put(child)

    def build(self, client: str) -> tuple[dict[str, Any], bytes]:
        """Have a free child build a configuration; `CoreInitError` if children keep dying over it."""
        for _ in range(ATTEMPTS):
            child = self._free.get()
            try:
                answer = child.ask("build", client=client)
            except EOFError:
                log.error("child %d died building the configuration of %s", child.number, client)
                self._replace(child)
                continue
            self._free.put(child)
            return answer
        raise CoreInitError(f"{ATTEMPTS} processes died building the configuration of {client}")

    def tell_all(self, order: str, **details: Any) -> list[tuple[int, dict[str, Any]]]:
        """Have every child do something; ``(number, answer)`` of those that live."""
        with self._lock:
            children = list(self._all.values())
        answers = []
        for child in children:
            try:
                answers.append((child.number, child.ask(order, **details)[0]))
            except EOFError:
                # Whoever builds with it next finds it dead and replaces it; a new one knows everything.
                log.debug("child %d is gone", child.number)
        return answers

    def _replace(self, child: Child) -> None:
        child.close()
        threading.Thread(target=self._start_instead, args=(child.number,), name="new child", daemon=True).start()

    def _start_instead(self, number: int) -> None:
        delay = 0.1
        while not self._closed:
            try:
                child = Child(number, self._nursery.new_child(number))
                child.await_ready()
            except (EOFError, CoreInitError) as err:
                log.error("child %d cannot be replaced, next try in %.1f s: %s", number, delay, err)
                time.sleep(delay)
                delay = min(delay * 2, 30.0)
                continue
            with self._lock:
                self._all[number] = child
            self._free.put(child)
            return

    def close(self) -> None:
        """End all children."""
        self._closed = True
        with self._lock:
            for child in self._all.values():
                child.close()


class ParentMethods(CoreMethods):
    """The exposed methods of the parent: some are the children's work, some concern them, too."""

    def __init__(self, core: MultiprocessingCore) -> None:
        super().__init__(core)
        self._parent = core

    @exposed("GetConfig")
    def get_config(self, address: Address) -> XMLText:
        """Get the client's configuration, an ASCII document without a declaration."""
        client = self.resolve_client(address)
        answer, body = self._parent.children.build(client)
        if "error" in answer:
            if answer["kind"] == "validation":
                raise ValidationError(answer["error"])
            raise critical(answer["error"])
        return XMLText(body)

    @exposed("get_statistics")
    def get_statistics(self, address: Address) -> dict[str, list[float | int]]:
        """Get the durations that were measured: the parent's own, each child's, and their totals."""
        merged = super().get_statistics(address)
        totals: dict[str, list[float | int]] = {}
        for number, answer in self._parent.children.tell_all("statistics"):
            for name, timing in answer["statistics"].items():
                merged[f"Child-{number}:{name}"] = timing
                totals[name] = _merge(totals.get(name), timing)
        merged.update((f"Total:{name}", timing) for name, timing in totals.items())
        return merged

    @exposed("set_debug")
    def set_debug(self, address: Address, debug: bool | str) -> bool:
        """Switch debugging of everything on or off. Returns whether it is on."""
        result = super().set_debug(address, debug)
        self._parent.children.tell_all("debug", value=result)
        return result


def _merge(one: list[float | int] | None, other: list[float | int]) -> list[float | int]:
    """Two timings ``[minimum, maximum, mean, count]`` as one, the mean weighted."""
    if one is None:
        return list(other)
    count = one[3] + other[3]
    return [min(one[0], other[0]), max(one[1], other[1]), (one[2] * one[3] + other[2] * other[3]) / count, count]


class MultiprocessingCore(BuiltinCore):
    """A builtin core whose configurations are built by children."""

    name: ClassVar[str] = "multiprocessing"
    options: ClassVar[tuple[Option[Any], ...]] = (*BuiltinCore.options, CHILDREN)

    def __init__(self, settings: LoadedSettings) -> None:
        super().__init__(settings)
        self._nursery: Nursery | None = None
        self._children: Children | None = None

    def make_methods(self) -> CoreMethods:
        """The parent's methods."""
        return ParentMethods(self)

    @property
    def children(self) -> Children:
        """The children; `CoreInitError` before `_run`."""
        if self._children is None:
            raise CoreInitError("no children are started yet")
        return self._children

    def _run(self) -> bool:
        self._nursery = Nursery(self.settings, self.listeners)
        self._children = Children(self._nursery, self.settings[CHILDREN])
        self.metadata.cache.add_expire_hook(self._expire_in_children)
        return super()._run()

    def _expire_in_children(self, tags: tuple[str, ...], exact: bool, count: int) -> None:
        if self.settings[CACHE_MODE] != "off":
            self.children.tell_all("expire", client=tags[1] if len(tags) > 1 else None)

    def load(self) -> None:
        """Load plugins; calls of methods that children have, too, are passed on to them."""
        super().load()
        for plugin in self.plugins:
            self.service.methods.add([self._passed_on(plugin, name) for name in plugin.child_remote_methods])

    def _passed_on(self, plugin: Plugin, name: str) -> Method:
        function: Callable[..., Any] = getattr(plugin, name)

        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            result = function(*arguments)
            self.children.tell_all("call", plugin=plugin.name, method=name, arguments=arguments)
            return result

        return Method(f"{plugin.name}.{name}", call, with_address=False)

    def reload_settings(self) -> None:
        """Read the configuration again, in the children, too."""
        super().reload_settings()
        self.children.tell_all("reload")

    def reopen_logs(self) -> None:
        """Let go of log files that were moved away, in the children, too."""
        super().reopen_logs()
        # In a thread, because a child answers when it has built what it is building.
        threading.Thread(target=self.children.tell_all, args=("reopen logs",), daemon=True).start()

    def shutdown(self) -> None:
        """End the server, then the children."""
        super().shutdown()
        if self._children is not None:
            self._children.close()
            self._children = None
        if self._nursery is not None:
            self._nursery.close()
            self._nursery = None
