"""The file of users: a line ``name:hash`` for each, with Argon2 hashes.

The file is written as a whole, with the rights 0600. Comments are lost when a command changes it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from geventcore.errors import ConfigError, GeventcoreError
from geventcore.repository.durable_writes import make_directories, write_durably

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
#: A password shorter than this is refused, in characters.
SHORTEST_PASSWORD = 10
MODE = 0o600

_hasher = PasswordHasher()
#: A hash that no password has: an unknown user takes as much time as a wrong password.
_NOBODY = _hasher.hash("\0")


class UsersFile:
    """The users in a file. Every call reads the file, so that changes need no restart."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        """Return the names of all users, sorted."""
        return sorted(self._read())

    def has_users(self) -> bool:
        """Return whether there is a user."""
        return bool(self._read())

    def check(self, name: str, password: str) -> bool:
        """Return whether a password is that of a user."""
        known = self._read().get(name)
        try:
            return _hasher.verify(known or _NOBODY, password) and known is not None
        except (VerificationError, InvalidHashError):
            return False

    def fingerprint(self, name: str) -> str | None:
        """Return a text that changes with the password of a user; None for an unknown user."""
        known = self._read().get(name)
        return None if known is None else hashlib.sha256(known.encode()).hexdigest()[:20]

    def add(self, name: str, password: str) -> None:
        """Add a user; `GeventcoreError` if the name is taken or not allowed, or the password is too short."""
        users = self._read()
        if name in users:
            raise GeventcoreError(f"the user {name} exists; 'geventcore web user passwd {name}' sets a new password")
        if not NAME.fullmatch(name):
            raise GeventcoreError(f"invalid user name {name!r}: expected letters, digits and . _ @ -, 64 at most")
        self._write({**users, name: _hash(password)})

    def set_password(self, name: str, password: str) -> None:
        """Change the password of a user, which ends the user's sessions; `GeventcoreError` for an unknown user."""
        self.require(name)
        self._write({**self._read(), name: _hash(password)})

    def delete(self, name: str) -> None:
        """Delete a user, which ends the user's sessions; `GeventcoreError` for an unknown user."""
        self.require(name)
        users = self._read()
        self._write({other: known for other, known in users.items() if other != name})

    def require(self, name: str) -> None:
        """Raise `GeventcoreError` for an unknown user."""
        if name not in self._read():
            raise GeventcoreError(f"no user {name} in {self.path}")

    def _read(self) -> dict[str, str]:
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as err:
            raise ConfigError(f"{self.path}: cannot be read: {getattr(err, 'strerror', None) or err}") from err
        lines = (line.strip() for line in text.splitlines())
        pairs = (line.partition(":") for line in lines if line and not line.startswith("#"))
        return {name: known for name, _, known in pairs if known}

    def _write(self, users: Mapping[str, str]) -> None:
        text = "".join(f"{name}:{users[name]}\n" for name in sorted(users))
        try:
            make_directories(self.path.parent)
            write_durably(self.path, text.encode(), MODE)
            self.path.chmod(MODE)
        except OSError as err:
            raise GeventcoreError(f"{self.path}: cannot be written: {err.strerror}") from err


def _hash(password: str) -> str:
    if len(password) < SHORTEST_PASSWORD:
        raise GeventcoreError(f"the password is too short: expected at least {SHORTEST_PASSWORD} characters")
    return _hasher.hash(password)
