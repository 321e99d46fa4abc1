"""Processes that build configurations for another one, and the nursery that they come from.

The nursery is a process that was forked before there were threads, and does nothing but fork. All talk goes over socket
pairs, which end with the process at either end: when the parent is gone, so are the nursery and the children.
"""

from __future__ import annotations

import array
import contextlib
import logging
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterable
from typing import Any

from geventcore.core.base import Core
from geventcore.core.channel import Channel
from geventcore.errors import CoreInitError, GeventcoreError, MetadataError, ValidationError
from geventcore.log import reopen_log_files
from geventcore.metrics.families import reset_all
from geventcore.metrics.process import ProcessMeter
from geventcore.metrics.snapshot import Sampler
from geventcore.options.settings import LoadedSettings

log = logging.getLogger(__name__)

#: How long to wait for a child to end by itself, in seconds.
STOP_SECONDS = 5.0


class ChildCore(Core):
    """What a child is: builds configurations and does what it is told over a channel."""

    def __init__(self, settings: LoadedSettings, number: int) -> None:
        super().__init__(settings)
        self.number = number
        self._sampler = Sampler()
        self._sampler.add(ProcessMeter().refresh)

    @property
    def statistics_name(self) -> str:
        """Statistics read as those of the core itself."""
        return "Core"

    def obey(self, channel: Channel) -> None:
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
            # Also while nobody asks for anything: the last good version of a file may have come and gone between two
            # requests.
            self._start_thread("file watcher", self._watch_files)
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
                return {}, self.write_configuration(head["client"])
        if order == "expire":
            self.metadata.expire(head["client"])
        elif order == "call":
            plugin = self.plugins.by_name.get(head["plugin"])
            if plugin is not None:
                getattr(plugin, head["method"])(*head["arguments"])
        elif order == "statistics":
            return {"statistics": self.timings.snapshot()}, b""
        elif order == "metrics":
            return {"snapshots": [self._sampler.take().as_json()]}, b""
        elif order == "debug":
            value = bool(head["value"])
            self.set_debug(plugins=value, file_monitor=value, core=value)
        elif order == "reload":
            self.reload_settings()
        elif order == "reopen logs":
            reopen_log_files()
        return {}, b""

    def complain(self, complaint: str, level: int = logging.ERROR) -> None:
        # The parent reads the same configuration, and says it.
        log.debug("%s", complaint)


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
    reset_all()
    try:
        ChildCore(settings, number).obey(channel)
        status = 0
    except Exception as err:
        log.error("child %d ended: %s", number, err, exc_info=not isinstance(err, GeventcoreError))
    finally:
        logging.shutdown()
        os._exit(status)
