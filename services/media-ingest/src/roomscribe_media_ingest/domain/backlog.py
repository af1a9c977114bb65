"""What one track has said and the bus has not taken yet: bounded, oldest lost first, and the loss remembered."""

from collections import deque

from roomscribe_common.contracts.stt import SttGap

from roomscribe_media_ingest.domain.utterance import SAMPLES_PER_MS, Chunk, Outgoing


class Backlog:
    """Utterances in order, the last of them perhaps still recorded; at most `limit_bytes` of audio.

    Beyond that the oldest utterance is dropped whole, but never one that is begun: a worker may be reading it.
    Dropped neighbours become one, so an hour without a bus costs one gap, not a thousand.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._queue: deque[Outgoing] = deque()
        self.size_bytes = 0
        self.dropped_samples = 0

    @property
    def head(self) -> Outgoing | None:
        """The oldest utterance."""
        return self._queue[0] if self._queue else None

    def open(self, utterance: Outgoing) -> None:
        """A new utterance; the one before it is closed."""
        self._queue.append(utterance)

    def append(self, body: bytes, *, sent_at_ms: int, pause: bool = False, speech_end: int | None = None) -> None:
        """The next chunk of the last utterance, see `Outgoing.append`."""
        recorded = self._queue[-1]
        recorded.append(body, sent_at_ms=sent_at_ms, pause=pause, speech_end=speech_end)
        self.size_bytes += len(body)
        if recorded.dropped:
            self._empty(recorded)
            self._join(recorded)
        while self.size_bytes > self._limit_bytes and self._drop_oldest():
            pass

    def sent(self, utterance: Outgoing) -> Chunk:
        """The utterance's next chunk is on the bus."""
        chunk = utterance.chunks.popleft()
        self.size_bytes -= len(chunk.body)
        return chunk

    def split_head(self, utterance_id: str) -> None:
        """The oldest utterance ends with the chunk just sent; from that chunk on it is sent under a new id."""
        self._queue.insert(1, self._queue[0].rest(utterance_id))

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

    def _drop_oldest(self) -> bool:
        victim = next((each for each in self._queue if not each.begun and not each.dropped), None)
        if victim is None:
            return False
        victim.dropped = True
        self._empty(victim)
        self._join(victim)
        return True

    def _empty(self, utterance: Outgoing) -> None:
        for chunk in utterance.chunks:
            self.size_bytes -= len(chunk.body)
            self.dropped_samples += len(chunk.body) // 2
        utterance.chunks.clear()

    def _join(self, utterance: Outgoing) -> None:
        """Lengthens the dropped utterance before this one to its end, once that is known."""
        at = self._queue.index(utterance)
        before = self._queue[at - 1] if at else None
        if utterance.closed and before is not None and before.dropped and not before.begun:
            before.samples = (utterance.end_ms - before.utterance.start_ms) * SAMPLES_PER_MS
            del self._queue[at]
