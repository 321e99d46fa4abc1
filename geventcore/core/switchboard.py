"""Who hears what, and who has answered: the master's part in what workers tell each other, without I/O.

What one worker tells goes to all others. When every one of them has answered, or is gone, the one that told hears that
it is done, with the answers. When a worker ends, the others hear that, since it may not have told everything. A worker
that does not answer for `PATIENCE_SECONDS` is *behind*: what is told goes to it all the same, but nobody waits for it
until it has answered everything.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from geventcore.core.frames import Frame, Kind

#: How long to wait for a worker to handle a message, in seconds. Longer than it should be busy with one thing, much
#: shorter than a client waits for its answer.
PATIENCE_SECONDS = 10.0

#: Frames to send, with the number of the worker that each is for.
Deliveries = list[tuple[int, Frame]]


@dataclass
class _Telling:
    """What one worker told, until everyone has heard it."""

    began: float
    missing: set[int]
    answers: list[bytes] = field(default_factory=list)


class Switchboard:
    """Connects workers, which have numbers."""

    def __init__(self) -> None:
        #: Worker -> how many answers it owes.
        self._workers: dict[int, int] = {}
        self._behind: set[int] = set()
        self._tellings: dict[tuple[int, int], _Telling] = {}

    def add(self, worker: int) -> None:
        """A worker that hears what is told from now on."""
        self._workers[worker] = 0

    def remove(self, worker: int) -> Deliveries:
        """A worker is gone: nobody waits for its answers, and nobody can know what it was about to tell."""
        self._workers.pop(worker, None)
        self._behind.discard(worker)
        for sender, number in [key for key in self._tellings if key[0] == worker]:
            del self._tellings[sender, number]
        gone = [(other, Frame(Kind.GONE, worker)) for other in sorted(self._workers)]
        return [*gone, *self._nobody_waits_for({worker})]

    def receive(self, worker: int, frame: Frame, now: float) -> Deliveries:
        """Take a TELL or an ANSWER from a worker; `now` is in seconds."""
        if frame.kind is Kind.TELL:
            return self._tell(worker, frame, now)
        if worker in self._workers:
            self._workers[worker] -= 1
            if not self._workers[worker]:
                self._behind.discard(worker)
        telling = self._tellings.get((frame.sender, frame.number))
        if telling is None or worker not in telling.missing:
            return []
        telling.missing.discard(worker)
        telling.answers.append(frame.payload)
        return self._finish((frame.sender, frame.number), telling)

    def find_behind(self, now: float) -> tuple[set[int], Deliveries]:
        """The workers that have fallen behind since the last time, and what that completes."""
        late = {
            worker
            for telling in self._tellings.values()
            if now - telling.began >= PATIENCE_SECONDS
            for worker in telling.missing
        }
        self._behind |= late
        return late, self._nobody_waits_for(late)

    def _nobody_waits_for(self, workers: set[int]) -> Deliveries:
        deliveries: Deliveries = []
        for key, telling in list(self._tellings.items()):
            if telling.missing & workers:
                telling.missing -= workers
                deliveries += self._finish(key, telling)
        return deliveries

    def _tell(self, worker: int, frame: Frame, now: float) -> Deliveries:
        others = sorted(self._workers.keys() - {worker})
        for other in others:
            self._workers[other] += 1
        telling = _Telling(now, set(others) - self._behind)
        self._tellings[worker, frame.number] = telling
        passed_on = Frame(Kind.TELL, worker, frame.number, frame.payload)
        return [*((other, passed_on) for other in others), *self._finish((worker, frame.number), telling)]

    def _finish(self, key: tuple[int, int], telling: _Telling) -> Deliveries:
        if telling.missing:
            return []
        del self._tellings[key]
        sender, number = key
        return [(sender, Frame(Kind.DONE, sender, number, b"[" + b",".join(telling.answers) + b"]"))]
