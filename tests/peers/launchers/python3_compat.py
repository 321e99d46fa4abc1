"""Let an unmodified Bcfg2 1.3.x from PyPI run on Python 3.7 and newer.

Nothing of Bcfg2 is copied or edited: `install()` only gives back the names of the standard library that Python 3.7 to
3.12 took away, and the launchers beside this file then run Bcfg2's own script. Names the running Python still has are
left alone.
"""

import collections
import collections.abc
import importlib
import itertools
import ssl


def install_for_client():
    """Prepare this interpreter for Bcfg2's client."""
    _restore_collections()
    _give_ssl_view("Bcfg2.Proxy")


def install_for_server():
    """Prepare this interpreter for Bcfg2's server."""
    install_for_client()
    _give_ssl_view("Bcfg2.SSLServer")
    importlib.import_module("Bcfg2.Server.MultiprocessingCore").cycle = _CycleWithNext


def _restore_collections():
    """The abstract base classes left `collections` in 3.10."""
    for name in collections.abc.__all__:
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))


def _wrap_socket(
    sock,
    keyfile=None,
    certfile=None,
    server_side=False,
    cert_reqs=ssl.CERT_NONE,
    ssl_version=None,
    ca_certs=None,
    do_handshake_on_connect=True,
    suppress_ragged_eofs=True,
    ciphers=None,
    **ignored,
):
    """Python 2.7's `ssl.SSLSocket(...)`, refused since 3.7, and `ssl.wrap_socket`, gone since 3.12.

    Behaves as in 2.7: no host name check, no SNI. The protocol versions are this Python's own choice whatever
    `ssl_version` says.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = cert_reqs
    if ca_certs:
        context.load_verify_locations(ca_certs)
    if certfile:
        context.load_cert_chain(certfile, keyfile)
    if ciphers:
        context.set_ciphers(ciphers)
    return context.wrap_socket(
        sock,
        server_side=server_side,
        do_handshake_on_connect=do_handshake_on_connect,
        suppress_ragged_eofs=suppress_ragged_eofs,
    )


class _SSLView:
    """The ssl module as one old module sees it; `ssl.SSLSocket` itself stays as it is for everyone else."""

    SSLSocket = staticmethod(_wrap_socket)
    wrap_socket = staticmethod(_wrap_socket)

    def __getattr__(self, name):
        return getattr(ssl, name)


def _give_ssl_view(module):
    importlib.import_module(module).ssl = _SSLView()


class _CycleWithNext:
    """`itertools.cycle` that also answers to Python 2's `.next()`, which the multiprocessing core calls."""

    def __init__(self, items):
        self._inner = itertools.cycle(items)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._inner)

    next = __next__
