"""Whether this user may write a database that is a file, or make it. Rights are looked at, and nothing is changed.

SQLite opens a file for reading that it may not write, and says so only when something is to be stored. It writes files
beside it, too, and so needs the directory.
"""

from __future__ import annotations

import os

from geventcore.errors import DatabaseUnavailable
from geventcore.storage.config import DatabaseConfig

_BESIDE = ("", "-wal", "-shm")


def why_not_writable(config: DatabaseConfig) -> str:
    """Why a file cannot be written, or be made; ``""`` if it can, or if the database is no file."""
    if not config.is_file:
        return ""
    for path in (f"{config.name}{suffix}" for suffix in _BESIDE):
        if os.path.exists(path) and not os.access(path, os.R_OK | os.W_OK):
            return f"{config}: {path} may not be written by this user"
    directory = os.path.dirname(config.name)
    while not os.path.exists(directory):
        directory = os.path.dirname(directory)
    if not os.path.isdir(directory):
        return f"{config} cannot be made: {directory} is no directory"
    if not os.access(directory, os.W_OK | os.X_OK):
        return f"{config}: the directory {directory} may not be written by this user"
    return ""


def require_writable(config: DatabaseConfig) -> None:
    """`DatabaseUnavailable` if a file cannot be written, or be made."""
    if reason := why_not_writable(config):
        raise DatabaseUnavailable(reason)
