"""Removing reports that are older than ``[reporting] keep_days``."""

from __future__ import annotations

import logging

from geventcore.options import Settings
from geventcore.reporting.options import KEEP_DAYS
from geventcore.storage.database import Database
from geventcore.storage.report_purging import Progress, Purge, purge
from geventcore.storage.report_queries import now_milliseconds

log = logging.getLogger(__name__)

DAY_MILLISECONDS = 86_400_000


def before_days(days: int) -> int:
    """The time so many days ago, in milliseconds since the epoch."""
    return now_milliseconds() - days * DAY_MILLISECONDS


def remove_old_reports(database: Database, settings: Settings) -> None:
    """Remove what is older than the settings say, if they say so."""
    days = settings[KEEP_DAYS]
    if not days:
        return
    *_, last = [Progress(), *purge(database, Purge(before=before_days(days)))]
    log.info("%d reports were older than %d days and are removed", last.reports, days)
