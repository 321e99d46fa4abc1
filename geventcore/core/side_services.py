"""Services beside the one for clients, such as the admin listener.

Whoever starts a server attaches them to its core (`NetworkCore.attach`). They have sockets of their own.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Protocol

from geventcore.options.settings import LoadedSettings


class SideService(Protocol):
    """A service that a server runs beside the one for clients."""

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """The open sockets."""

    def open(self, settings: LoadedSettings) -> None:
        """Open the sockets, with the rights that the server was started with. `ConfigError` or `CoreInitError`."""

    def adopt(self) -> None:
        """Take the sockets over in the process that has become a daemon."""

    def start(self) -> None:
        """Serve from now on; called in each process that serves clients, when it does."""

    def stop(self) -> None:
        """Stop serving; called in each process. The service may be stopped already, or not started."""

    def close(self) -> None:
        """Close the sockets."""


class SideServices:
    """All side services of a server, as one."""

    def __init__(self) -> None:
        self._services: list[SideService] = []

    def add(self, service: SideService) -> None:
        """Add one; called before the server runs."""
        self._services.append(service)

    def open(self, settings: LoadedSettings) -> None:
        """See `SideService.open`."""
        for service in self._services:
            service.open(settings)

    def adopt(self) -> None:
        """See `SideService.adopt`."""
        for service in self._services:
            service.adopt()

    def start(self) -> None:
        """See `SideService.start`."""
        for service in self._services:
            service.start()

    def stop(self) -> None:
        """See `SideService.stop`."""
        for service in self._services:
            service.stop()

    def close(self) -> None:
        """See `SideService.close`."""
        for service in self._services:
            service.close()
