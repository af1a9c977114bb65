"""When an interim is worth its decode."""

FIRST_S = 0.7
"""Pre-roll and half a second of speech: a word or two."""
RETRY_S = 0.3
"""While nothing was understood yet, so the first words show as soon as they can be heard."""
SHORTEST_S = 0.6
LONGEST_S = 2.0
GROWTH = 1.25
"""A decode takes longer the longer the utterance, and one more word says less."""
BUSY_FACTOR = 2.0


class InterimPolicy:
    """Decides from the length of the audio, not from the clock, so a replay costs no more than the first time."""

    def __init__(self) -> None:
        self._next_s = FIRST_S
        self._interval_s = SHORTEST_S
        self._decoded_s = 0.0

    def due(self, audio_s: float, busy: bool) -> bool:
        """Whether to decode now; while the decode threads are `busy`, only half as often."""
        wait_s = self._next_s - self._decoded_s
        return audio_s >= self._decoded_s + wait_s * (BUSY_FACTOR if busy else 1.0)

    def decoded(self, audio_s: float, understood: bool) -> None:
        """An interim of `audio_s` was made; `understood`: it had words."""
        self._decoded_s = audio_s
        if not understood:
            self._next_s = audio_s + RETRY_S
            return
        self._next_s = audio_s + self._interval_s
        self._interval_s = min(LONGEST_S, self._interval_s * GROWTH)
