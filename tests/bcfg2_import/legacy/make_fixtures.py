"""Have Bcfg2 1.3.4 make the databases that the tests of the import read, and write them down as SQL.

    python -m tests.bcfg2_import.legacy.make_fixtures

It needs Python 2.7 and PostgreSQL's programs. Bcfg2 runs with Django 1.6 and South, creates its tables by its own
migrations, and stores `tests.support.legacy_contents` by its own means. The files need not be made again unless these
contents change.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from geventcore.testing.site_files import write_configuration
from tests.bcfg2_import.legacy import POSTGRESQL, SQLITE
from tests.peers.environment import LAUNCHERS, Environment, clean_environ, python2_environment
from tests.support.legacy_contents import CONTENTS, FILE_LIMIT, ZONE
from tests.support.postgresql import PostgreSQL, database_section, find_programs


def fill(environment: Environment, directory: Path, database: dict[str, str]) -> None:
    """Have Bcfg2 make its tables in an empty database, and store the contents."""
    repository = directory / "repository"
    (repository / "etc").mkdir(parents=True, exist_ok=True)
    configuration, contents = directory / "bcfg2.conf", directory / "contents.json"
    write_configuration(
        configuration,
        {
            "server": {"repository": str(repository)},
            "database": database,
            "reporting": {"time_zone": ZONE, "file_limit": FILE_LIMIT},
        },
    )
    contents.write_text(json.dumps(CONTENTS))
    subprocess.run(
        [
            str(environment.directory / "bin/python"),
            str(LAUNCHERS / "fill_database.py"),
            str(configuration),
            str(contents),
        ],
        check=True,
        env=clean_environ(),
        cwd=directory,
    )


def main() -> None:
    """Write both files."""
    environment, programs = python2_environment(database=True), find_programs()
    if environment is None or programs is None:
        sys.exit("Python 2.7 and PostgreSQL are needed")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        file = directory / "bcfg2.sqlite"
        fill(environment, directory, {"engine": "sqlite3", "name": str(file)})
        connection = sqlite3.connect(file)
        SQLITE.write_text("\n".join(connection.iterdump()) + "\n")
        connection.close()
        cluster = PostgreSQL(programs)
        try:
            config = cluster.config(cluster.new_database())
            fill(environment, directory, {**database_section(config), "engine": "postgresql_psycopg2"})
            dump = subprocess.run(
                [
                    programs / "pg_dump",
                    "--inserts",
                    "--no-owner",
                    "--no-privileges",
                    "-h",
                    config.host or "",
                    "-U",
                    config.user or "",
                    config.name,
                ],
                check=True,
                capture_output=True,
                text=True,
                env={**os.environ, "TZ": "UTC"},
            ).stdout
            lines = (
                line
                for line in dump.splitlines()
                if line and not line.startswith(("--", "SET ", "SELECT pg_catalog.set_config", "\\"))
            )
            POSTGRESQL.write_text("\n".join(lines) + "\n")
        finally:
            cluster.remove()


if __name__ == "__main__":
    main()
