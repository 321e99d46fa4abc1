"""The progress of imports from Bcfg2 databases."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"

TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql")
DIGEST = sa.LargeBinary(16).with_variant(mysql.BINARY(16), "mysql")
MOMENT = sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql")


def upgrade() -> None:
    op.create_table(
        "geventcore_import",
        sa.Column("source", DIGEST, nullable=False, comment="Tells the database from others, wherever it is."),
        sa.Column("part", sa.String(31), nullable=False, comment="clients, probes, hosts or reports."),
        sa.Column("origin", TEXT, nullable=False, comment="Where the database was, the last time."),
        sa.Column("position", sa.BigInteger, nullable=False, comment="The number of the last row that was taken over."),
        sa.Column("mark", DIGEST, comment="Tells that row from others of this number in other copies."),
        sa.Column("holes", TEXT, comment="Numbers before it that no report had yet, as a JSON list."),
        sa.Column(
            "zone", sa.String(255), comment="The time zone that times were taken for. NULL: that of the machine."
        ),
        sa.Column("imported", sa.Integer, nullable=False, comment="How many rows were taken over."),
        sa.Column("known", sa.Integer, nullable=False, comment="How many were here already."),
        sa.Column("unreadable", sa.Integer, nullable=False, comment="How many could not be read."),
        sa.Column("updated", MOMENT, nullable=False, comment="When that was, in UTC."),
        sa.PrimaryKeyConstraint("source", "part", name="pk_geventcore_import"),
        comment="What has been taken over from databases of Bcfg2.",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
