"""Everything that the pages read: the database, the fleet, the servers, the repository."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path

from geventcore.web.access import Access
from geventcore.web.certificates import CertificateFile
from geventcore.web.database import ReportDatabase
from geventcore.web.fleet import FleetReader
from geventcore.web.hours import HourReader
from geventcore.web.live import LiveReader
from geventcore.web.problems import ProblemReader
from geventcore.web.site import Site


@dataclass
class Services:
    """Everything that the pages read, and a few settings.

    Attributes:
        zone: time zone of times on pages; None for that of the machine.
        certificate_files: certificates whose days are counted.
        page_size: number of rows on a page.
        is_demo: whether the pages belong to a demonstration.
    """

    database: ReportDatabase
    fleet: FleetReader
    problems: ProblemReader
    hours: HourReader
    live: LiveReader
    site: Site
    access: Access
    zone: tzinfo | None = None
    page_size: int = 50
    certificate_files: tuple[CertificateFile, ...] = ()
    secret_file: Path | None = None
    session_hours: int = 12
    is_demo: bool = False
    streams: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(100))
