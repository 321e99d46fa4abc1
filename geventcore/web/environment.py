"""The keys under which the server tells the application about a request (WSGI)."""

from __future__ import annotations

#: Whether the request came to a loopback address or a UNIX socket.
IS_LOCAL = "geventcore.is_local"
#: The address that received it, and that of the caller; empty for a UNIX socket.
OWN_ADDRESS, PEER = "geventcore.own_address", "geventcore.peer"
