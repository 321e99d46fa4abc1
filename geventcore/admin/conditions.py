"""Conditions that need an administrator although clients are served: broken files, and certificates that expire.

They are in ``/readyz``, in the metrics, and so in ``geventcore status``.
"""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Protocol

from geventcore.core.certificates import Certificates
from geventcore.metrics.definitions import BROKEN_FILE_SINCE, BROKEN_FILES, CERTIFICATE_DAYS
from geventcore.repository.broken_files import relative_name, summary
from geventcore.repository.repository import Repository
from geventcore.tls.context import WARNING_DAYS

#: The most files with a metric of their own.
MOST_FILES = 50
SECONDS_PER_DAY = 86400


class Server(Protocol):
    """The server as its conditions see it; see `geventcore.core.network.NetworkCore`."""

    @property
    def repository(self) -> Repository:
        """The repository of configuration."""

    @property
    def certificates(self) -> Certificates:
        """The certificates of the server."""


class Conditions:
    """The conditions of a server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def broken_files(self) -> str:
        """Return what cannot be used of the repository; empty if all of it can."""
        repository = self._server.repository
        return summary(repository.file_monitor.broken_files(), repository.path)

    def certificates(self) -> str:
        """Return which certificates expire soon; empty if none does."""
        soon = [
            f"the {name} certificate {_expiry_text(days)}"
            for name, days in sorted(self._days_left().items())
            if days < WARNING_DAYS
        ]
        return "; ".join(soon)

    def _days_left(self) -> dict[str, float]:
        now = datetime.now(timezone.utc)
        ends = self._server.certificates.context.ends
        return {name: (end - now).total_seconds() / SECONDS_PER_DAY for name, end in ends.items()}

    def refresh(self) -> None:
        """Bring the metrics up to date."""
        repository = self._server.repository
        files = repository.file_monitor.broken_files()
        BROKEN_FILES.set(len(files))
        BROKEN_FILE_SINCE.reset()
        for file in files[:MOST_FILES]:
            BROKEN_FILE_SINCE.set(min(file.since, time.time()), relative_name(file, repository.path))
        CERTIFICATE_DAYS.reset()
        for name, days in self._days_left().items():
            CERTIFICATE_DAYS.set(round(days, 3), name)


def _expiry_text(days: float) -> str:
    if days < 0:
        return f"has expired {int(-days)} days ago"
    return f"expires in {int(days)} days"
