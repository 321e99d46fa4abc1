"""The client list, and results of probes."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

NAME = sa.String(255)
TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql")
TIMESTAMP = sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql")
TABLE_OPTIONS: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin", "mysql_engine": "InnoDB"}


def upgrade() -> None:
    op.create_table(
        "geventcore_client",
        sa.Column("hostname", NAME, comment="The client's name, in lower case."),
        sa.Column("profile", NAME, comment="The profile that it asked for. NULL: what clients.xml says."),
        sa.Column(
            "auth", sa.String(31), comment="How it has to authenticate. NULL: what clients.xml or bcfg2.conf says."
        ),
        sa.Column("version", NAME, comment="The version of its client program, as it was declared last."),
        sa.Column("uuid", NAME, comment="The user name that stands for it."),
        sa.Column("address", NAME, comment="The address that it registered from with a uuid."),
        sa.PrimaryKeyConstraint("hostname", name="pk_geventcore_client"),
        comment="The clients of a site, with [metadata] use_database.",
        **TABLE_OPTIONS,
    )
    op.create_index("ix_geventcore_client_uuid", "geventcore_client", ["uuid"])
    op.create_index("ix_geventcore_client_address", "geventcore_client", ["address"])
    op.create_table(
        "geventcore_probe_upload",
        sa.Column("hostname", NAME, comment="The client."),
        sa.Column("timestamp", TIMESTAMP, nullable=False, comment="When it sent results last, in UTC."),
        sa.PrimaryKeyConstraint("hostname", name="pk_geventcore_probe_upload"),
        comment="Who has sent results of probes, with [probes] use_database.",
        **TABLE_OPTIONS,
    )
    op.create_table(
        "geventcore_probe_result",
        sa.Column("hostname", NAME, comment="The client."),
        sa.Column("probe", NAME, comment="The name of the probe."),
        sa.Column("data", TEXT, nullable=False, comment="What it printed, without lines that name groups."),
        sa.PrimaryKeyConstraint("hostname", "probe", name="pk_geventcore_probe_result"),
        sa.ForeignKeyConstraint(
            ["hostname"],
            ["geventcore_probe_upload.hostname"],
            name="fk_geventcore_probe_result_hostname",
            ondelete="CASCADE",
        ),
        comment="What probes printed.",
        **TABLE_OPTIONS,
    )
    op.create_table(
        "geventcore_probe_group",
        sa.Column("hostname", NAME, comment="The client."),
        sa.Column("group_name", NAME, comment="A group that a probe put it in."),
        sa.Column("position", sa.Integer, nullable=False, comment="Where the group stood in the upload, from 0."),
        sa.PrimaryKeyConstraint("hostname", "group_name", name="pk_geventcore_probe_group"),
        sa.ForeignKeyConstraint(
            ["hostname"],
            ["geventcore_probe_upload.hostname"],
            name="fk_geventcore_probe_group_hostname",
            ondelete="CASCADE",
        ),
        comment="The groups that probes put clients in.",
        **TABLE_OPTIONS,
    )
