"""Files of SQLite that may not be written, or cannot be made: who says so, before something is lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from geventcore.errors import DatabaseUnavailable
from geventcore.storage import migration
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database
from geventcore.storage.inspection import check
from tests.support.project import PROJECT
from tests.support.reduced_rights import obeying_rights

#: Prints what ``db check`` complains of, for each file.
CHECK = """
import sys
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.inspection import check
for name in sys.argv[1:]:
    print(check(DatabaseConfig("sqlite3", name)))
"""
#: Opens a file as a server that has its clients there, and asks whether it is ready when the file becomes read-only.
SERVER = """
import os, sys
from geventcore.admin.database_watch import DatabaseWatch
from geventcore.core.databases import Databases
from geventcore.errors import DatabaseUnavailable
from geventcore.options.settings import default_settings
from geventcore.storage.database import call_directly
from geventcore.storage.options import NAME

def start():
    settings = default_settings({NAME: sys.argv[1]})
    databases = Databases(lambda: settings, call_directly)
    databases.main()
    return databases

databases = start()
watch = DatabaseWatch(databases)
print(repr(watch.why_not_available()))
os.chmod(sys.argv[1], 0o400)
print(repr(watch.why_not_available()))
databases.close()
try:
    start()
except DatabaseUnavailable as err:
    print(err)
"""


def run(script: str, *arguments: str) -> list[str]:
    command = obeying_rights([sys.executable, "-W", "error", "-c", script, *arguments])
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT).stdout.splitlines()


def test_a_file_cannot_be_made_below_a_file(tmp_path: Path, open_database: Callable[..., Database]) -> None:
    file = tmp_path / "file"
    file.touch()
    config = DatabaseConfig("sqlite3", str(file / "etc" / "bcfg2.sqlite"))
    assert check(config) == [f"the database {config.name} cannot be created: {file} is not a directory"]
    with pytest.raises(DatabaseUnavailable, match="the directory cannot be created"):
        migration.upgrade(config)
    with pytest.raises(DatabaseUnavailable, match="the directory cannot be created"):
        open_database(config)


def test_a_check_looks_at_rights(tmp_path: Path) -> None:
    directory = tmp_path / "etc"
    directory.mkdir()
    made, empty, missing, fine = (directory / name for name in ("made", "empty", "missing", "fine"))
    migration.upgrade(DatabaseConfig("sqlite3", str(made)))
    made.chmod(0o400)
    empty.touch(0o400)
    assert run(CHECK, *map(str, (made, fine))) == [
        f"['the database {made}: this user may not write the file or its directory']",
        "[]",
    ]
    directory.chmod(0o500)
    assert run(CHECK, *map(str, (missing, directory / "deep" / "missing"))) == [
        f"['the database {path}: this user may not write to the directory {directory}']"
        for path in (missing, directory / "deep" / "missing")
    ]
    directory.chmod(0o700)
    assert run(CHECK, str(empty))[0].startswith(f"['the database {empty}: ")


def test_a_server_does_not_start_and_is_not_ready_with_a_file_that_it_may_not_write(tmp_path: Path) -> None:
    file = tmp_path / "bcfg2.sqlite"
    problem = f"the database {file}: this user may not write {file}"
    assert run(SERVER, str(file)) == ["''", repr(problem), problem]
