"""The gevent core: a greenlet for each connection, many thousands at once.

server         the front door: StreamServer, TLS wrapper, dispatcher
pool           its Pool: the limit on connections
core           the core itself: start, end, offload, breathe
connection     one client's connection
client_table   the open connections by client; idle ones are closed when places are short
limits         which requests run, and how much memory they may take
handshakes     how many steps of TLS handshakes are computed before requests go on
waiting        how a greenlet waits for a socket
watchdog       reports code that blocks the event loop
stacks         the stacks of all greenlets
options        the options of the core
"""

from geventcore.cores.gevent.core import GeventCore

__all__ = ["GeventCore"]
