"""When a sample was heard. Frames carry no time of their own: samples are counted, and the count is anchored."""

SAMPLES_PER_MS = 16
MAX_LAG_MS = 200.0
"""A count this far behind the clock has missed frames (the track was silent, the network was gone)."""


class Timeline:
    """Maps a track's samples to milliseconds since the meeting's start.

    A frame is never early, only late; so the earliest arrival seen anchors the count, and only a lag beyond what a
    busy machine causes moves the anchor forward. Times handed out never run backwards.
    """

    def __init__(self) -> None:
        self._origin_ms: float | None = None
        self._samples = 0
        self._floor_ms = 0

    def advance(self, samples: int, now_ms: float) -> None:
        """`samples` more arrived, the last of them at `now_ms`."""
        self._samples += samples
        origin_ms = now_ms - self._samples / SAMPLES_PER_MS
        if self._origin_ms is None or origin_ms < self._origin_ms or origin_ms - self._origin_ms > MAX_LAG_MS:
            self._origin_ms = origin_ms

    def start_ms(self, sample: int) -> int:
        """When this sample was heard, at the start of an utterance; not before the end of the one before."""
        return max(self._floor_ms, round((self._origin_ms or 0.0) + sample / SAMPLES_PER_MS))

    def ended(self, end_ms: int) -> None:
        """An utterance ended here; the next one starts no earlier."""
        self._floor_ms = max(self._floor_ms, end_ms)
