"""A plugin for benchmarks: in the server that loads it each upload has a commit of its own.

It has to be the first of the server's plugins.
"""

from __future__ import annotations

from geventcore.plugin.base import Plugin
from geventcore.reporting import journal
from geventcore.storage import database

database.BATCH_LIMIT = journal.BATCH_LIMIT = 1


class CommitAlone(Plugin):
    """Does nothing more."""

    creates_directory = False
