"""Reports to a service manager by the notification protocol of systemd.

A datagram to the socket that ``NOTIFY_SOCKET`` names (``sd_notify(3)``). Without the variable nothing happens.
"""

from __future__ import annotations

import logging
import os
import socket
import time

log = logging.getLogger(__name__)


class ServiceManager:
    """The service manager that has started this process, if any."""

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")
        #: A name that begins with @ stands for one in the abstract namespace.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    @classmethod
    def nobody(cls) -> ServiceManager:
        """Return a silent one, for a process for which another one reports."""
        manager = cls()
        manager._address = ""
        return manager

    @property
    def exists(self) -> bool:
        """True if there is one."""
        return bool(self._address)

    def ready(self) -> None:
        """Report that clients are served."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """Report that the configuration is being read again; `ready` follows."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Report that the server ends."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """Report that the server works; needed at least every `watchdog_interval`."""
        self._tell("WATCHDOG=1")

    @property
    def watchdog_interval(self) -> float | None:
        """The interval of `alive` in seconds, half of the manager's timeout; None if it has none."""
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
            log.warning("Cannot report %s to the service manager: %s", message.split("\n")[0], err)
