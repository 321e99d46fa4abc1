"""A check of the rights to write or create a SQLite file. It changes nothing.

SQLite opens a read-only file without an error, which appears only at the first write. SQLite also writes files beside
the database, so it needs write access to the directory.
"""

from __future__ import annotations

import os

from geventcore.errors import DatabaseUnavailable
from geventcore.storage.config import DatabaseConfig

_BESIDE = ("", "-wal", "-shm")


def why_not_writable(config: DatabaseConfig) -> str:
    """Return why the file cannot be written or created; ``""`` if it can, or for other databases."""
    if not config.is_file:
        return ""
    for path in (f"{config.name}{suffix}" for suffix in _BESIDE):
        if os.path.exists(path) and not os.access(path, os.R_OK | os.W_OK):
            return f"{config}: this user may not write {path}"
    directory = os.path.dirname(config.name)
    while not os.path.exists(directory):
        directory = os.path.dirname(directory)
    if not os.path.isdir(directory):
        return f"{config} cannot be created: {directory} is not a directory"
    if not os.access(directory, os.W_OK | os.X_OK):
        return f"{config}: this user may not write to the directory {directory}"
    return ""


def require_writable(config: DatabaseConfig) -> None:
    """Check that a SQLite file can be written or created.

    Raises:
        DatabaseUnavailable: it cannot.
    """
    if reason := why_not_writable(config):
        raise DatabaseUnavailable(reason)
