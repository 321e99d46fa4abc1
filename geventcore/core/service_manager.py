"""Telling a service manager how the server is: systemd's notification protocol.

A datagram to the socket that ``NOTIFY_SOCKET`` names (``sd_notify(3)``). Without the variable nothing happens.
"""

from __future__ import annotations

import logging
import os
import socket
import time

log = logging.getLogger(__name__)


class ServiceManager:
    """The service manager that has started this process, if there is one."""

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")
        #: A name that begins with @ stands for one in the abstract namespace.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    @classmethod
    def nobody(cls) -> ServiceManager:
        """Nobody to tell, for a process that another one speaks for."""
        manager = cls()
        manager._address = ""
        return manager

    def ready(self) -> None:
        """Clients are served."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """The configuration is read again; `ready` says when that is done."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The server ends."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """The server still works; to be said at least every `watchdog_interval`."""
        self._tell("WATCHDOG=1")

    @property
    def watchdog_interval(self) -> float | None:
        """How often to say that the server works, in seconds: half of what the manager waits. None: not at all."""
        if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
            return None
        microseconds = os.environ.get("WATCHDOG_USEC", "")
        return int(microseconds) / 2_000_000 if microseconds.isdigit() and self._address else None

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.connect(self._address)
                sock.send(message.encode("ascii"))
        except OSError as err:
            log.warning("The service manager cannot be told %s: %s", message.split("\n")[0], err)
