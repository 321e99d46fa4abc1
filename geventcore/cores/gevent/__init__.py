"""The gevent core: a greenlet for each connection, many thousands at once.

core           the core itself
options        its options
render_slots   how many configurations are built at once
waiting        how a greenlet waits for a socket
"""

from geventcore.cores.gevent.core import GeventCore

__all__ = ["GeventCore"]
