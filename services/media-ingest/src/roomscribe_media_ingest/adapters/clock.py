"""The meeting's clock: wall time once, then the monotonic clock, so that a corrected wall clock moves no sample."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class MeetingClock:
    """Milliseconds since the meeting's `started_at`. One per room process, for every time it tells.

    `not_before` is a moment known to be past. It stands where the wall clock is behind it, as after it was set back.
    """

    def __init__(
        self,
        started_at: datetime,
        not_before: datetime | None = None,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._started_at = started_at
        self._monotonic = monotonic
        now_unix = wall() if not_before is None else max(wall(), not_before.timestamp())
        self._zero = monotonic() - (now_unix - started_at.timestamp())

    def now_ms(self) -> float:
        """Now, from the meeting's start, never less than before; below 0 where the agent came early."""
        return (self._monotonic() - self._zero) * 1000

    def now(self) -> datetime:
        """Now, as a date in UTC."""
        return (self._started_at + timedelta(milliseconds=self.now_ms())).astimezone(UTC)

    def unix_ms(self, meeting_ms: float) -> int:
        """A moment of the meeting as Unix milliseconds."""
        return round(self._started_at.timestamp() * 1000 + meeting_ms)
