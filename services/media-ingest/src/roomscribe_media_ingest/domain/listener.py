"""One track's ear: levels, gate, voice probabilities and cuts, from samples in any portion."""

from collections import deque
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from roomscribe_media_ingest.domain.config import STEP_WINDOWS, WINDOW, AudioConfig
from roomscribe_media_ingest.domain.gate import EnergyGate
from roomscribe_media_ingest.domain.segmenter import Cut, Pcm, Segmenter

STEP = STEP_WINDOWS * WINDOW
WARM_UP_STEPS = 3
"""Steps of the silence before that the model hears again when the gate opens, so that it knows the room."""
HEARD = 0.15
"""A voice this likely keeps the gate open."""


class Vad(Protocol):
    """The voice model's memory of one track."""

    def reset(self) -> None:
        """Forgets what was heard."""
        ...

    def probabilities(self, samples: NDArray[np.float32]) -> list[float]:
        """How likely each window holds speech; `samples` in ±1, a whole number of windows."""
        ...


class Listener:
    """Turns samples into cuts. All state of one track; deterministic for a given voice model."""

    def __init__(self, vad: Vad, config: AudioConfig) -> None:
        self._vad = vad
        self._gate = EnergyGate(config)
        self._segmenter = Segmenter(config)
        self._rest: Pcm = np.zeros(0, np.int16)
        self._recent: deque[NDArray[np.float32]] = deque(maxlen=WARM_UP_STEPS)
        self._listening = False
        self._heard = False

    @property
    def is_open(self) -> bool:
        """Whether an utterance is open."""
        return self._segmenter.is_open

    def take(self, pcm: Pcm) -> list[Cut]:
        """The next samples, any number of them; what does not fill a step waits."""
        pcm = np.concatenate((self._rest, pcm))
        whole = len(pcm) - len(pcm) % STEP
        self._rest = pcm[whole:]
        return [cut for at in range(0, whole, STEP) for cut in self._step(pcm[at : at + STEP])]

    def finish(self, end: int) -> list[Cut]:
        """The sentence is over at sample `end` of the track: closes the utterance, if nobody has spoken on since."""
        return self._segmenter.finish(end)

    def flush(self) -> list[Cut]:
        """Takes what waits and ends the open utterance: the track was muted, or is gone."""
        whole = len(self._rest) - len(self._rest) % WINDOW
        cuts = self._step(self._rest[:whole]) if whole else []
        cuts += self._segmenter.flush(self._rest[whole:])
        self._rest = self._rest[:0]
        return cuts

    def _step(self, pcm: Pcm) -> list[Cut]:
        samples = pcm.astype(np.float32) / np.float32(32768)
        levels = levels_db(samples)
        cuts: list[Cut] = []
        for at, (probability, level) in enumerate(zip(self._judge(samples, levels), levels, strict=True)):
            cuts += self._segmenter.push(pcm[at * WINDOW : (at + 1) * WINDOW], probability, level)
        return cuts

    def _judge(self, samples: NDArray[np.float32], levels: list[float]) -> list[float]:
        if not self._gate.is_open(levels, self._heard or self._segmenter.is_open):
            self._listening = False
            self._recent.append(samples)
            return [0.0] * len(levels)
        if not self._listening:
            self._listening = True
            self._vad.reset()
            if self._recent:
                self._vad.probabilities(np.concatenate(self._recent))
                self._recent.clear()
        probabilities = self._vad.probabilities(samples)
        self._heard = max(probabilities) > HEARD
        return probabilities


def levels_db(samples: NDArray[np.float32]) -> list[float]:
    """The loudness of each window (RMS, dBFS), at least -100."""
    framed = samples.reshape(-1, WINDOW)
    power = np.einsum("ij,ij->i", framed, framed) / WINDOW
    return [float(level) for level in 10 * np.log10(power + 1e-10)]
