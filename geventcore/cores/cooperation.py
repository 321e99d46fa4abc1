"""Making the standard library cooperative, for the gevent core.

Plugins are plain blocking Python on the standard library: sockets, subprocesses, locks, sleeping. After this they let
other greenlets run wherever they would block. It must happen before anything else is imported, once, in the process
that will serve; importing the package never does it.
"""


def patch_standard_library() -> None:
    """Replace the blocking parts of the standard library by gevent's."""
    from gevent import monkey

    monkey.patch_all()
