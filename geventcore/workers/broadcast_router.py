"""Routes broadcasts between workers: the decisions of the master, without I/O.

A broadcast of one worker goes to all others. When each of them has answered, or is gone, its sender gets the answers.
When a worker ends, the others hear that, because it may have died before a broadcast. A worker that does not answer for
`PATIENCE_SECONDS` is *behind*: broadcasts still go to it, but no sender waits for it until it has answered all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from geventcore.workers.frames import Frame, Kind

#: How long a sender waits for a worker to handle a broadcast, in seconds. Longer than one should take, much shorter
#: than a client waits for its answer.
PATIENCE_SECONDS = 10.0

#: Frames to send, with the number of the worker that each is for.
Deliveries = list[tuple[int, Frame]]


@dataclass
class _Broadcast:
    """A broadcast under way: the workers that have not answered yet, and the answers of the others."""

    began: float
    missing: set[int]
    answers: list[bytes] = field(default_factory=list)


class BroadcastRouter:
    """Routes frames between workers, which have numbers."""

    def __init__(self) -> None:
        #: Worker -> how many answers it owes.
        self._workers: dict[int, int] = {}
        self._behind: set[int] = set()
        self._broadcasts: dict[tuple[int, int], _Broadcast] = {}

    def add(self, worker: int) -> None:
        """Send broadcasts to a worker from now on."""
        self._workers[worker] = 0

    def remove(self, worker: int) -> Deliveries:
        """Forget a worker that is gone: no sender waits for it, and the others hear that it has ended."""
        self._workers.pop(worker, None)
        self._behind.discard(worker)
        for sender, number in [key for key in self._broadcasts if key[0] == worker]:
            del self._broadcasts[sender, number]
        gone = [(other, Frame(Kind.GONE, worker)) for other in sorted(self._workers)]
        return [*gone, *self._stop_waiting_for({worker})]

    def receive(self, worker: int, frame: Frame, now: float) -> Deliveries:
        """Handle a TELL or an ANSWER from a worker; `now` is in seconds."""
        if frame.kind is Kind.TELL:
            return self._broadcast(worker, frame, now)
        if worker in self._workers:
            self._workers[worker] -= 1
            if not self._workers[worker]:
                self._behind.discard(worker)
        broadcast = self._broadcasts.get((frame.sender, frame.number))
        if broadcast is None or worker not in broadcast.missing:
            return []
        broadcast.missing.discard(worker)
        broadcast.answers.append(frame.payload)
        return self._finish((frame.sender, frame.number), broadcast)

    def find_behind(self, now: float) -> tuple[set[int], Deliveries]:
        """Return the workers that are newly behind, and the deliveries for senders that waited only for them."""
        late = {
            worker
            for broadcast in self._broadcasts.values()
            if now - broadcast.began >= PATIENCE_SECONDS
            for worker in broadcast.missing
        }
        self._behind |= late
        return late, self._stop_waiting_for(late)

    def _stop_waiting_for(self, workers: set[int]) -> Deliveries:
        deliveries: Deliveries = []
        for key, broadcast in list(self._broadcasts.items()):
            if broadcast.missing & workers:
                broadcast.missing -= workers
                deliveries += self._finish(key, broadcast)
        return deliveries

    def _broadcast(self, worker: int, frame: Frame, now: float) -> Deliveries:
        others = sorted(self._workers.keys() - {worker})
        for other in others:
            self._workers[other] += 1
        broadcast = _Broadcast(now, set(others) - self._behind)
        self._broadcasts[worker, frame.number] = broadcast
        forwarded = Frame(Kind.TELL, worker, frame.number, frame.payload)
        return [*((other, forwarded) for other in others), *self._finish((worker, frame.number), broadcast)]

    def _finish(self, key: tuple[int, int], broadcast: _Broadcast) -> Deliveries:
        if broadcast.missing:
            return []
        del self._broadcasts[key]
        sender, number = key
        return [(sender, Frame(Kind.DONE, sender, number, b"[" + b",".join(broadcast.answers) + b"]"))]
