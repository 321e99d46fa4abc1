"""The options that say which databases there are. `reporting_engine` makes a second one, for reports only."""

from __future__ import annotations

from geventcore.options import Option, types

#: Names of engines that old configuration files have -> ours.
_SYNONYMS = {"postgresql_psycopg2": "postgresql", "mariadb": "mysql"}

_NAME_HELP = (
    "The name of the database; with sqlite3, its file.\n\n"
    "The directory of a file is made if it is missing, and has to be on a disk of this machine, not on a network file "
    "system."
)

ENGINE = Option(
    "database",
    "engine",
    types.choice("sqlite3", "postgresql", "mysql", synonyms=_SYNONYMS),
    "sqlite3",
    "The kind of database in which the server keeps what clients tell it.\n\n"
    "sqlite3 is a file, needs nothing else, and is right for one machine. postgresql is for several machines that "
    "share a database (pip install 'geventcore[postgresql]'). mysql is MariaDB, for several machines that cache "
    "no metadata (pip install 'geventcore[mysql]').",
    at_start=True,
)
NAME = Option("database", "name", types.STRING, "<repository>/etc/bcfg2.sqlite", _NAME_HELP, at_start=True)
USER = Option(
    "database",
    "user",
    types.OPTIONAL_STRING,
    None,
    "The user that the database knows the server as.\n\nWithout one, PostgreSQL takes the name of the system's user.",
    at_start=True,
)
PASSWORD = Option(
    "database",
    "password",
    types.OPTIONAL_STRING,
    None,
    "The password of the database's user.",
    secret=True,
    at_start=True,
)
HOST = Option(
    "database",
    "host",
    types.OPTIONAL_STRING,
    None,
    "The machine of the database, or the directory of its UNIX socket.\n\nWithout one, the socket of this machine.",
    at_start=True,
)
PORT = Option(
    "database",
    "port",
    types.optional(types.integer(1, 65535)),
    None,
    "The TCP port of the database, if unusual.",
    at_start=True,
)
SCHEMA = Option(
    "database",
    "schema",
    types.STRING,
    "public",
    "The schema of a PostgreSQL database in which the tables are. It has to exist.",
    at_start=True,
)
OPTIONS = Option(
    "database",
    "options",
    types.LITERAL_DICT,
    {},
    "Further settings of a connection, as the database's driver names them: {'sslmode': 'verify-full'}.",
    at_start=True,
)
TIMEOUT = Option(
    "database",
    "timeout",
    types.timeout(0.1, "60"),
    10.0,
    "For how many seconds a call waits for the database before it fails.\n\n"
    "While a database restarts, calls wait for it so long. A client gives up after 90 seconds. A single statement may "
    "take as long again, and is then ended.",
    at_start=True,
)
CONNECTIONS = Option(
    "database",
    "connections",
    types.integer(1, 100),
    8,
    "How many connections for reading each process of the server opens at most; it has one more for writing.",
    at_start=True,
)

REPORTING_ENGINE = Option(
    "database",
    "reporting_engine",
    types.optional(types.choice("sqlite3", "postgresql", "mysql", synonyms=_SYNONYMS)),
    None,
    "The kind of the database for reports, if they are to have one of their own.\n\n"
    "It is set by the options that begin with reporting_. Without it, reports are in the same database as everything "
    "else, and these options mean nothing.",
    at_start=True,
)
REPORTING_NAME = Option(
    "database", "reporting_name", types.STRING, "<repository>/etc/reporting.sqlite", _NAME_HELP, at_start=True
)
REPORTING_USER = Option(
    "database", "reporting_user", types.OPTIONAL_STRING, None, "As user, for reports.", at_start=True
)
REPORTING_PASSWORD = Option(
    "database",
    "reporting_password",
    types.OPTIONAL_STRING,
    None,
    "As password, for reports.",
    secret=True,
    at_start=True,
)
REPORTING_HOST = Option(
    "database", "reporting_host", types.OPTIONAL_STRING, None, "As host, for reports.", at_start=True
)
REPORTING_PORT = Option(
    "database",
    "reporting_port",
    types.optional(types.integer(1, 65535)),
    None,
    "As port, for reports.",
    at_start=True,
)
REPORTING_SCHEMA = Option(
    "database", "reporting_schema", types.STRING, "public", "As schema, for reports.", at_start=True
)
REPORTING_OPTIONS = Option(
    "database", "reporting_options", types.LITERAL_DICT, {}, "As options, for reports.", at_start=True
)
