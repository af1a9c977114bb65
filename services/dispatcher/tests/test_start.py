"""A meeting is asked for, on real NATS and Redis."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from roomscribe_common.contracts.commands import StartMeeting
from roomscribe_common.contracts.meeting import MeetingSpec
from roomscribe_common.errors import ProblemError
from roomscribe_dispatcher import domain
from roomscribe_dispatcher.adapters.store import MeetingStore

from .conftest import NOBODY_THERE, Bench, Start


async def test_a_start_is_answered_with_a_job_on_the_queue(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(livekit_url=NOBODY_THERE):
        view = await bench.start("planning", key="k1", empty_room_timeout_s=12)
    assert (view.created, view.state, view.epoch, view.tenant) == (True, "dispatching", 1, "acme")
    [job] = await bench.jobs()
    [requested] = await bench.requested()
    assert job.id == f"job:{view.spec.meeting_id}:1"
    assert job.data.identity == f"roomscribe-{view.spec.meeting_id}"
    assert (job.data.room, job.data.livekit_url) == ("planning", NOBODY_THERE)
    assert job.data.empty_room_timeout_s == requested.data.empty_room_timeout_s == 12
    assert job.data.started_at == view.started_at == requested.data.started_at
    assert requested.id == f"requested:{view.spec.meeting_id}"
    assert requested.data.idempotency_key == "k1"


async def test_a_second_start_in_the_room_answers_the_first_meeting(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        first = await bench.start("planning")
        second = await bench.start("planning")
        other_room = await bench.start("review")
    assert (second.created, second.spec.meeting_id) == (False, first.spec.meeting_id)
    assert other_room.created
    assert len(await bench.jobs()) == 2


async def test_a_room_in_which_another_tenant_has_a_meeting_is_refused_until_that_is_over(
    dispatcher: Start, bench: Bench
) -> None:
    async with dispatcher("one"), dispatcher("two"):
        first = await bench.start("planning")
        with pytest.raises(ProblemError) as refused:
            await bench.start("planning", tenant="globex")
        await bench.end(first.spec.meeting_id)
        second = await bench.start("planning", tenant="globex")
    problem = refused.value.problem
    assert (problem.status, problem.type.rsplit(":", 1)[1]) == (409, "room-taken")
    assert first.spec.meeting_id not in problem.detail
    assert second.created
    assert [job.tenant for job in await bench.jobs()] == ["globex"]
    assert [event.tenant for event in await bench.requested()] == ["acme", "globex"]


async def test_a_scheduled_meeting_does_not_join_another_tenants_meeting(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(dispatcher_placement_timeout_s=30, dispatcher_join_early_s=0.1):
        present = await bench.start("planning")
        join_at = datetime.now(UTC) + timedelta(seconds=0.3)
        scheduled = await bench.start("planning", join_at=join_at, tenant="globex")
        await bench.until(lambda: _past(join_at))
        assert [job.data.meeting_id for job in await bench.jobs()] == [present.spec.meeting_id]
        await bench.end(present.spec.meeting_id)
        job = await bench.until_job(1)
    assert job.data.meeting_id == scheduled.spec.meeting_id


async def test_racing_starts_at_two_replicas_give_one_meeting(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher("one"), dispatcher("two"):
        views = await asyncio.gather(*(bench.start("planning") for _ in range(20)))
    assert sum(view.created for view in views) == 1
    assert len({view.spec.meeting_id for view in views}) == 1
    assert len(await bench.jobs()) == 1
    assert len(await bench.requested()) == 1


async def test_the_same_idempotency_key_answers_the_same_meeting_even_once_it_is_over(
    dispatcher: Start, bench: Bench
) -> None:
    async with dispatcher("one"), dispatcher("two"):
        views = await asyncio.gather(*(bench.start(f"room {n}", key="same") for n in range(10)))
        [id] = {view.spec.meeting_id for view in views}
        assert sum(view.created for view in views) == 1
        await bench.end(id)
        again = await bench.start("planning", key="same")
    assert (again.spec.meeting_id, again.state, again.created) == (id, "ended", False)
    assert len(await bench.requested()) == 1


async def test_a_meeting_that_was_claimed_and_not_announced_is_announced_to_whoever_asks_next(
    dispatcher: Start, bench: Bench
) -> None:
    spec = MeetingSpec(meeting_id="mtg_1", room="planning")
    claimed = domain.requested(StartMeeting(tenant="acme", spec=spec), datetime.now(UTC), 60)
    async with dispatcher():
        later = datetime.now(UTC) + timedelta(hours=1)
        store = MeetingStore(bench.redis)
        assert await store.claim(claimed.model_copy(update={"epoch": 1}), later) == "created"
        assert not (await bench.start("planning")).created
    assert [event.data.meeting_id for event in await bench.requested()] == ["mtg_1"]


async def test_a_command_sent_twice_starts_one_meeting(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        await bench.start("planning", meeting_id="mtg_1")
        again = await bench.start("planning", meeting_id="mtg_1")
    assert (again.created, again.epoch) == (False, 1)
    assert len(await bench.jobs()) == 1


async def test_a_meeting_may_follow_in_a_room_whose_meeting_is_over(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        first = await bench.start("planning")
        await bench.end(first.spec.meeting_id)
        second = await bench.start("planning")
    assert second.created
    assert second.spec.meeting_id != first.spec.meeting_id


async def test_a_meeting_that_is_about_to_end_takes_no_new_caller(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        first = await bench.start("planning")
        agent = await bench.agent()
        await agent.obey()
        await bench.end(first.spec.meeting_id)
        with pytest.raises(ProblemError) as refused:
            await bench.start("planning")
        assert (refused.value.problem.status, refused.value.problem.type.rsplit(":", 1)[1]) == (409, "meeting-ending")
        await agent.leave("requested")
        await bench.until_ended()
        await bench.until(bench.settled)
        assert (await bench.start("planning")).created


async def test_a_scheduled_meeting_is_issued_in_time_and_blocks_nobody_before(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(dispatcher_join_early_s=0.5):
        join_at = datetime.now(UTC) + timedelta(seconds=4)
        scheduled = await bench.start("planning", join_at=join_at)
        assert (scheduled.state, scheduled.epoch, scheduled.started_at) == ("scheduled", 0, None)
        early = await bench.start("planning")
        assert early.created
        await bench.end(early.spec.meeting_id)
        assert await bench.jobs() == []
        job = await bench.until_job(1)
    assert job.data.meeting_id == scheduled.spec.meeting_id
    assert job.data.started_at == join_at
    assert join_at - timedelta(seconds=0.5) <= job.data.issued_at <= join_at + timedelta(seconds=2)
    told = {event.data.meeting_id: event.data.started_at for event in await bench.requested()}
    assert told == {scheduled.spec.meeting_id: None, early.spec.meeting_id: early.started_at}


async def test_a_scheduled_meeting_waits_for_its_room(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(dispatcher_placement_timeout_s=30, dispatcher_join_early_s=0.1):
        present = await bench.start("planning")
        scheduled = await bench.start("planning", join_at=datetime.now(UTC) + timedelta(seconds=0.3))
        await bench.until(lambda: _past(scheduled.spec.join_at))
        assert [job.data.meeting_id for job in await bench.jobs()] == [present.spec.meeting_id]
        await bench.end(present.spec.meeting_id)
        job = await bench.until_job(1)
    assert job.data.meeting_id == scheduled.spec.meeting_id


async def _past(moment: datetime | None) -> bool:
    return moment is not None and datetime.now(UTC) > moment + timedelta(seconds=0.3)


async def test_a_scheduled_meeting_survives_a_restart_and_a_lost_redis(dispatcher: Start, bench: Bench) -> None:
    join_at = datetime.now(UTC) + timedelta(seconds=2)
    async with dispatcher(dispatcher_join_early_s=0.5):
        scheduled = await bench.start("planning", join_at=join_at)
    await bench.redis.flushall()  # pyright: ignore[reportUnknownMemberType]  # untyped in redis-py
    async with dispatcher(dispatcher_join_early_s=0.5):
        job = await bench.until_job(1)
    assert job.data.meeting_id == scheduled.spec.meeting_id
    assert job.data.started_at == join_at
    assert job.data.issued_at >= join_at - timedelta(seconds=0.5)


async def test_without_livekit_a_start_is_refused_naming_the_setting(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(livekit_url=""):
        with pytest.raises(ProblemError, match="ROOMSCRIBE_LIVEKIT_URL") as refused:
            await bench.start("planning")
    assert refused.value.problem.status == 503


async def test_an_id_of_another_tenants_meeting_is_refused(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        await bench.start("planning", meeting_id="weekly")
        with pytest.raises(ProblemError) as refused:
            await bench.start("elsewhere", meeting_id="weekly", tenant="globex")
        assert refused.value.problem.status == 409
        again = await bench.start("planning", meeting_id="weekly")
    assert not again.created


async def test_a_timeout_that_makes_no_sense_is_refused_by_name(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        with pytest.raises(ProblemError) as refused:
            await bench.start("planning", empty_room_timeout_s=-1)
    assert [error.field for error in refused.value.problem.errors] == ["empty_room_timeout_s"]
    assert await bench.requested() == []
