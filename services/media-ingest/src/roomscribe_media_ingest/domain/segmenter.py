"""Cuts one track into utterances from the voice probabilities of its windows. Pure: same input, same cuts."""

from collections import deque
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from roomscribe_media_ingest.domain.config import WINDOW, AudioConfig, windows

Pcm = NDArray[np.int16]

SILENT_DB = -100.0
SPEECH_COST_DB = 20.0
"""Certain speech counts as this much louder when a split is looked for: a stop consonant is quiet, but no pause."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Somebody speaks. `first`: the utterance's first sample in the track, with pre-roll; `speech`: where that ends."""

    first: int
    speech: int


@dataclass(frozen=True, slots=True)
class Audio:
    """The next samples of the open utterance. `pause`: silence for a while, a decode may begin."""

    first: int
    pcm: Pcm
    pause: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """The utterance is over. `end`: behind its last sample; `speech_end`: behind its last speech."""

    end: int
    speech_end: int


Cut = Opened | Audio | Closed


@dataclass(frozen=True, slots=True)
class Window:
    """512 samples of the track: where they begin, how likely they are speech, how loud they are (dBFS)."""

    first: int
    pcm: Pcm
    probability: float
    level_db: float


class Segmenter:
    """Feed windows in order with `push`; `flush` ends what is open (track muted or gone).

    `_held` are windows not handed out yet: pre-roll while nothing is open; while open, the silence after a marked
    pause (so what was decoded then is all there is, if nothing follows), or what lies behind the best split so far.
    Nothing is handed out twice, and no speech is skipped.
    """

    def __init__(self, config: AudioConfig) -> None:
        self._open_at = config.open_probability
        self._close_at = config.close_probability
        self._pre_roll = windows(config.pre_roll_ms)
        self._confirm = windows(config.confirm_ms)
        self._pause = windows(config.pause_ms)
        self._close = windows(config.close_ms)
        self._close_short = windows(config.close_short_ms)
        self._short = windows(config.short_ms) * WINDOW
        self._max = windows(config.max_ms) * WINDOW
        self._search_from = self._max - windows(config.split_search_ms) * WINDOW
        self._held: deque[Window] = deque()
        self._previous: Window | None = None
        self._end = 0
        self._sent = 0
        self._reset()

    @property
    def is_open(self) -> bool:
        """Whether an utterance is open."""
        return self._first is not None

    def push(self, pcm: Pcm, probability: float, level_db: float) -> list[Cut]:
        """Takes the next `WINDOW` samples and returns what is decided by them."""
        window = Window(self._end, pcm, probability, level_db)
        self._end += len(pcm)
        self._held.append(window)
        self._count(window)
        cuts = self._listen() if self._first is None else self._continue(self._first, window)
        self._previous = window
        return cuts

    def finish(self, end: int) -> list[Cut]:
        """Closes what is open if nothing but silence came after sample `end` of the track, where a pause was marked."""
        if self._first is None or self._sent != end or self._silence < self._pause:
            return []
        cuts: list[Cut] = [self._closed()]
        self._trim()
        return cuts

    def flush(self, tail: Pcm) -> list[Cut]:
        """Ends what is open. `tail`: the samples after the last whole window, fewer than one."""
        if len(tail):
            self._held.append(Window(self._end, tail, 0.0, SILENT_DB))
            self._end += len(tail)
        cuts: list[Cut] = []
        if self._first is not None:
            if self._silence < self._pause:
                cuts += self._release(len(self._held))
            cuts.append(self._closed())
        self._held.clear()
        self._reset()
        return cuts

    def _reset(self) -> None:
        self._first: int | None = None
        self._speech = 0
        self._speech_start = 0
        self._speech_end = 0
        self._silence = 0
        self._quietest = inf

    def _count(self, window: Window) -> None:
        if window.probability >= self._open_at:
            if self._speech == 0:
                self._speech_start = window.first
            self._speech += 1
            self._silence = 0
            self._speech_end = window.first + len(window.pcm)
        elif self._first is not None and self._silence == 0 and window.probability >= self._close_at:
            self._speech_end = window.first + len(window.pcm)
        elif self._speech:
            self._silence += 1

    def _listen(self) -> list[Cut]:
        if self._speech >= self._confirm:
            return self._opened()
        if self._silence > self._pre_roll:
            self._reset()  # a click, a cough: too little of it to be a word
        if self._speech == 0:
            self._trim()
        return []

    def _continue(self, first: int, window: Window) -> list[Cut]:
        searching = self._end - first > self._search_from
        if self._silence >= (self._pause if searching else self._patience(self._speech_end - first)):
            cuts = self._release(len(self._held)) if searching and self._silence == self._pause else []
            cuts.append(self._closed())
            self._trim()
            return cuts
        if self._silence == self._pause:
            return self._release(len(self._held), pause=True)
        if self._silence > self._pause:
            return []
        if not searching:
            return self._release(len(self._held))
        return self._search(window, at_limit=self._end - first >= self._max)

    def _patience(self, spoken: int) -> int:
        return self._close_short if spoken < self._short else self._close

    def _search(self, window: Window, *, at_limit: bool) -> list[Cut]:
        """Hands out what lies before the quietest point so far, and splits there once the limit is reached."""
        cuts: list[Cut] = []
        loudness = split_cost(self._previous, window)
        if loudness <= self._quietest:
            self._quietest = loudness
            cuts += self._release(len(self._held) - 1)
        if at_limit:
            cuts.append(self._closed())
            for held in self._held:
                self._count(held)
            cuts += self._opened() if self._speech else []
        return cuts

    def _opened(self) -> list[Cut]:
        self._first = self._held[0].first
        return [Opened(self._first, self._speech_start), *self._release(len(self._held))]

    def _closed(self) -> Closed:
        closed = Closed(self._sent, min(self._speech_end, self._sent))
        self._reset()
        return closed

    def _release(self, count: int, *, pause: bool = False) -> list[Cut]:
        if not count:
            return []
        released = [self._held.popleft() for _ in range(count)]
        self._sent = released[-1].first + len(released[-1].pcm)
        pcm = released[0].pcm if count == 1 else np.concatenate([window.pcm for window in released])
        return [Audio(released[0].first, pcm, pause)]

    def _trim(self) -> None:
        while len(self._held) > self._pre_roll:
            self._held.popleft()


def split_cost(before: Window | None, after: Window) -> float:
    """How bad it is to cut between two windows: speech first, then loudness."""
    level_db, probability = after.level_db, after.probability
    if before is not None:
        level_db, probability = (level_db + before.level_db) / 2, (probability + before.probability) / 2
    return level_db + SPEECH_COST_DB * probability
