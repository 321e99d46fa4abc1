"""A cache of what a plugin has read from elsewhere about each client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from geventcore.plugin.client_metadata import ClientMetadata

AnswerT = TypeVar("AnswerT")


class ClientAnswers(Generic[AnswerT]):
    """A cache with one answer for each client, read on first use."""

    def __init__(self, ask: Callable[[str], AnswerT]) -> None:
        """Read an answer by calling `ask` with the client's name. Exceptions pass through and are not cached."""
        self._ask = ask
        self._answers: dict[str, AnswerT] = {}

    def of(self, metadata: ClientMetadata) -> AnswerT:
        """Return the answer for a client: always the same one for one metadata object."""
        found: AnswerT | None = metadata.scratch.get(self)
        if found is None:
            answers = self._answers
            found = answers.get(metadata.hostname)
            if found is None:
                found = answers[metadata.hostname] = self._ask(metadata.hostname)
            metadata.scratch[self] = found
        return found

    def forget(self, hostname: str | None = None) -> None:
        """Drop the answer for one client, or all."""
        if hostname is None:
            # Replaced, not emptied: a call of `ask` that is running now stores its answer in the old one.
            self._answers = {}
        else:
            self._answers.pop(hostname, None)
