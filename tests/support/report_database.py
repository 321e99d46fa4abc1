"""What tests of reports share."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """A SQLite database that nobody else can write to meanwhile: for a server it is gone."""
    connection = sqlite3.connect(database, isolation_level=None, timeout=30)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
    finally:
        connection.close()


def stored_reports(database: Path) -> list[tuple[str, int]]:
    """Host and time of every report in a SQLite database."""
    connection = sqlite3.connect(database, timeout=30)
    try:
        rows = connection.execute(
            "SELECT hostname, timestamp FROM geventcore_report_interaction JOIN geventcore_report_host ON id = host_id"
        ).fetchall()
    finally:
        connection.close()
    return sorted(rows)
