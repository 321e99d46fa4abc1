"""The gevent core: a greenlet for each connection, many thousands at once.

core           the core itself
options        its options
connections    accepting, as many connections as there are places for
admission      which requests are worked on, and what may lie in memory
handshakes     how many TLS handshakes go on before others have their turn
fair_queue     whose turn it is
watchdog       who holds up the others
waiting        how a greenlet waits for a socket
"""

from geventcore.cores.gevent.core import GeventCore

__all__ = ["GeventCore"]
