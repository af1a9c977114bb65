"""When an interim is worth its decode."""

from enum import Enum

FIRST_S = 0.55
"""Pre-roll and a fifth of a second of speech: with the second chunk, a third of a second after somebody began. Of 40
utterances, the first word was right by then in half, and 0.3 s later in nine of ten."""
EVERY_S = 0.38
"""Two chunks."""
LONGEST_S = 0.57
GROWTH = 1.05
"""A decode takes longer the longer the utterance, and one more word says less."""


class Load(Enum):
    """What the decode threads have to do; the value is by how much rarer interims are."""

    FREE = 1.0
    BUSY = 3.0
    """None is idle."""
    LATE = 0.0
    """Words that stay are waiting."""


class InterimPolicy:
    """Decides from the length of the audio, not from the clock, so a replay costs no more than the first time."""

    def __init__(self) -> None:
        self._next_s = FIRST_S
        self._interval_s = EVERY_S
        self._decoded_s = 0.0

    def due(self, audio_s: float, load: Load) -> bool:
        """Whether to decode now."""
        wait_s = (self._next_s - self._decoded_s) * load.value
        return load is not Load.LATE and audio_s >= self._decoded_s + wait_s

    def decoded(self, audio_s: float) -> None:
        """An interim of `audio_s` was made."""
        self._decoded_s = audio_s
        self._next_s = audio_s + self._interval_s
        self._interval_s = min(LONGEST_S, self._interval_s * GROWTH)
