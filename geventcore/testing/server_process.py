"""A server as a process of its own, whatever its implementation."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import ssl
import subprocess
import time
from collections.abc import Mapping, Sequence

from geventcore.testing.site_files import ServerSite


class ServerFailed(Exception):
    """A server has ended, or does not answer; the text has the end of its log."""


class ServerProcess:
    """A server process.

    Attributes:
        site: its address and directory. The log file receives the output of the process.
        process: the process.
    """

    def __init__(self, command: Sequence[str], site: ServerSite, environ: Mapping[str, str]) -> None:
        """Start a server with a whole command line and all its environment variables."""
        self.site = site
        with site.log.open("wb") as log:
            # A session of its own, so that stop() can end whatever children it leaves behind, and nothing else.
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=site.directory,
                env=dict(environ),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process that was started: the root of the server's tree of processes."""
        return self.process.pid

    def log_tail(self, characters: int = 3000) -> str:
        """The end of what the server printed."""
        return self.site.log.read_text(errors="replace")[-characters:]

    def wait_until_serving(self, timeout: float = 60.0) -> None:
        """Return when a request gets an HTTP answer (401: it carries no password).

        Raises:
            ServerFailed: the process ended, or `timeout` seconds passed.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise ServerFailed(f"the server ended with status {self.process.returncode}:\n{self.log_tail()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._ask(max(0.1, min(5.0, deadline - time.monotonic())))
                return
            time.sleep(0.05)
        self.stop(patience=1.0)
        raise ServerFailed(f"the server did not answer within {timeout:g} s:\n{self.log_tail()}")

    def stop(self, patience: float = 30.0) -> int:
        """Ask the server to end; after `patience` seconds end it and its children. Returns the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait()

    def _ask(self, timeout: float) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.site.ca)
        connection = http.client.HTTPSConnection("127.0.0.1", self.site.port, timeout=timeout, context=context)
        with contextlib.closing(connection):
            connection.request("POST", "/RPC2", b"", {"Content-Type": "text/xml"})
            connection.getresponse().read()
