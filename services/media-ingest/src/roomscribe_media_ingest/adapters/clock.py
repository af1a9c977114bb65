"""The meeting's clock: wall time once, then the monotonic clock, so that a corrected wall clock moves no sample."""

import time
from datetime import datetime


class MeetingClock:
    """Milliseconds since the meeting's `started_at`. One per room process."""

    def __init__(self, started_at: datetime) -> None:
        self._started_unix_ms = started_at.timestamp() * 1000
        self._offset_ms = time.time() * 1000 - self._started_unix_ms - time.monotonic() * 1000

    def now_ms(self) -> float:
        """Now, from the meeting's start."""
        return time.monotonic() * 1000 + self._offset_ms

    def unix_ms(self, meeting_ms: float) -> int:
        """The same moment as Unix milliseconds."""
        return round(self._started_unix_ms + meeting_ms)
