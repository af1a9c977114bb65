"""The meeting's clock while the wall clock jumps."""

from datetime import UTC, datetime, timedelta

from roomscribe_media_ingest.adapters.clock import MeetingClock

STARTED = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
HOUR_S = 3_600.0


class Clocks:
    """A wall clock that can be set, and one that only goes on."""

    def __init__(self, wall: datetime) -> None:
        self.unix = wall.timestamp()
        self.monotonic = 5_000.0

    def goes_on(self, seconds: float) -> None:
        self.unix += seconds
        self.monotonic += seconds

    def clock(self, not_before: datetime | None = None) -> MeetingClock:
        return MeetingClock(STARTED, not_before, wall=lambda: self.unix, monotonic=lambda: self.monotonic)


def test_a_wall_clock_set_back_by_an_hour_moves_no_time_of_the_meeting():
    clocks = Clocks(STARTED + timedelta(seconds=90))
    clock = clocks.clock()
    assert clock.now_ms() == 90_000
    clocks.unix -= HOUR_S
    clocks.goes_on(10)
    assert clock.now_ms() == 100_000
    assert clock.now() == STARTED + timedelta(seconds=100)
    assert clock.unix_ms(clock.now_ms()) == (STARTED.timestamp() + 100) * 1000


def test_an_agent_that_comes_after_the_wall_clock_was_set_back_goes_on_from_what_is_known_to_be_past():
    clocks = Clocks(STARTED + timedelta(seconds=90) - timedelta(hours=1))
    clock = clocks.clock(not_before=STARTED + timedelta(seconds=60))
    assert clock.now_ms() == 60_000
    clocks.goes_on(1)
    assert clock.now_ms() == 61_000


def test_an_agent_that_comes_before_the_meeting_starts_counts_up_to_its_start():
    clocks = Clocks(STARTED - timedelta(seconds=3))
    clock = clocks.clock(not_before=STARTED - timedelta(seconds=4))
    assert clock.now_ms() == -3_000
    clocks.goes_on(3)
    assert clock.now_ms() == 0
