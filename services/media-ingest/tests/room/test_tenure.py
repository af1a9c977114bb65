"""What a renewal of the lease says of what is heard."""

from datetime import UTC, datetime, timedelta

from redis.asyncio import Redis
from roomscribe_common.lease import Heard, Leases
from roomscribe_media_ingest.adapters.clock import MeetingClock
from roomscribe_media_ingest.room.tenure import Tenure

SET_BACK = timedelta(hours=1)


async def test_an_agent_that_falls_behind_says_so_also_after_the_wall_clock_was_set_back(redis_url: str):
    clock = MeetingClock(datetime.now(UTC), not_before=datetime.now(UTC) + SET_BACK)

    def heard() -> Heard:
        return Heard(1, clock.now() - timedelta(seconds=9), clock.now())

    redis = Redis.from_url(redis_url)  # pyright: ignore[reportUnknownMemberType]  # its **kwargs have no type
    try:
        leases = Leases(redis, ttl_s=30)
        assert await Tenure(leases, "mtg_1", 1, 30, heard).take()
        said = await leases.heard("mtg_1")
    finally:
        await redis.aclose()
    assert said is not None
    assert timedelta(seconds=8.9) < said.said_at - said.until < timedelta(seconds=9.1)
