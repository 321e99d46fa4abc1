"""The PostgreSQL database that benchmarks may use: the one of libpq's environment variables, if PGHOST is set.

    pg_virtualenv -o fsync=on python -m contrib.bench.storage

makes one for the duration of the command (Debian's package postgresql-common).
"""

from __future__ import annotations

import itertools
import os
import time
from typing import Any

from geventcore.storage.config import DatabaseConfig

_numbers = itertools.count()


def is_available() -> bool:
    """Return true if there is a database."""
    return "PGHOST" in os.environ


def new_config(**details: Any) -> DatabaseConfig:
    """Return the settings of a new, empty schema."""
    import psycopg

    schema = f"bench{int(time.time())}_{next(_numbers)}"
    with psycopg.connect(autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        info = connection.info
        return DatabaseConfig(
            "postgresql", info.dbname, info.user, info.password, info.host, info.port, schema, **details
        )


def database_section(config: DatabaseConfig) -> dict[str, str]:
    """Return the section ``[database]`` of a configuration file for a database."""
    names = ("engine", "name", "user", "password", "host", "port", "schema")
    return {name: str(getattr(config, name)) for name in names if getattr(config, name)}
