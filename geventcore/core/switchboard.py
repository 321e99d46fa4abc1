"""Who hears what, and who has answered: the master's part in what workers tell each other, without I/O.

What one worker tells goes to all others. When every one of them has answered, or is gone, the one that told hears that
it is done, with the answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from geventcore.core.frames import Frame, Kind

#: Frames to send, with the number of the worker that each is for.
Deliveries = list[tuple[int, Frame]]


@dataclass
class _Telling:
    """What one worker told, until everyone has heard it."""

    missing: set[int]
    answers: list[bytes] = field(default_factory=list)


class Switchboard:
    """Connects workers, which have numbers."""

    def __init__(self) -> None:
        self._workers: set[int] = set()
        self._tellings: dict[tuple[int, int], _Telling] = {}

    def add(self, worker: int) -> None:
        """A worker that hears what is told from now on."""
        self._workers.add(worker)

    def remove(self, worker: int) -> Deliveries:
        """A worker is gone: nobody waits for its answers."""
        self._workers.discard(worker)
        for sender, number in [key for key in self._tellings if key[0] == worker]:
            del self._tellings[sender, number]
        deliveries: Deliveries = []
        for key, telling in list(self._tellings.items()):
            if worker in telling.missing:
                telling.missing.discard(worker)
                deliveries += self._finish(key, telling)
        return deliveries

    def receive(self, worker: int, frame: Frame) -> Deliveries:
        """Take a TELL or an ANSWER from a worker."""
        if frame.kind is Kind.TELL:
            return self._tell(worker, frame)
        telling = self._tellings.get((frame.sender, frame.number))
        if telling is None or worker not in telling.missing:
            return []
        telling.missing.discard(worker)
        telling.answers.append(frame.payload)
        return self._finish((frame.sender, frame.number), telling)

    def _tell(self, worker: int, frame: Frame) -> Deliveries:
        others = self._workers - {worker}
        telling = _Telling(set(others))
        self._tellings[worker, frame.number] = telling
        passed_on = Frame(Kind.TELL, worker, frame.number, frame.payload)
        return [*((other, passed_on) for other in sorted(others)), *self._finish((worker, frame.number), telling)]

    def _finish(self, key: tuple[int, int], telling: _Telling) -> Deliveries:
        if telling.missing:
            return []
        del self._tellings[key]
        sender, number = key
        return [(sender, Frame(Kind.DONE, sender, number, b"[" + b",".join(telling.answers) + b"]"))]
