"""Databases for tests: each test that takes `config` runs with every kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geventcore.storage import migration
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database

ENGINES = ["sqlite3", "postgresql", "mariadb"]
#: Long enough for a machine that is busy.
TIMEOUT = 20.0


@pytest.fixture(params=ENGINES)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseConfig:
    """A database that has no tables yet."""
    return _new_config(request, tmp_path)


def _new_config(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseConfig:
    if request.param == "sqlite3":
        return DatabaseConfig("sqlite3", str(tmp_path / "etc/bcfg2.sqlite"), timeout=TIMEOUT)
    config: DatabaseConfig = request.getfixturevalue(request.param).new_config(timeout=TIMEOUT)
    return config


@pytest.fixture(params=ENGINES)
def config(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseConfig:
    """A database with the tables of this version."""
    if request.param == "mariadb":
        prepared: DatabaseConfig = request.getfixturevalue("mariadb").config_with_tables(timeout=TIMEOUT)
        return prepared
    config = _new_config(request, tmp_path)
    migration.upgrade(config)
    return config


@pytest.fixture
def open_database() -> Iterator[Callable[..., Database]]:
    """Opens databases, which are closed at the end: ``open_database(config, offload, timeout=…)``."""
    opened: list[Database] = []

    def open_one(config: DatabaseConfig, *arguments: Any, **changes: Any) -> Database:
        opened.append(Database.open(replace(config, **changes), *arguments))
        return opened[-1]

    yield open_one
    for database in opened:
        database.close()


@pytest.fixture
def database(config: DatabaseConfig, open_database: Callable[..., Database]) -> Database:
    """The same, opened."""
    return open_database(config)
