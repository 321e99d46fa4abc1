"""Refuse to start servers in a run of the tests that start none, so that no test lacks the mark ``live`` unnoticed."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import pytest

#: The expression after ``-m`` that leaves out the tests with servers.
PURE = "not live"
#: Programs that serve.
SERVERS = frozenset({"initdb", "pg_ctl", "mariadbd", "mysqld", "mariadb-install-db", "redis-server", "haproxy"})
#: Files that run Bcfg2's server.
BCFG2 = frozenset({"bcfg2-server", "run_server.py"})
#: Commands of ours that serve, or start a server.
COMMANDS = frozenset({"server", "demo", "bench", "report-collector"})


def starts_server(command: list[str]) -> bool:
    """Whether a command line starts a server; ``--help`` and ``--check`` start none."""
    if not command:
        return False
    if Path(command[0]).name in SERVERS:
        return True
    if {"--help", "--check", "--version"} & set(command):
        return False
    if any(Path(word).name in BCFG2 for word in command[:4]):
        return True
    for name, following in itertools.pairwise(command):
        if Path(name).name == "geventcore" and following in COMMANDS:
            return True
    return False


def _refuse_servers(event: str, arguments: tuple[object, ...]) -> None:
    if event != "subprocess.Popen":
        return
    found = arguments[1]
    words = [found] if isinstance(found, (str, bytes, os.PathLike)) else list(found)  # type: ignore[call-overload]
    if starts_server([os.fsdecode(word) for word in words]):
        pytest.fail(f"a test without the mark 'live' starts a server: {words}")


def refuse_servers() -> None:
    """Let every test of this process fail that starts a server."""
    sys.addaudithook(_refuse_servers)
