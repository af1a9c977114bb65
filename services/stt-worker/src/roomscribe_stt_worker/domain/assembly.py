"""Puts the chunks of one utterance in place, whatever order they come in and however often."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from roomscribe_common.contracts.audio import SAMPLE_RATE, ChunkHeaders

MAX_SAMPLES = 120 * SAMPLE_RATE
"""Utterances are cut long before this; it bounds what one may hold in memory."""
_FULL_SCALE = 32768.0


class BadChunk(ValueError):
    """A chunk that cannot be part of the utterance; the message says why."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Samples that never came: from `start` up to `end`."""

    start: int
    end: int


class Assembly:
    """The audio of an utterance as far as it is known. Missing samples are silence until they come."""

    def __init__(self, utterance_id: str) -> None:
        self._utterance_id = utterance_id
        self._buffer = np.zeros(4 * SAMPLE_RATE, np.int16)
        self._pieces: dict[int, tuple[int, int]] = {}
        self._last: ChunkHeaders | None = None
        self.length = 0
        """Samples from the utterance's start to the end of the furthest chunk."""

    def add(self, chunk: ChunkHeaders, pcm: bytes) -> bool:
        """Places a chunk; False if it was here before. Raises `BadChunk`."""
        if chunk.utterance_id != self._utterance_id:
            raise BadChunk("the chunk names another utterance than its subject")
        if len(pcm) % 2:
            raise BadChunk(f"{len(pcm)} bytes are no whole 16-bit samples")
        end = chunk.first_sample + len(pcm) // 2
        if end > MAX_SAMPLES:
            raise BadChunk(f"sample {end} is beyond the limit of {MAX_SAMPLES}")
        if chunk.seq in self._pieces:
            return False
        self._pieces[chunk.seq] = (chunk.first_sample, end)
        self._reserve(end)
        self._buffer[chunk.first_sample : end] = np.frombuffer(pcm, "<i2")
        self.length = max(self.length, end)
        if chunk.last:
            self._last = chunk
        return True

    @property
    def last(self) -> ChunkHeaders | None:
        """The last chunk, once it is here."""
        return self._last

    @property
    def end(self) -> ChunkHeaders:
        """A last chunk for an utterance that came without one."""
        seq = max(self._pieces, default=-1) + 1
        return ChunkHeaders(self._utterance_id, seq, self.length, last=True, truncated=True)

    @property
    def complete(self) -> bool:
        """Every chunk up to the last is here."""
        return self._last is not None and len(self._pieces) > self._last.seq

    @property
    def received(self) -> int:
        """Samples that came; 0 means nothing to hear."""
        return sum(end - start for start, end in self._pieces.values())

    @property
    def speech_end(self) -> int:
        """Where speech ended, in samples: what the last chunk says, else the end of what is here."""
        if self._last is None or self._last.speech_end_sample is None:
            return self.length
        return min(self._last.speech_end_sample, self.length)

    def samples(self, end: int | None = None) -> NDArray[np.float32]:
        """A copy of the audio from the start to sample `end`, ±1."""
        heard = self._buffer[: self.length if end is None else min(end, self.length)]
        return heard.astype(np.float32) / np.float32(_FULL_SCALE)

    def holes(self) -> list[Hole]:
        """Stretches no chunk covers, from the utterance's start to the furthest chunk."""
        found, at = list[Hole](), 0
        for start, end in sorted(self._pieces.values()):
            if start > at:
                found.append(Hole(at, start))
            at = max(at, end)
        return found

    def _reserve(self, end: int) -> None:
        if end > len(self._buffer):
            grown = np.zeros(min(MAX_SAMPLES, max(end, 2 * len(self._buffer))), np.int16)
            grown[: len(self._buffer)] = self._buffer
            self._buffer = grown
