"""The table of the progress of imports from Bcfg2 databases."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table
from sqlalchemy.dialects import mysql

from geventcore.storage.schema import METADATA, PREFIX, TABLE_OPTIONS, UTCDateTime, long_text


def _digest() -> LargeBinary:
    return LargeBinary(16).with_variant(mysql.BINARY(16), "mysql")


IMPORT = Table(
    f"{PREFIX}import",
    METADATA,
    Column("source", _digest(), primary_key=True, comment="Tells the database from others, wherever it is."),
    Column("part", String(31), primary_key=True, comment="clients, probes, hosts or reports."),
    Column("origin", long_text(), nullable=False, comment="Where the database was, the last time."),
    Column("position", BigInteger, nullable=False, comment="The number of the last row that was taken over."),
    Column("mark", _digest(), comment="Tells that row from others of this number in other copies."),
    Column("holes", long_text(), comment="Numbers before it that no report had yet, as a JSON list."),
    Column("zone", String(255), comment="The time zone that times were taken for. NULL: that of the machine."),
    Column("imported", Integer, nullable=False, comment="How many rows were taken over."),
    Column("known", Integer, nullable=False, comment="How many were here already."),
    Column("unreadable", Integer, nullable=False, comment="How many could not be read."),
    Column("updated", UTCDateTime(), nullable=False, comment="When that was, in UTC."),
    comment="What has been taken over from databases of Bcfg2.",
    **TABLE_OPTIONS,
)
