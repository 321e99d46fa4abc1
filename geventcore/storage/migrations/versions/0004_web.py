"""Reports by time, and marks of hosts, for the web pages."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"

TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql")


def upgrade() -> None:
    op.create_index(
        "ix_geventcore_report_interaction_timestamp",
        "geventcore_report_interaction",
        ["timestamp", "host_id", "findings_id"],
    )
    op.create_table(
        "geventcore_report_mark",
        sa.Column("host_id", sa.Integer, nullable=False, autoincrement=False, comment="The client."),
        sa.Column("note", TEXT, nullable=False, comment="The text of the mark."),
        sa.Column("author", sa.String(255), nullable=False, comment="The user who set the mark."),
        sa.Column("since", sa.BigInteger, nullable=False, comment="When, in milliseconds since the epoch."),
        sa.PrimaryKeyConstraint("host_id", name="pk_geventcore_report_mark"),
        sa.ForeignKeyConstraint(
            ["host_id"],
            ["geventcore_report_host.id"],
            name="fk_geventcore_report_mark_host_id",
            ondelete="CASCADE",
        ),
        comment="Notes of administrators on clients.",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
