"""An FTP server for package sources in tests."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

with warnings.catch_warnings():
    # It is built on a module of Python that is no longer kept up.
    warnings.simplefilter("ignore", DeprecationWarning)
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.ioloop import IOLoop
    from pyftpdlib.servers import FTPServer


@contextmanager
def ftp_server(root: Path, *, login: str = "") -> Iterator[str]:
    """Serve a directory; yields ``host:port``. Callers must log in as ``user:password`` if that is given."""
    authorizer = DummyAuthorizer()
    if login:
        user, _, password = login.partition(":")
        authorizer.add_user(user, password, str(root), perm="elr")
    else:
        authorizer.add_anonymous(str(root))
    handler = type("Handler", (FTPHandler,), {"authorizer": authorizer, "auth_failed_timeout": 0})
    loop = IOLoop()
    server = FTPServer(("127.0.0.1", 0), handler, ioloop=loop)
    is_over = threading.Event()

    def serve() -> None:
        while not is_over.is_set():
            loop.loop(timeout=0.05, blocking=False)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"localhost:{server.address[1]}"
    finally:
        is_over.set()
        thread.join(10)
        server.close_all()
