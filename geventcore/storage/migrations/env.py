"""The entry point of Alembic, which works in the transaction of `geventcore.storage.migration.upgrade`."""

from __future__ import annotations

from typing import Any

from alembic import context

from geventcore.storage.migration import VERSION_TABLE
from geventcore.storage.tables import all_tables


def tell(ctx: object, step: Any, heads: object, run_args: object) -> None:  # noqa: ARG001 - it is called with all of these
    """Pass on what has been done."""
    context.config.attributes["progress"](f"{step.up_revision_id}: {step.up_revision.doc}")


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=all_tables(),
    version_table=VERSION_TABLE,
    on_version_apply=tell,
)
context.run_migrations()
