"""Announcements: messages of a transaction to other servers, delivered only if it commits.

PostgreSQL delivers a notification with the commit of the transaction that sends it. So no crash and no lost connection
can separate a change from its announcement. Other databases deliver no announcements.

Each notification carries its sender (a process) and a number in the order of the commits. The numbers of a failed
commit are missing. A receiver that sees such a gap must assume that it missed a message.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from geventcore.storage.config import DatabaseConfig

#: The longest payload in bytes. PostgreSQL's limit is 8000, including the terminator.
LONGEST_PAYLOAD = 7999

_NOTIFY = text("SELECT pg_notify(:channel, payload) FROM unnest(CAST(:payloads AS text[])) AS payload")


@dataclass(frozen=True)
class Announcement:
    """A message for other servers.

    Attributes:
        topic: subject of the message. An empty topic says only that something has changed.
        message: any value that JSON can carry.
    """

    topic: str | None = None
    message: Any = None


#: An announcement after which receivers clear all their caches.
SOMETHING = Announcement()


@dataclass(frozen=True)
class Notification:
    """An announcement as a receiver gets it."""

    sender: str
    number: int
    announcement: Announcement

    def encode(self) -> str:
        """Return the payload. A message that is too long is replaced by `SOMETHING`."""
        content = {"sender": self.sender, "number": self.number}
        if self.announcement.topic is None:
            return json.dumps(content)
        payload = json.dumps({**content, "topic": self.announcement.topic, "message": self.announcement.message})
        return payload if len(payload) <= LONGEST_PAYLOAD else json.dumps(content)

    @classmethod
    def decode(cls, payload: str) -> Notification:
        """Parse a payload.

        Raises:
            ValueError, KeyError, TypeError: the payload is not one of ours.
        """
        content = json.loads(payload)
        announcement = Announcement(content["topic"], content.get("message")) if "topic" in content else SOMETHING
        return cls(str(content["sender"]), int(content["number"]), announcement)


class Announcer:
    """The announcing side of one process.

    Attributes:
        channel: channel on which the servers that share the database listen.
        sender: name of the process on this channel.
    """

    def __init__(self, config: DatabaseConfig) -> None:
        self.channel = "geventcore_" + hashlib.sha256(config.schema.encode()).hexdigest()[:16]
        self.sender = secrets.token_hex(8)
        self._number = 0

    def announce(self, connection: Connection, announcements: Sequence[Announcement]) -> None:
        """Announce messages when the transaction of the connection commits.

        A process has one announcing transaction at a time and calls this last before the commit. So the numbers are in
        the order of the commits.
        """
        payloads = []
        for announcement in announcements:
            self._number += 1
            payloads.append(Notification(self.sender, self._number, announcement).encode())
        connection.execute(_NOTIFY, {"channel": self.channel, "payloads": payloads})
