"""What becomes of a dispatch when a start is refused, fails, or comes twice; on a real Redis."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import pytest
from livekit.protocol import models
from redis.asyncio import Redis
from roomscribe_common.contracts.commands import MeetingView, StartMeeting
from roomscribe_common.errors import ProblemError, Retryable
from roomscribe_dispatcher.adapters import redis as redis_adapter
from roomscribe_dispatcher.worker import wanted
from roomscribe_dispatcher.worker.marks import Marks
from roomscribe_dispatcher.worker.placement import Placement

COMMAND = wanted.of_dispatch("", models.Room(name="planning", sid="RM_1"), "AD_1", "acme")
FULL = ProblemError.of("concurrency-limit", 429, "Full", "5 of 5 agents are in meetings")
ENDING = ProblemError.of("meeting-ending", 409, "Ending", "is about to end")
TAKEN = ProblemError.of("room-taken", 409, "Taken", "not yours")
UNAVAILABLE = ProblemError.of("unavailable", 503, "Unavailable", "Redis")


class Starts:
    """Answers each start with the next of these, and then with a new meeting."""

    def __init__(self, failures: Sequence[Exception] = ()) -> None:
        self._failures = list(failures)
        self.asked = 0

    async def __call__(self, command: StartMeeting) -> MeetingView:
        self.asked += 1
        if self._failures:
            raise self._failures.pop(0)
        return MeetingView(
            tenant=command.tenant, spec=command.spec, state="dispatching", epoch=1, requested_at=datetime.now(UTC)
        )


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    made = redis_adapter.client(redis_url)
    yield made
    await made.aclose()


async def test_what_passes_is_tried_again_until_it_is_placed(redis: Redis) -> None:
    starts = Starts([Retryable("Redis is away", delay_s=0.05), ENDING, ValueError("a bug")])
    marks = Marks(redis)
    placed = await Placement(starts, marks).place("AD_1", COMMAND)
    assert (placed.outcome, starts.asked) == ("placed", 4)
    assert await marks.decided("AD_1")


async def test_a_full_house_says_so_and_leaves_the_dispatch_to_be_tried_again(redis: Redis) -> None:
    starts, marks = Starts([FULL]), Marks(redis)
    placed = await Placement(starts, marks).place("AD_1", COMMAND)
    assert (placed.outcome, placed.detail, starts.asked) == ("full", "5 of 5 agents are in meetings", 1)
    assert not await marks.decided("AD_1")


async def test_a_refusal_is_final(redis: Redis) -> None:
    starts, marks = Starts([TAKEN]), Marks(redis)
    placed = await Placement(starts, marks).place("AD_1", COMMAND)
    assert (placed.outcome, placed.detail, starts.asked) == ("refused", "not yours", 1)
    assert await marks.decided("AD_1")


async def test_what_fails_for_longer_than_its_patience_may_be_tried_again(redis: Redis) -> None:
    starts, marks = Starts([Retryable("Redis is away", delay_s=3600), UNAVAILABLE]), Marks(redis)
    placed = await Placement(starts, marks).place("AD_1", COMMAND)
    assert (placed.outcome, placed.detail, starts.asked) == ("failed", "Redis is away", 1)
    assert not await marks.decided("AD_1")


async def test_only_one_replica_looks_at_the_rooms(redis: Redis) -> None:
    turns = [await Marks(redis).turn(30) for _ in range(3)]
    assert turns == [True, False, False]
