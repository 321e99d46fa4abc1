"""The tables.

All names begin with ``geventcore_``, so that the tables can stand beside those that Bcfg2 made with Django. To add a
table, declare it on `METADATA` in the module that uses it, import that module in `geventcore.storage.tables`, and write
a migration (see `geventcore.storage`). The comments of tables and columns are the reference for administrators.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Column, DateTime, Dialect, ForeignKey, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeDecorator

PREFIX = "geventcore_"

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

#: The longest host names, probe names and group names, in characters.
NAME_LENGTH = 255

#: Options for every table: without them, MySQL would ignore case in names.
TABLE_OPTIONS: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin", "mysql_engine": "InnoDB"}


class UTCDateTime(TypeDecorator[datetime]):
    """A point in time. Takes aware datetimes and returns them in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name == "mysql":
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(timezone.utc)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(timezone.utc) if value.tzinfo else value.replace(tzinfo=timezone.utc)


def long_text() -> Text:
    """Make a column type for text of any length. MySQL's plain TEXT ends at 64 KB."""
    return Text().with_variant(mysql.LONGTEXT(), "mysql")


CLIENT = Table(
    f"{PREFIX}client",
    METADATA,
    Column("hostname", String(NAME_LENGTH), primary_key=True, comment="The client's name, in lower case."),
    Column("profile", String(NAME_LENGTH), comment="The profile that it asked for. NULL: what clients.xml says."),
    Column("auth", String(31), comment="How it has to authenticate. NULL: what clients.xml or bcfg2.conf says."),
    Column("version", String(NAME_LENGTH), comment="The version of its client program, as it was declared last."),
    Column("uuid", String(NAME_LENGTH), index=True, comment="The user name that stands for it."),
    Column("address", String(NAME_LENGTH), index=True, comment="The address that it registered from with a uuid."),
    comment="The clients of a site, with [metadata] use_database.",
    **TABLE_OPTIONS,
)

PROBE_UPLOAD = Table(
    f"{PREFIX}probe_upload",
    METADATA,
    Column("hostname", String(NAME_LENGTH), primary_key=True, comment="The client."),
    Column("timestamp", UTCDateTime(), nullable=False, comment="When it sent results last, in UTC."),
    comment="Who has sent results of probes, with [probes] use_database.",
    **TABLE_OPTIONS,
)

PROBE_RESULT = Table(
    f"{PREFIX}probe_result",
    METADATA,
    Column(
        "hostname", ForeignKey(PROBE_UPLOAD.c.hostname, ondelete="CASCADE"), primary_key=True, comment="The client."
    ),
    Column("probe", String(NAME_LENGTH), primary_key=True, comment="The name of the probe."),
    Column("data", long_text(), nullable=False, comment="What it printed, without lines that name groups."),
    comment="What probes printed.",
    **TABLE_OPTIONS,
)

PROBE_GROUP = Table(
    f"{PREFIX}probe_group",
    METADATA,
    Column(
        "hostname", ForeignKey(PROBE_UPLOAD.c.hostname, ondelete="CASCADE"), primary_key=True, comment="The client."
    ),
    Column("group_name", String(NAME_LENGTH), primary_key=True, comment="A group that a probe put it in."),
    Column("position", Integer, nullable=False, comment="Where the group stood in the upload, from 0."),
    comment="The groups that probes put clients in.",
    **TABLE_OPTIONS,
)
