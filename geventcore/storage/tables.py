"""All tables, for migrations and for the reference of administrators."""

from __future__ import annotations

from sqlalchemy import MetaData

from geventcore.storage import import_tables, report_tables
from geventcore.storage.schema import METADATA

#: The modules that declare tables on `METADATA`, besides `geventcore.storage.schema` itself.
DECLARING_MODULES = (import_tables, report_tables)


def all_tables() -> MetaData:
    """Return the description of every table."""
    return METADATA
