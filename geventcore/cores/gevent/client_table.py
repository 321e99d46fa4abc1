"""The open connections by client, so that idle ones can be closed fairly when places or descriptors are short.

Those are closed that expect nothing: they have been answered, or have not said a word. The client with most connections
loses some first, its oldest ones. Behind a balancer that is the client that the balancer has named; connections for
which it has not named anybody are many clients', and go last.
"""

from __future__ import annotations

import resource
import time

from gevent.event import Event

from geventcore.core.connection import UNNAMED_CLIENT, Connection, ConnectionTable

#: Of the descriptors that the process may have, these are left to everything else: files, programs, plugins' servers.
RESERVED_DESCRIPTORS = 256
#: How many idle connections are closed at once: as many as are accepted before others go on.
CLOSED_AT_ONCE = 8
#: A connection is not closed before this age, in seconds: its first words may be on their way.
MINIMUM_AGE_SECONDS = 2.0


def most_connections(wanted: int) -> int:
    """Return the number of connections that the process's limit on descriptors allows, at most `wanted`."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, soft - min(RESERVED_DESCRIPTORS, soft // 2)))


class ClientTable(ConnectionTable):
    """The open connections, also by client."""

    def __init__(self) -> None:
        super().__init__()
        self._by_client: dict[str, dict[Connection, None]] = {}
        self._removed = Event()

    def add(self, connection: Connection) -> None:
        """See `ConnectionTable.add`."""
        super().add(connection)
        self._by_client.setdefault(connection.client_ip, {})[connection] = None

    def remove(self, connection: Connection) -> None:
        """See `ConnectionTable.remove`."""
        super().remove(connection)
        self._leave_client(connection)
        self._removed.set()

    def rename(self, connection: Connection, client_ip: str) -> None:
        """See `ConnectionTable.rename`."""
        self._leave_client(connection)
        super().rename(connection, client_ip)
        self._by_client.setdefault(client_ip, {})[connection] = None

    def _leave_client(self, connection: Connection) -> None:
        connections = self._by_client[connection.client_ip]
        del connections[connection]
        if not connections:
            del self._by_client[connection.client_ip]

    def wait_for_change(self, seconds: float) -> None:
        """Wait until a connection is closed, at most for so long."""
        self._removed.clear()
        self._removed.wait(seconds)

    def close_idle(self) -> int:
        """Abort up to `CLOSED_AT_ONCE` idle connections of one client; returns the number."""
        latest = time.monotonic() - MINIMUM_AGE_SECONDS
        for _, connections in sorted(self._by_client.items(), key=_claim, reverse=True):
            idle: list[Connection] = []
            for connection in connections:
                if connection.opened_at > latest or len(idle) == CLOSED_AT_ONCE:
                    break
                if connection.is_closable:
                    idle.append(connection)
            if idle:
                for connection in idle:
                    connection.abort()
                return len(idle)
        return 0


def _claim(item: tuple[str, dict[Connection, None]]) -> int:
    """Return how many connections one client has, for a row of the table."""
    client_ip, connections = item
    return len(connections) if client_ip != UNNAMED_CLIENT else 0
