"""The tables of reports.

Data that repeats is stored once and found by its digest. The findings of a host (`FINDINGS`) are mostly the same as
half an hour before, and often the same as those of other hosts. The report itself is a row with a few numbers.

The columns ``used`` hold the day when a report last referred to the row, in days since the epoch. A row without
references that was not used for some days can be removed safely: no open transaction can have found it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
)
from sqlalchemy.dialects import mysql

from geventcore.storage.report_encoding import DIGEST_BYTES
from geventcore.storage.schema import METADATA, NAME_LENGTH, PREFIX, TABLE_OPTIONS, long_text


def _bytes() -> LargeBinary:
    return LargeBinary().with_variant(mysql.LONGBLOB(), "mysql")


def _digest() -> Column[Any]:
    binary = LargeBinary(DIGEST_BYTES).with_variant(mysql.BINARY(DIGEST_BYTES), "mysql")
    return Column("digest", binary, nullable=False, unique=True, comment="Tells this row from all others.")


def _used() -> Column[Any]:
    return Column(
        "used", Integer, nullable=False, comment="When a report last referred to it, in days since the epoch."
    )


HOST = Table(
    f"{PREFIX}report_host",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("hostname", String(NAME_LENGTH), nullable=False, unique=True, comment="The client's name."),
    Column("expired", BigInteger, comment="Since when it is out of service, in milliseconds since the epoch."),
    comment="The clients that have reported.",
    **TABLE_OPTIONS,
)

ENTRY_STATE = Table(
    f"{PREFIX}report_entry_state",
    METADATA,
    Column("id", Integer, primary_key=True),
    _digest(),
    Column("entry", BigInteger, nullable=False, index=True, comment="A hash of tag and name."),
    Column("tag", long_text(), nullable=False, comment="Path, Package, Service …"),
    Column("name", long_text(), nullable=False, comment="The entry's name."),
    Column("detail", _bytes(), nullable=False, comment="How it should be and how it was found, packed."),
    _used(),
    comment="Entries as they were found on clients, each different state once.",
    **TABLE_OPTIONS,
)

FINDINGS = Table(
    f"{PREFIX}report_findings",
    METADATA,
    Column("id", Integer, primary_key=True),
    _digest(),
    Column("is_clean", Boolean, nullable=False, comment="Whether the client called its state clean."),
    Column("total", Integer, nullable=False, comment="How many entries the configuration has."),
    Column("good", Integer, nullable=False, comment="How many of them are as they should be."),
    Column("bad", Integer, nullable=False, comment="How many are not."),
    Column("modified", Integer, nullable=False, comment="How many were changed."),
    Column("extra", Integer, nullable=False, comment="How many were found that the configuration does not have."),
    Column("entries", _bytes(), nullable=False, comment="Numbers of entry states, packed."),
    _used(),
    comment="What a client found, each different result once.",
    **TABLE_OPTIONS,
)

MEMBERSHIP = Table(
    f"{PREFIX}report_membership",
    METADATA,
    Column("id", Integer, primary_key=True),
    _digest(),
    Column("profile", long_text(), comment="The client's profile."),
    Column("version", long_text(), comment="The version of its client program."),
    Column("groups", long_text(), nullable=False, comment="Names of groups, as a JSON list."),
    Column("bundles", long_text(), nullable=False, comment="Names of bundles, as a JSON list."),
    _used(),
    comment="What clients belong to, each different combination once.",
    **TABLE_OPTIONS,
)

CIRCUMSTANCES = Table(
    f"{PREFIX}report_circumstances",
    METADATA,
    Column("id", Integer, primary_key=True),
    _digest(),
    Column("server", long_text(), nullable=False, comment="The machine that took the report."),
    Column("revision", long_text(), nullable=False, comment="The revision of the repository."),
    Column("dry_run", Boolean, nullable=False, comment="Whether the client changed nothing."),
    Column("only_important", Boolean, nullable=False, comment="Whether it looked at important entries only."),
    Column("stamps", long_text(), nullable=False, comment="Names of the phases of a run, as a JSON list."),
    _used(),
    comment="Under which circumstances clients have run, each different combination once.",
    **TABLE_OPTIONS,
)

#: The key keeps the reports of a host together, because most queries read the last ones of each host.
INTERACTION = Table(
    f"{PREFIX}report_interaction",
    METADATA,
    Column("host_id", Integer, ForeignKey(HOST.c.id), primary_key=True, autoincrement=False, comment="The client."),
    Column("timestamp", BigInteger, primary_key=True, comment="When it reported, in milliseconds since the epoch."),
    Column("findings_id", Integer, nullable=False, comment="What it found."),
    Column("membership_id", Integer, nullable=False, comment="What it belonged to."),
    Column("circumstances_id", Integer, nullable=False, comment="How it ran."),
    Column("stamps", _bytes(), nullable=False, comment="When the phases of the run ended, packed."),
    comment="The reports of clients.",
    sqlite_with_rowid=False,
    **TABLE_OPTIONS,
)

#: Reports by time, with what the web pages count for each hour.
Index(
    f"ix_{PREFIX}report_interaction_timestamp",
    INTERACTION.c.timestamp,
    INTERACTION.c.host_id,
    INTERACTION.c.findings_id,
)

MARK = Table(
    f"{PREFIX}report_mark",
    METADATA,
    Column(
        "host_id",
        Integer,
        ForeignKey(HOST.c.id, ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
        comment="The client.",
    ),
    Column("note", long_text(), nullable=False, comment="The text of the mark."),
    Column("author", String(NAME_LENGTH), nullable=False, comment="The user who set the mark."),
    Column("since", BigInteger, nullable=False, comment="When, in milliseconds since the epoch."),
    comment="Notes of administrators on clients.",
    **TABLE_OPTIONS,
)
