"""The classification of driver errors: retry now, retry later, or give up."""

from __future__ import annotations

import re
import sqlite3
from typing import Any

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from geventcore.errors import DatabaseUnavailable, SchemaMismatch, StorageError
from geventcore.storage.config import DatabaseConfig

#: SQLSTATEs of PostgreSQL after which a retry may succeed: serialisation, deadlock, lock timeout.
_REPEATABLE_STATES = frozenset({"40001", "40P01", "55P03"})
#: The same for MySQL: lock timeout, deadlock.
_REPEATABLE_NUMBERS = frozenset({1205, 1213})
#: A statement of MariaDB took too long.
_STATEMENT_TIMEOUT_NUMBER = 1969
#: A table or column that does not exist: PostgreSQL, MySQL.
_MISSING_STATES = frozenset({"42P01", "42703"})
_MISSING_NUMBERS = frozenset({1146, 1054})
#: Classes of states of PostgreSQL: no connection, no disk space or memory, shutdown or start-up, an error of the disk.
_UNAVAILABLE_CLASSES = ("08", "53", "57P", "58")
#: The same for MySQL: disk full, too many connections, out of memory, the table is full.
_UNAVAILABLE_NUMBERS = frozenset({1021, 1040, 1037, 1041, 1114, 2003, 2006, 2013})
#: The server only reads: a standby of PostgreSQL, or an administrator's setting; the same for MySQL.
_READ_ONLY_STATE = "25006"
_READ_ONLY_NUMBERS = frozenset({1290, 1792, 1836})

UPGRADE_COMMAND = "geventcore db upgrade"


class ConnectionLostError(Exception):
    """The connection was lost or cannot be opened. Nothing was stored."""


def is_lost(err: DBAPIError) -> bool:
    """Return whether the connection was lost."""
    return err.connection_invalidated or _state(err).startswith(("08", "57P"))


def is_read_only(err: DBAPIError) -> bool:
    """Return whether the server accepts no writes. A new connection may find it, or another server, writable."""
    return _state(err) == _READ_ONLY_STATE or _number(err) in _READ_ONLY_NUMBERS


def is_repeatable(err: SQLAlchemyError) -> bool:
    """Return whether the transaction conflicted with another one, so that a retry may succeed."""
    if not isinstance(err, DBAPIError):
        return False
    return _state(err) in _REPEATABLE_STATES or _number(err) in _REPEATABLE_NUMBERS


def _state(err: DBAPIError) -> str:
    return str(getattr(err.orig, "sqlstate", None) or "")


def _number(err: DBAPIError) -> Any:
    arguments = getattr(err.orig, "args", ())
    return arguments[0] if arguments else None


def one_line(err: BaseException) -> str:
    """Return the driver's message without the statement and its parameters, which may be confidential."""
    cause = getattr(err, "orig", None) or err
    return " ".join(str(cause).split()) or type(cause).__name__


def wrong_key(err: BaseException) -> str:
    """Return the key of the option that prevents a connection; ``""`` if waiting may help.

    PostgreSQL gives only texts, in the server's language. An unknown text is treated as an outage.
    """
    if isinstance(err, DBAPIError) and _number(err) in _WRONG_NUMBERS:
        return _WRONG_NUMBERS[_number(err)]
    text = one_line(err)
    return next((key for pattern, key in _WRONG_TEXTS if pattern.search(text)), "")


#: MySQL's error on connecting -> the wrong option: no such database, no rights to it, wrong password or user.
_WRONG_NUMBERS = {1049: "name", 1044: "name", 1045: "password", 1698: "user"}
#: The same for PostgreSQL and libpq, and for the drivers' functions that connect.
_WRONG_TEXTS = (
    (re.compile(r'database "[^"]*" does not exist'), "name"),
    (re.compile(r'permission denied for database "'), "name"),
    (re.compile(r'role "[^"]*" (does not exist|is not permitted to log in)'), "user"),
    (
        re.compile(r"(Peer|Ident|GSSAPI|LDAP|certificate) authentication failed for user|no pg_hba.conf entry for"),
        "user",
    ),
    (re.compile(r"password authentication failed for user|no password supplied"), "password"),
    (re.compile(r"invalid connection option|invalid keyword argument|unexpected keyword argument"), "options"),
    (re.compile(r"invalid \w+ value: \""), "options"),
)


def storage_error(err: SQLAlchemyError, config: DatabaseConfig) -> StorageError:
    """Translate a driver's error."""
    text = one_line(err)
    if not isinstance(err, DBAPIError):
        return StorageError(f"{config}: {text}")
    if _state(err) in _MISSING_STATES or _number(err) in _MISSING_NUMBERS or text.startswith("no such "):
        return SchemaMismatch(f"{config} lacks tables or columns of this version ({text}); run: {UPGRADE_COMMAND}")
    if _state(err) == "3F000":
        return StorageError(f"{config}: [database] schema = {config.schema}: the schema does not exist")
    if _state(err) == "57014" or _number(err) == _STATEMENT_TIMEOUT_NUMBER:
        return StorageError(f"{config}: a statement took longer than [database] timeout")
    if concerns_everybody(err):
        return DatabaseUnavailable(f"{config}: {_SQLITE_TEXTS.get(text, text)}")
    return StorageError(f"{config}: {text}")


def concerns_everybody(err: DBAPIError) -> bool:
    """Return whether the error is about the database, and not about the statement."""
    if isinstance(err.orig, sqlite3.Error):
        return one_line(err) in _SQLITE_TEXTS
    return (
        is_lost(err)
        or is_read_only(err)
        or is_repeatable(err)
        or _state(err).startswith(_UNAVAILABLE_CLASSES)
        or _number(err) in _UNAVAILABLE_NUMBERS
    )


#: SQLite's text -> a text for administrators.
_SQLITE_TEXTS = {
    "database is locked": "another process held the lock for longer than [database] timeout",
    "unable to open database file": "the file cannot be opened; check the rights of the file and of its directory",
    "attempt to write a readonly database": "this user may not write the file or its directory",
    "database or disk is full": "the disk is full",
    "disk I/O error": "the disk cannot be read or written",
    "database disk image is malformed": "the file is damaged",
    "file is not a database": "the file is not a database",
}
