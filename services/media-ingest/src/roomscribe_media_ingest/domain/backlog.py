"""What one track has said and the bus has not taken yet: bounded, oldest lost first, and the loss remembered."""

from collections import deque

from roomscribe_common.contracts.stt import SttGap

from roomscribe_media_ingest.domain.utterance import SAMPLES_PER_MS, Chunk, Outgoing


class Budget:
    """The audio all tracks of a process may keep together. Beyond it the oldest of all is lost first."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._backlogs: set[Backlog] = set()
        self.size_bytes = 0

    def take(self, backlog: "Backlog", size_bytes: int) -> None:
        """So much more is kept there, or less."""
        self.size_bytes += size_bytes
        if backlog.size_bytes:
            self._backlogs.add(backlog)
        else:
            self._backlogs.discard(backlog)

    def shed(self) -> None:
        """Drops until all fits."""
        while self.size_bytes > self._limit_bytes:
            full = [(at_ms, backlog) for backlog in self._backlogs if (at_ms := backlog.oldest_ms) is not None]
            if not full:
                return
            min(full, key=lambda each: each[0])[1].drop_oldest()


class Backlog:
    """Utterances in order, the last of them perhaps still recorded; at most `limit_bytes` of audio.

    Beyond that the oldest utterance is dropped whole, but never one that is begun: a worker may be reading it.
    Dropped neighbours become one, so an hour without a bus costs one gap, not a thousand.
    """

    def __init__(self, limit_bytes: int, budget: Budget | None = None) -> None:
        self._limit_bytes = limit_bytes
        self._budget = budget or Budget(limit_bytes)
        self._queue: deque[Outgoing] = deque()
        self.size_bytes = 0
        self.dropped_samples = 0

    @property
    def head(self) -> Outgoing | None:
        """The oldest utterance."""
        return self._queue[0] if self._queue else None

    @property
    def oldest_ms(self) -> int | None:
        """When the oldest utterance that can be dropped began; None if there is none."""
        oldest = self._droppable()
        return None if oldest is None else oldest.utterance.start_ms

    def open(self, utterance: Outgoing) -> None:
        """A new utterance; the one before it is closed."""
        self._queue.append(utterance)

    def append(self, body: bytes, *, sent_at_ms: int, pause: bool = False, speech_end: int | None = None) -> None:
        """The next chunk of the last utterance, see `Outgoing.append`."""
        recorded = self._queue[-1]
        recorded.append(body, sent_at_ms=sent_at_ms, pause=pause, speech_end=speech_end)
        self._resize(len(body))
        if recorded.dropped:
            self._empty(recorded)
            self._join(recorded)
        while self.size_bytes > self._limit_bytes and self.drop_oldest():
            pass
        self._budget.shed()

    def sent(self, utterance: Outgoing) -> Chunk:
        """The utterance's next chunk is on the bus."""
        chunk = utterance.chunks.popleft()
        self._resize(-len(chunk.body))
        return chunk

    def go_on_as(self, utterance_id: str) -> None:
        """The oldest utterance has ended with what was sent of it; what was not goes on under a new id."""
        rest = self._queue[0].rest(utterance_id)
        if not rest.silent:
            self._queue[0] = rest
            return
        self._resize(-sum(len(chunk.body) for chunk in rest.chunks))
        self._queue.popleft()

    def done(self) -> None:
        """Nothing is left of the oldest utterance."""
        self._queue.popleft()

    def clear(self) -> list[SttGap]:
        """Gives up all that is left, and says what that was."""
        gaps = [gap for utterance in self._queue if (gap := utterance.given_up()) is not None]
        for utterance in self._queue:
            self._empty(utterance)
        self._queue.clear()
        return gaps

    def drop_oldest(self) -> bool:
        """Drops one utterance; False if there is none that can be dropped."""
        victim = self._droppable()
        if victim is None:
            return False
        victim.dropped = True
        self._empty(victim)
        self._join(victim)
        return True

    def _droppable(self) -> Outgoing | None:
        return next((each for each in self._queue if not each.begun and not each.dropped), None)

    def _empty(self, utterance: Outgoing) -> None:
        size_bytes = sum(len(chunk.body) for chunk in utterance.chunks)
        self._resize(-size_bytes)
        self.dropped_samples += size_bytes // 2
        utterance.chunks.clear()

    def _resize(self, size_bytes: int) -> None:
        self.size_bytes += size_bytes
        self._budget.take(self, size_bytes)

    def _join(self, utterance: Outgoing) -> None:
        """Lengthens the dropped utterance before this one to its end, once that is known."""
        at = self._queue.index(utterance)
        before = self._queue[at - 1] if at else None
        if utterance.closed and before is not None and before.dropped and not before.begun:
            before.samples = (utterance.end_ms - before.utterance.start_ms) * SAMPLES_PER_MS
            del self._queue[at]
