"""Sessions across processes, as a client that is none of Python sees them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.tls.peers import Site

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

_PROJECT = Path(__file__).parents[2]

#: Two processes that were forked from one which had made the context, each with a port of its own.
_SERVER = """
import os, socket, sys
from pathlib import Path
from time import monotonic
from geventcore.tls.context import TLSFiles, build_server_context
from geventcore.tls.stream import TLSStream
from geventcore.tls.waiter import SelectWaiter

certificate, key, ca = map(Path, sys.argv[1:])
context = build_server_context(TLSFiles(certificate, key, ca))
listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
if os.fork():
    listener = listeners[0]
    print(*(listener.getsockname()[1] for listener in listeners), flush=True)
else:
    listener = listeners[1]
    context = build_server_context(context.files, predecessor=context)
while True:
    stream = TLSStream(context, listener.accept()[0], SelectWaiter())
    stream.handshake(monotonic() + 20)
    stream.send_all(b"hello", monotonic() + 20)
    stream.receive(100, monotonic() + 20)
    stream.shutdown(monotonic() + 20)
    stream.close()
"""


@contextmanager
def two_processes(site: Site) -> Iterator[list[str]]:
    """Their ports; both end with the block."""
    command = [sys.executable, "-c", _SERVER, str(site.certificate), str(site.key), str(site.ca)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True, cwd=_PROJECT) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def connect(port: str, site: Site, version: str, *arguments: str) -> bool:
    """Connect with openssl, which says whether the session was resumed."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", f"-{version}", "-CAfile", str(site.ca)]
    # Tickets of TLS 1.3 come after the handshake: the answer is waited for, then a line is sent.
    with subprocess.Popen(
        [*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        seen = b""
        while not seen.endswith(b"hello"):
            byte = client.stdout.read(1)
            assert byte, seen
            seen += byte
        client.stdin.write(b"goodbye\n")
        client.stdin.flush()
        client.stdout.read()
    match = re.search(rb"^(New|Reused), ", seen, re.MULTILINE)
    assert match, seen
    return match[1] == b"Reused"


@pytest.mark.parametrize("version", ["tls1_2", "tls1_3"])
def test_processes_resume_the_sessions_of_each_other(tmp_path: Path, version: str) -> None:
    """Also after one of them has read its certificates again."""
    site = Site(tmp_path)
    session = str(tmp_path / "session.pem")
    with two_processes(site) as (first, second):
        assert not connect(first, site, version, "-sess_out", session)
        assert connect(second, site, version, "-sess_in", session, "-sess_out", session)
        assert connect(first, site, version, "-sess_in", session, "-sess_out", session)
    with two_processes(site) as (first, second):
        # Keys do not outlive the server: the client gets a full handshake, and notices nothing else.
        assert not connect(first, site, version, "-sess_in", session, "-sess_out", session)
        assert connect(second, site, version, "-sess_in", session)
