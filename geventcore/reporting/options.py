"""The options of reports. Where they are stored is a matter of the ``[database]`` options."""

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
            raise ValueError("this machine does not know it") from None


TRANSPORT = Option(
    "reporting",
    "transport",
    types.choice(*TRANSPORTS),
    DEFAULT_TRANSPORT,
    "How reports of clients get into the database.\n\n"
    "With DirectStore the server stores them; if the database is gone they wait in a journal, a directory below the "
    "repository, and are stored when it is back. With LocalFilesystem the server puts them into a directory and with "
    "RedisTransport into a list of a Redis server, and 'geventcore report-collector' stores them.",
    at_start=True,
)
STORAGE = Option(
    "reporting",
    "storage",
    types.choice("database", synonyms={"DjangoORM": "database"}),
    "DjangoORM",
    "Where reports are kept. There is one place, the database; its name is that of Bcfg2.",
    at_start=True,
)
FILE_LIMIT = Option(
    "reporting",
    "file_limit",
    types.SIZE,
    1 << 20,
    "How large a difference between files may be to be stored with a report, in bytes.\n\n"
    "Of a larger one, a hash is stored. Nothing is stored of files that are marked as sensitive.",
)
MAX_CHILDREN = Option(
    "reporting",
    "max_children",
    types.integer(0, 64),
    0,
    "How many batches of reports the collector stores at the same time.\n\n"
    "0 and 1 mean one after the other, in the order of their arrival, which is fastest with SQLite. More help if the "
    "database is far away.",
    flags=("--max-children",),
)
SPOOL_LIMIT = Option(
    "reporting",
    "spool_limit",
    types.size(1),
    1 << 30,
    "How many bytes of reports may wait for the database.\n\n"
    "When the limit is reached, or the disk is full, further reports are refused, and clients say so. A report takes "
    "one to two kilobytes, and more if it has differences of files.",
)
KEEP_DAYS = Option(
    "reporting",
    "keep_days",
    types.integer(0, 36500),
    0,
    "For how many days reports are kept; 0 for ever.\n\n"
    "Whoever stores reports (the server, or the collector) removes older ones once a day. 'geventcore reports purge' "
    "does it at once.",
)
TIME_ZONE = Option(
    "reporting",
    "time_zone",
    types.optional(TimeZoneType()),
    None,
    "The time zone of times that 'geventcore reports' shows. Without one, that of the machine.",
)
REDIS_HOST = Option(
    "reporting",
    "redis_host",
    types.STRING,
    "127.0.0.1",
    "The machine of the Redis server, for RedisTransport.",
    at_start=True,
)
REDIS_PORT = Option(
    "reporting", "redis_port", types.integer(1, 65535), 6379, "The TCP port of the Redis server.", at_start=True
)
REDIS_DB = Option(
    "reporting", "redis_db", types.integer(0), 0, "The number of the database in the Redis server.", at_start=True
)
REDIS_PASSWORD = Option(
    "reporting",
    "redis_password",
    types.OPTIONAL_STRING,
    None,
    "The password of the Redis server, if any.",
    secret=True,
    at_start=True,
)

REPORTING_OPTIONS: tuple[Option[Any], ...] = (
    *(TRANSPORT, STORAGE, FILE_LIMIT, MAX_CHILDREN, SPOOL_LIMIT, KEEP_DAYS, TIME_ZONE),
    *(REDIS_HOST, REDIS_PORT, REDIS_DB, REDIS_PASSWORD),
)
