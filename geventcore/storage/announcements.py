"""What a transaction tells other servers: they hear it if it is committed, and only then.

PostgreSQL delivers a notification with the commit of the transaction that has sent it. So nothing comes between a
change and the word of it: neither a crash nor a connection that is lost. Other databases tell nobody.

Each notification has its sender, which is one process, and a number, in the order of the commits. A commit that fails
takes its numbers with it; whoever sees such a gap knows only that there was something to hear.
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

#: PostgreSQL's limit is 8000 bytes, the end of the text included.
LONGEST_PAYLOAD = 7999

_NOTIFY = text("SELECT pg_notify(:channel, payload) FROM unnest(CAST(:payloads AS text[])) AS payload")


@dataclass(frozen=True)
class Announcement:
    """A message for other servers.

    Attributes:
        topic: what it is about; without one, it says only that something has changed.
        message: anything that JSON can carry.
    """

    topic: str | None = None
    message: Any = None


#: Whoever hears it forgets everything.
SOMETHING = Announcement()


@dataclass(frozen=True)
class Notification:
    """An announcement as it is heard."""

    sender: str
    number: int
    announcement: Announcement

    def encode(self) -> str:
        """The payload. What is too long becomes `SOMETHING`."""
        content = {"sender": self.sender, "number": self.number}
        if self.announcement.topic is None:
            return json.dumps(content)
        payload = json.dumps({**content, "topic": self.announcement.topic, "message": self.announcement.message})
        return payload if len(payload) <= LONGEST_PAYLOAD else json.dumps(content)

    @classmethod
    def decode(cls, payload: str) -> Notification:
        """The notification of a payload; `ValueError`, `KeyError` or `TypeError` if it is none of ours."""
        content = json.loads(payload)
        announcement = Announcement(content["topic"], content.get("message")) if "topic" in content else SOMETHING
        return cls(str(content["sender"]), int(content["number"]), announcement)


class Announcer:
    """The part of one process that tells.

    Attributes:
        channel: where those listen who share the database.
        sender: what the process is called there.
    """

    def __init__(self, config: DatabaseConfig) -> None:
        self.channel = "geventcore_" + hashlib.sha256(config.schema.encode()).hexdigest()[:16]
        self.sender = secrets.token_hex(8)
        self._number = 0

    def announce(self, connection: Connection, announcements: Sequence[Announcement]) -> None:
        """Have others hear this when the transaction of the connection is committed.

        A process has one transaction that announces at a time, and this is the last thing that it does before the
        commit: so the numbers are in the order of the commits.
        """
        payloads = []
        for announcement in announcements:
            self._number += 1
            payloads.append(Notification(self.sender, self._number, announcement).encode())
        connection.execute(_NOTIFY, {"channel": self.channel, "payloads": payloads})
