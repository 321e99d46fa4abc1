"""The database options. `reporting_engine` configures a second database, for reports only."""

from __future__ import annotations

from geventcore.options import Option, types

#: Engine names in old configuration files -> our names.
_SYNONYMS = {"postgresql_psycopg2": "postgresql", "mariadb": "mysql"}

_NAME_HELP = (
    "The name of the database; with sqlite3, the path of its file.\n\n"
    "The server creates a missing directory of the file. The directory must be on a local disk, not on a network "
    "file system."
)

ENGINE = Option(
    "database",
    "engine",
    types.choice("sqlite3", "postgresql", "mysql", synonyms=_SYNONYMS),
    "sqlite3",
    "The kind of database for the client list, probe results and reports.\n\n"
    "sqlite3 is a file and the right choice for one machine. postgresql is for several machines that share a "
    "database (pip install 'geventcore[postgresql]'). mysql is MariaDB, for several machines that do not cache "
    "metadata (pip install 'geventcore[mysql]').",
    at_start=True,
)
NAME = Option("database", "name", types.STRING, "<state>/etc/bcfg2.sqlite", _NAME_HELP, at_start=True)
USER = Option(
    "database",
    "user",
    types.OPTIONAL_STRING,
    None,
    "The database user.\n\nPostgreSQL's default is the name of the system's user.",
    at_start=True,
)
PASSWORD = Option(
    "database",
    "password",
    types.OPTIONAL_STRING,
    None,
    "The password of the database user.",
    secret=True,
    at_start=True,
)
HOST = Option(
    "database",
    "host",
    types.OPTIONAL_STRING,
    None,
    "The host of the database server, or the directory of its UNIX socket.\n\nThe default is the local socket.",
    at_start=True,
)
PORT = Option(
    "database",
    "port",
    types.optional(types.integer(1, 65535)),
    None,
    "The TCP port of the database server.",
    at_start=True,
)
SCHEMA = Option(
    "database",
    "schema",
    types.STRING,
    "public",
    "The schema of the tables in a PostgreSQL database. It must exist.",
    at_start=True,
)
OPTIONS = Option(
    "database",
    "options",
    types.LITERAL_DICT,
    {},
    "Additional connection settings for the database driver, such as {'sslmode': 'verify-full'}.",
    at_start=True,
)
TIMEOUT = Option(
    "database",
    "timeout",
    types.timeout(0.1, "60"),
    10.0,
    "The longest time in seconds that a call waits for the database.\n\n"
    "Calls wait this long for a database that restarts. Clients give up after 90 seconds. The limit for a single "
    "statement is the same.",
    at_start=True,
)
CONNECTIONS = Option(
    "database",
    "connections",
    types.integer(1, 100),
    8,
    "The maximum number of connections for reading in each server process. One more is for writing.",
    at_start=True,
)

REPORTING_ENGINE = Option(
    "database",
    "reporting_engine",
    types.optional(types.choice("sqlite3", "postgresql", "mysql", synonyms=_SYNONYMS)),
    None,
    "The kind of a separate database for reports.\n\n"
    "The options that begin with reporting_ configure it. Without this option, reports are in the main database, and "
    "those options are ignored.",
    at_start=True,
)
REPORTING_NAME = Option(
    "database", "reporting_name", types.STRING, "<state>/etc/reporting.sqlite", _NAME_HELP, at_start=True
)
REPORTING_USER = Option(
    "database", "reporting_user", types.OPTIONAL_STRING, None, "Like user, for reports.", at_start=True
)
REPORTING_PASSWORD = Option(
    "database",
    "reporting_password",
    types.OPTIONAL_STRING,
    None,
    "Like password, for reports.",
    secret=True,
    at_start=True,
)
REPORTING_HOST = Option(
    "database", "reporting_host", types.OPTIONAL_STRING, None, "Like host, for reports.", at_start=True
)
REPORTING_PORT = Option(
    "database",
    "reporting_port",
    types.optional(types.integer(1, 65535)),
    None,
    "Like port, for reports.",
    at_start=True,
)
REPORTING_SCHEMA = Option(
    "database", "reporting_schema", types.STRING, "public", "Like schema, for reports.", at_start=True
)
REPORTING_OPTIONS = Option(
    "database", "reporting_options", types.LITERAL_DICT, {}, "Like options, for reports.", at_start=True
)
