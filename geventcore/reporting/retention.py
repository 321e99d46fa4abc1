"""The removal of reports older than ``[reporting] keep_days``."""

from __future__ import annotations

import logging

from geventcore.options import Settings
from geventcore.reporting.options import KEEP_DAYS
from geventcore.storage.database import Database
from geventcore.storage.report_purging import Progress, Purge, purge
from geventcore.storage.report_queries import now_milliseconds
from geventcore.units import counted

log = logging.getLogger(__name__)

DAY_MILLISECONDS = 86_400_000


def before_days(days: int) -> int:
    """Return the time a number of days ago, in milliseconds since the epoch."""
    return now_milliseconds() - days * DAY_MILLISECONDS


def remove_old_reports(database: Database, settings: Settings) -> None:
    """Remove reports older than the settings allow, if they set a limit."""
    days = settings[KEEP_DAYS]
    if not days:
        return
    *_, last = [Progress(), *purge(database, Purge(before=before_days(days)))]
    log.info("Removed %s older than %s", counted(last.reports, "report"), counted(days, "day"))
