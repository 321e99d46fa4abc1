"""The current settings of a server, and reading them again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from geventcore.errors import ConfigError
from geventcore.filemonitor import FileAction, FileEvent
from geventcore.options.settings import LoadedSettings

log = logging.getLogger(__name__)

#: How long the same message about the configuration is not logged again, in seconds: the change of a file and a signal
#: may make the server read the same mistake twice.
REPEAT_SECONDS = 5.0


class Configuration:
    """The settings that are in use, replaced as a whole by a reload.

    Attributes:
        settings: the values of options.
        logs_messages: returns whether this process logs messages about the configuration. All processes of a server
            read the same mistake; one of them has to log it.
    """

    def __init__(self, settings: LoadedSettings) -> None:
        self.settings = settings
        self.logs_messages: Callable[[], bool] = lambda: True
        self._at_start = settings
        self._reloaded_at: float | None = None
        self._logged_at: dict[str, float] = {}
        self._followers: list[Callable[[], None]] = []

    def on_change(self, follower: Callable[[], None]) -> None:
        """Have `follower` called after each reload."""
        self._followers.append(follower)

    def handle_event(self, event: FileEvent) -> None:
        """Read the configuration again after one of its files has changed."""
        if event.action in (FileAction.CHANGED, FileAction.CREATED):
            self.reload(is_wanted=False)

    def reload(self, *, is_wanted: bool = True) -> None:
        """Read the configuration again. A mistake is logged, and the settings stay as they are.

        The change of a file and a signal may announce the same edit. Unless `is_wanted`, files that are the same as
        before are not read again.
        """
        try:
            fresh = self.settings.reload()
        except ConfigError as err:
            self._reloaded_at = None
            self.log_once(f"The configuration is not reloaded: {err}")
            return
        now = time.monotonic()
        is_known = fresh.are_read_from_the_same(self.settings)
        if is_known and not is_wanted:
            return
        self.settings = fresh
        if not is_known or self._reloaded_at is None or now - self._reloaded_at > REPEAT_SECONDS:
            log.info("The configuration has been reloaded")
        self._reloaded_at = now
        late = ", ".join(option.label for option in fresh.changed_at_start(self._at_start))
        if late:
            self.log_once(f"A restart is needed before these changes count: {late}", logging.WARNING)
        for follower in self._followers:
            follower()

    def log_once(self, message: str, level: int = logging.ERROR) -> None:
        """Log a message about the configuration, unless it was logged in the last `REPEAT_SECONDS`."""
        if not self.logs_messages():
            log.debug("%s", message)
            return
        now = time.monotonic()
        self._logged_at = {text: at for text, at in self._logged_at.items() if now - at <= REPEAT_SECONDS}
        if message not in self._logged_at:
            log.log(level, "%s", message)
            self._logged_at[message] = now
