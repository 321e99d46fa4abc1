"""The options of reporting. The ``[database]`` options configure the database."""

from __future__ import annotations

import zoneinfo
from datetime import tzinfo
from typing import Any

from geventcore.options import Option, types
from geventcore.options.types import ValueType
from geventcore.reporting.transports import DEFAULT_TRANSPORT, TRANSPORTS


class TimeZoneType(ValueType[tzinfo]):
    """A time zone by its name."""

    accepts = "the name of a time zone, such as Europe/Berlin or UTC"
    metavar = "ZONE"

    def parse(self, text: str) -> tzinfo:
        try:
            return zoneinfo.ZoneInfo(text.strip())
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("this machine does not know this zone") from None


TRANSPORT = Option(
    "reporting",
    "transport",
    types.choice(*TRANSPORTS),
    DEFAULT_TRANSPORT,
    "The way of reports into the database.\n\n"
    "DirectStore: the server stores them. While the database is unavailable, they wait in a journal, a directory "
    "below the repository. LocalFilesystem: the server writes them to a directory. RedisTransport: the server appends "
    "them to a list of a Redis server. With these two, 'geventcore report-collector' stores them in the database.",
    at_start=True,
)
STORAGE = Option(
    "reporting",
    "storage",
    types.choice("database", synonyms={"DjangoORM": "database"}),
    "DjangoORM",
    "The storage of reports. The only value is the database, under the name that Bcfg2 uses.",
    at_start=True,
)
FILE_LIMIT = Option(
    "reporting",
    "file_limit",
    types.SIZE,
    1 << 20,
    "The largest file difference that is stored with a report, in bytes.\n\n"
    "A hash replaces larger ones. No difference is stored for files that are marked as sensitive.",
)
MAX_CHILDREN = Option(
    "reporting",
    "max_children",
    types.integer(0, 64),
    0,
    "The number of batches that the collector stores in parallel.\n\n"
    "0 and 1 store one after the other, in the order of arrival, which is fastest with SQLite. Higher values help if "
    "the network to the database is slow.",
    flags=("--max-children",),
)
SPOOL_LIMIT = Option(
    "reporting",
    "spool_limit",
    types.size(1),
    1 << 30,
    "The largest total size of reports that wait for the database.\n\n"
    "When the limit is reached or the disk is full, the server refuses further reports, and clients get an error. A "
    "report takes one to two kilobytes, and more if it has file differences.",
)
KEEP_DAYS = Option(
    "reporting",
    "keep_days",
    types.integer(0, 36500),
    0,
    "The number of days to keep reports; 0 keeps them for ever.\n\n"
    "The server, or the collector, removes older reports once a day. 'geventcore reports purge' removes them at once.",
)
TIME_ZONE = Option(
    "reporting",
    "time_zone",
    types.optional(TimeZoneType()),
    None,
    "The time zone in the output of 'geventcore reports'. The default is the machine's time zone.",
)
REDIS_HOST = Option(
    "reporting",
    "redis_host",
    types.STRING,
    "127.0.0.1",
    "The host of the Redis server, for RedisTransport.",
    at_start=True,
)
REDIS_PORT = Option(
    "reporting", "redis_port", types.integer(1, 65535), 6379, "The TCP port of the Redis server.", at_start=True
)
REDIS_DB = Option("reporting", "redis_db", types.integer(0), 0, "The number of the Redis database.", at_start=True)
REDIS_PASSWORD = Option(
    "reporting",
    "redis_password",
    types.OPTIONAL_STRING,
    None,
    "The password of the Redis server.",
    secret=True,
    at_start=True,
)

REPORTING_OPTIONS: tuple[Option[Any], ...] = (
    *(TRANSPORT, STORAGE, FILE_LIMIT, MAX_CHILDREN, SPOOL_LIMIT, KEEP_DAYS, TIME_ZONE),
    *(REDIS_HOST, REDIS_PORT, REDIS_DB, REDIS_PASSWORD),
)
