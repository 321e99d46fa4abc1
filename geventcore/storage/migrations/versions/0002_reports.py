"""Reports of clients."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"

TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql")
BYTES = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql")
DIGEST = sa.LargeBinary(16).with_variant(mysql.BINARY(16), "mysql")
TABLE_OPTIONS: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin", "mysql_engine": "InnoDB"}


def create_deduplicated(name: str, comment: str, *columns: sa.Column[Any]) -> None:
    """Create a table whose rows are stored once each."""
    op.create_table(
        name,
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("digest", DIGEST, nullable=False, comment="Tells this row from all others."),
        *columns,
        sa.Column(
            "used", sa.Integer, nullable=False, comment="When a report last referred to it, in days since the epoch."
        ),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.UniqueConstraint("digest", name=f"uq_{name}_digest"),
        comment=comment,
        **TABLE_OPTIONS,
    )


def upgrade() -> None:
    op.create_table(
        "geventcore_report_host",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("hostname", sa.String(255), nullable=False, comment="The client's name."),
        sa.Column(
            "expired",
            sa.BigInteger,
            comment="Since when it is out of service, in milliseconds since the epoch.",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_geventcore_report_host"),
        sa.UniqueConstraint("hostname", name="uq_geventcore_report_host_hostname"),
        comment="The clients that have reported.",
        **TABLE_OPTIONS,
    )
    create_deduplicated(
        "geventcore_report_entry_state",
        "Entries as they were found on clients, each different state once.",
        sa.Column("entry", sa.BigInteger, nullable=False, comment="A hash of tag and name."),
        sa.Column("tag", TEXT, nullable=False, comment="Path, Package, Service …"),
        sa.Column("name", TEXT, nullable=False, comment="The entry's name."),
        sa.Column("detail", BYTES, nullable=False, comment="How it should be and how it was found, packed."),
    )
    op.create_index("ix_geventcore_report_entry_state_entry", "geventcore_report_entry_state", ["entry"])
    create_deduplicated(
        "geventcore_report_findings",
        "What a client found, each different result once.",
        sa.Column("is_clean", sa.Boolean, nullable=False, comment="Whether the client called its state clean."),
        sa.Column("total", sa.Integer, nullable=False, comment="How many entries the configuration has."),
        sa.Column("good", sa.Integer, nullable=False, comment="How many of them are as they should be."),
        sa.Column("bad", sa.Integer, nullable=False, comment="How many are not."),
        sa.Column("modified", sa.Integer, nullable=False, comment="How many were changed."),
        sa.Column(
            "extra", sa.Integer, nullable=False, comment="How many were found that the configuration does not have."
        ),
        sa.Column("entries", BYTES, nullable=False, comment="Numbers of entry states, packed."),
    )
    create_deduplicated(
        "geventcore_report_membership",
        "What clients belong to, each different combination once.",
        sa.Column("profile", TEXT, comment="The client's profile."),
        sa.Column("version", TEXT, comment="The version of its client program."),
        sa.Column("groups", TEXT, nullable=False, comment="Names of groups, as a JSON list."),
        sa.Column("bundles", TEXT, nullable=False, comment="Names of bundles, as a JSON list."),
    )
    create_deduplicated(
        "geventcore_report_circumstances",
        "Under which circumstances clients have run, each different combination once.",
        sa.Column("server", TEXT, nullable=False, comment="The machine that took the report."),
        sa.Column("revision", TEXT, nullable=False, comment="The revision of the repository."),
        sa.Column("dry_run", sa.Boolean, nullable=False, comment="Whether the client changed nothing."),
        sa.Column("only_important", sa.Boolean, nullable=False, comment="Whether it looked at important entries only."),
        sa.Column("stamps", TEXT, nullable=False, comment="Names of the phases of a run, as a JSON list."),
    )
    op.create_table(
        "geventcore_report_interaction",
        sa.Column("host_id", sa.Integer, nullable=False, autoincrement=False, comment="The client."),
        sa.Column(
            "timestamp", sa.BigInteger, nullable=False, comment="When it reported, in milliseconds since the epoch."
        ),
        sa.Column("findings_id", sa.Integer, nullable=False, comment="What it found."),
        sa.Column("membership_id", sa.Integer, nullable=False, comment="What it belonged to."),
        sa.Column("circumstances_id", sa.Integer, nullable=False, comment="How it ran."),
        sa.Column("stamps", BYTES, nullable=False, comment="When the phases of the run ended, packed."),
        sa.PrimaryKeyConstraint("host_id", "timestamp", name="pk_geventcore_report_interaction"),
        sa.ForeignKeyConstraint(
            ["host_id"], ["geventcore_report_host.id"], name="fk_geventcore_report_interaction_host_id"
        ),
        comment="The reports of clients.",
        sqlite_with_rowid=False,
        **TABLE_OPTIONS,
    )
