"""Copies of whole databases, made while servers use them, and putting them back.

SQLite copies itself (its backup interface). The others have programs for it, which make a copy of one moment:
``pg_dump`` and ``pg_restore``, ``mysqldump`` and ``mysql``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from geventcore.errors import StorageError
from geventcore.storage.config import DatabaseConfig

#: How many pages SQLite copies at once; others may write in between.
_PAGES = 1000
#: How long a copy waits for a lock of SQLite, in seconds.
_LOCK_SECONDS = 30.0


def copy_database(config: DatabaseConfig, target: Path) -> bool:
    """Copy a database to a new file; return false if a SQLite file does not exist.

    Raises:
        StorageError: the copy fails.
    """
    if config.is_file:
        if not os.path.exists(config.name):
            return False
        _copy_sqlite(config.name, target)
        return True
    if config.engine == "postgresql":
        arguments = [
            "pg_dump",
            "--format=custom",
            f"--file={target}",
            f"--schema={config.schema}",
            *_postgresql(config),
        ]
        _run(config, [*arguments, config.name], _postgresql_environment(config))
    else:
        with _mysql_options(config) as options, target.open("wb") as file:
            arguments = ["mysqldump", options, "--single-transaction", "--skip-lock-tables", config.name]
            _run(config, arguments, {}, stdout=file.fileno())
    return True


def restore_database(config: DatabaseConfig, source: Path) -> None:
    """Put a copy in the place of a database. No server may use it meanwhile.

    Raises:
        StorageError: that fails. A SQLite file is then as it was.
    """
    if config.is_file:
        _restore_sqlite(source, Path(config.name))
    elif config.engine == "postgresql":
        arguments = ["pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction", *_postgresql(config)]
        _run(config, [*arguments, f"--dbname={config.name}", str(source)], _postgresql_environment(config))
    else:
        with _mysql_options(config) as options, source.open("rb") as file:
            _run(config, ["mysql", options, config.name], {}, stdin=file.fileno())


def has_tables(config: DatabaseConfig) -> bool:
    """Return whether a database has tables of geventcore already."""
    from geventcore.storage import migration

    if config.is_file and not os.path.exists(config.name):
        return False
    return migration.schema_version(config).found is not None


def _copy_sqlite(source: str, target: Path) -> None:
    try:
        with (
            contextlib.closing(
                sqlite3.connect(f"{Path(source).as_uri()}?mode=ro", uri=True, timeout=_LOCK_SECONDS)
            ) as old,
            contextlib.closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new, pages=_PAGES)
            (result,) = new.execute("PRAGMA quick_check").fetchone()
            if result != "ok":
                raise StorageError(f"the database {source} is damaged: {result}")
    except sqlite3.Error as err:
        raise StorageError(f"the database {source} cannot be copied: {err}") from err


def _restore_sqlite(source: Path, target: Path) -> None:
    fresh = target.with_name(f".{target.name}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, fresh)
        reference = target if target.exists() else target.parent
        status = reference.stat()
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(fresh, status.st_uid, status.st_gid)
        fresh.chmod(status.st_mode & 0o777 if target.exists() else 0o600)
        for suffix in ("-wal", "-shm"):
            Path(f"{target}{suffix}").unlink(missing_ok=True)
        fresh.replace(target)
    except OSError as err:
        fresh.unlink(missing_ok=True)
        raise StorageError(f"the database {target} cannot be restored: {err.strerror}") from err


def _postgresql(config: DatabaseConfig) -> list[str]:
    flags = {"--host": config.host, "--port": config.port, "--username": config.user}
    return ["--no-password", *(f"{flag}={value}" for flag, value in flags.items() if value)]


def _postgresql_environment(config: DatabaseConfig) -> dict[str, str]:
    return {"PGPASSWORD": config.password} if config.password else {}


@contextlib.contextmanager
def _mysql_options(config: DatabaseConfig) -> Iterator[str]:
    """Yield the flag that names a file with the connection, which other users cannot read, unlike a command line."""
    with tempfile.NamedTemporaryFile("w", suffix=".cnf") as file:
        is_path = bool(config.host and config.host.startswith("/"))
        values = {
            "socket" if is_path else "host": config.host,
            "port": config.port,
            "user": config.user,
            "password": config.password,
        }
        lines = [f'{name} = "{value}"' for name, value in values.items() if value]
        file.write("\n".join(["[client]", *lines, ""]))
        file.flush()
        yield f"--defaults-extra-file={file.name}"


def _run(
    config: DatabaseConfig,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
) -> None:
    try:
        done = subprocess.run(
            arguments,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as err:
        raise StorageError(f"{config} cannot be copied: the program {arguments[0]} is not installed") from err
    if done.returncode:
        raise StorageError(f"{config}: {arguments[0]} failed: {' '.join(done.stderr.split())[-500:]}")
