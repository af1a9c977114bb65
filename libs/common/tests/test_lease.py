import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis
from roomscribe_common.lease import Leases


@pytest.fixture
async def redis(redis_url: str) -> AsyncGenerator[Redis]:
    client = Redis.from_url(redis_url)  # pyright: ignore[reportUnknownMemberType]  # its **kwargs have no type
    yield client
    await client.aclose()


@pytest.fixture
def leases(redis: Redis) -> Leases:
    return Leases(redis, ttl_s=30)


async def expired(leases: Leases) -> None:
    """Waits until nobody holds the meeting."""
    async with asyncio.timeout(5):
        held = True
        while held:
            await asyncio.sleep(0.005)
            held = await leases.current("a") is not None


async def test_epochs_only_ever_grow_and_belong_to_their_meeting(leases: Leases):
    assert [await leases.next_epoch("a") for _ in range(3)] == [1, 2, 3]
    assert await leases.next_epoch("b") == 1


async def test_many_who_ask_at_once_get_different_epochs(leases: Leases):
    given = await asyncio.gather(*(leases.next_epoch("a") for _ in range(20)))
    assert sorted(given) == list(range(1, 21))


async def test_the_holder_renews_and_anybody_can_see_who_it_is(leases: Leases):
    epoch = await leases.next_epoch("a")
    assert await leases.current("a") is None
    assert await leases.acquire("a", epoch)
    assert await leases.renew("a", epoch) == epoch
    assert await leases.current("a") == epoch


async def test_a_higher_epoch_takes_the_lease_the_moment_it_is_given(leases: Leases):
    first = await leases.next_epoch("a")
    assert await leases.acquire("a", first)
    second = await leases.next_epoch("a")
    assert await leases.renew("a", first) == second
    assert not await leases.acquire("a", first)
    assert await leases.current("a") is None
    assert await leases.acquire("a", second)


async def test_an_expired_lease_can_be_renewed_as_long_as_nobody_was_given_a_higher_epoch(leases: Leases, redis: Redis):
    epoch = await leases.next_epoch("a")
    assert await leases.acquire("a", epoch, ttl_s=0.01)
    await expired(leases)
    assert await leases.renew("a", epoch) == epoch
    assert await leases.current("a") == epoch


async def test_a_redis_that_came_back_empty_is_told_the_epoch_again(leases: Leases, redis: Redis):
    for _ in range(3):
        await leases.next_epoch("a")
    await redis.flushall()  # pyright: ignore[reportUnknownMemberType]  # its **kwargs have no type
    assert await leases.renew("a", 3) == 3
    assert await leases.next_epoch("a") == 4


async def test_a_lease_expires_when_it_is_not_renewed(redis: Redis):
    short = Leases(redis, ttl_s=0.01)
    epoch = await short.next_epoch("a")
    await short.renew("a", epoch)
    await expired(short)


async def test_only_the_holder_can_release(leases: Leases):
    first = await leases.next_epoch("a")
    second = await leases.next_epoch("a")
    await leases.acquire("a", second)
    assert not await leases.release("a", first)
    assert await leases.current("a") == second
    assert await leases.release("a", second)
    assert await leases.current("a") is None


async def test_a_renewal_says_what_is_heard_and_the_next_epoch_can_read_it(leases: Leases):
    await leases.renew("a", 1)
    assert await leases.heard("a") is None
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    await leases.renew("a", 1, before - timedelta(seconds=9))
    await leases.next_epoch("a")
    assert await leases.renew("a", 1, datetime.now(UTC)) == 2
    heard = await leases.heard("a")
    assert heard is not None
    assert heard.epoch == 1
    assert abs(heard.until - (before - timedelta(seconds=9))) <= timedelta(milliseconds=1)
    assert before <= heard.said_at <= datetime.now(UTC)
