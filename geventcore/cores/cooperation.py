"""Making the standard library cooperative, for the gevent core.

Plugins are plain blocking Python on the standard library: sockets, subprocesses, locks, sleeping. After
`patch_standard_library` other greenlets run wherever they block. It must be called once, before anything else is
imported, in the process that will serve. Importing the package never does it.
"""


def patch_standard_library() -> None:
    """Replace the blocking parts of the standard library by gevent's."""
    from gevent import monkey

    monkey.patch_all()
