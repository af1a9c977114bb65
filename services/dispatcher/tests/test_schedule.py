"""Meetings for later: sent for early, cancelled, late and why, refused; on real NATS and Redis."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from roomscribe_common.errors import ProblemError

from .conftest import Bench, Start


def soon(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def test_the_agent_of_a_scheduled_meeting_is_sent_before_its_time(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher("one"), dispatcher("two"):
        join_at = soon(4)
        scheduled = await bench.start("planning", join_at=join_at)
        assert scheduled.state == "scheduled"
        agent = await bench.agent()
        started = await bench.until_started()
    [job] = await bench.jobs()
    assert job.data.issued_at < join_at
    assert job.data.started_at == started.data.started_at == join_at
    assert agent.job.epoch == 1
    assert (started.data.late_ms, started.data.late_reason) == (None, None)


async def test_a_scheduled_meeting_is_cancelled_and_sends_nobody(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(dispatcher_join_early_s=0.1):
        join_at = soon(1)
        cancelled = await bench.start("planning", join_at=join_at)
        other = await bench.start("review", join_at=join_at)
        await asyncio.gather(*(bench.end(cancelled.spec.meeting_id) for _ in range(3)))
        again = await bench.start("elsewhere", meeting_id=cancelled.spec.meeting_id)
        assert (again.state, again.created) == ("ended", False)
        await bench.until_job(1)
    assert [job.data.meeting_id for job in await bench.jobs()] == [other.spec.meeting_id]
    [ended] = await bench.ended()
    assert (ended.data.reason, ended.data.started_at) == ("cancelled", None)
    assert ended.data.meeting_id == cancelled.spec.meeting_id


async def test_a_cancelled_meeting_stays_cancelled_when_redis_comes_back_empty(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(dispatcher_join_early_s=0.1):
        cancelled = await bench.start("planning", join_at=soon(2))
        kept = await bench.start("review", join_at=soon(2))
        await bench.end(cancelled.spec.meeting_id)
        await bench.forget()
        await bench.until_job(1)
    assert [job.data.meeting_id for job in await bench.jobs()] == [kept.spec.meeting_id]


async def test_a_meeting_whose_room_was_taken_says_so_while_it_waits_and_when_it_begins(
    dispatcher: Start, bench: Bench
) -> None:
    async with dispatcher("one", dispatcher_join_early_s=0.1), dispatcher("two", dispatcher_join_early_s=0.1):
        await bench.start("planning")
        present = await bench.agent()
        join_at = soon(0.3)
        scheduled = await bench.start("planning", join_at=join_at)

        async def waits() -> bool:
            return bool(await bench.delayed())

        await bench.until(waits)
        [delayed] = await bench.delayed()
        assert (delayed.data.meeting_id, delayed.data.reason) == (scheduled.spec.meeting_id, "room_taken")
        assert delayed.data.at > join_at + timedelta(seconds=1)
        await present.leave("empty_room")

        async def sent() -> bool:
            return any(job.data.meeting_id == scheduled.spec.meeting_id for job in await bench.jobs())

        await bench.until(sent)
        await bench.agent()
        events = {each.data.meeting_id: each.data for each in await bench.started()}
    told = events[scheduled.spec.meeting_id]
    assert told.started_at == join_at
    assert told.late_reason == "room_taken"
    assert told.late_ms is not None
    assert told.late_ms == (told.joined_at - join_at) // timedelta(milliseconds=1) > 1000
    assert len(await bench.delayed()) == 1


async def test_a_meeting_that_no_dispatcher_was_there_for_says_so(dispatcher: Start, bench: Bench) -> None:
    join_at = soon(1)
    async with dispatcher(dispatcher_join_early_s=0.1):
        await bench.start("planning", join_at=join_at)
    await bench.until(lambda: _past(join_at + timedelta(seconds=1)))
    async with dispatcher():
        await bench.agent()
        started = await bench.until_started()
    assert started.data.late_reason == "dispatcher_away"
    assert started.data.late_ms is not None
    assert started.data.late_ms > 1000


async def _past(moment: datetime) -> bool:
    return datetime.now(UTC) > moment


async def test_a_meeting_that_waits_too_long_fails_saying_why(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(dispatcher_join_early_s=0.1, dispatcher_max_late_s=2):
        await bench.start("planning")
        await bench.agent()
        waiting = await bench.start("planning", join_at=soon(0.3))
        await bench.until_state(waiting.spec.meeting_id, "failed")
    [failed] = await bench.failed()
    assert (failed.data.meeting_id, failed.data.reason) == (waiting.spec.meeting_id, "room_taken")
    assert "Another meeting had the room" in failed.data.detail


@pytest.mark.parametrize(
    ("given", "field", "why"),
    [
        ({"join_at": datetime(2020, 1, 1, tzinfo=UTC)}, "join_at", "more than 5 minutes ago"),
        ({"join_at": soon(367 * 86_400)}, "join_at", "more than 366 days ahead"),
        ({"mode": "copilot"}, "mode", "only 'listen'"),
        ({"language": "de-AT"}, "language", "one of en"),
    ],
)
async def test_what_cannot_be_done_is_refused_by_field_and_limit(
    dispatcher: Start, bench: Bench, given: dict[str, object], field: str, why: str
) -> None:
    async with dispatcher():
        with pytest.raises(ProblemError) as refused:
            await bench.start("planning", **given)  # pyright: ignore[reportArgumentType]  # any field of a request
    problem = refused.value.problem
    assert (problem.status, [error.field for error in problem.errors]) == (422, [field])
    assert why in problem.errors[0].detail
    assert await bench.requested() == []


async def test_a_language_of_which_a_region_is_asked_for_is_understood_and_a_list_may_name_more(
    dispatcher: Start, bench: Bench
) -> None:
    async with dispatcher("one"):
        assert (await bench.start("a", language="en-GB")).created
    async with dispatcher("two", dispatcher_languages=["en", "de"]):
        assert (await bench.start("b", language="de")).created
    async with dispatcher("three", dispatcher_languages=["*"]):
        assert (await bench.start("c", language="sw")).created


async def test_a_moment_that_has_just_passed_means_now(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        view = await bench.start("planning", join_at=soon(-120))
        await bench.agent()
        started = await bench.until_started()
    assert view.state == "dispatching"
    assert (started.data.late_reason, started.data.started_at) == ("requested_late", view.started_at)


async def test_a_request_that_is_repeated_long_after_its_time_finds_its_meeting(
    dispatcher: Start, bench: Bench
) -> None:
    async with dispatcher():
        first = await bench.start("planning", key="k1", join_at=soon(60))
        again = await bench.start("planning", key="k1", join_at=soon(-3600))
    assert (again.created, again.spec.meeting_id) == (False, first.spec.meeting_id)
