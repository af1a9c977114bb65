"""From the agent's coming to the meeting's end, on real NATS and Redis."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from nats.aio.msg import Msg
from roomscribe_common.contracts.agent import LeaveReason
from roomscribe_common.contracts.commands import Done, LeaveRoom
from roomscribe_common.errors import ProblemError
from roomscribe_common.lease import Leases
from roomscribe_common.subjects import leave_room

from .conftest import ROOM_SID, Agent, Bench, Start


async def test_the_meeting_starts_when_its_agent_is_there_and_only_once(dispatcher: Start, bench: Bench) -> None:
    await bench.forget_duplicates()
    async with dispatcher("one"), dispatcher("two"):
        view = await bench.start("planning")
        agent = await bench.agent()
        await asyncio.sleep(0.2)  # the dedupe window itself, not an effect of ours
        for _ in range(3):
            await agent.join()
        await bench.until(bench.settled)
        live = await bench.until_state(view.spec.meeting_id, "live")
    [started] = await bench.started()
    assert started.id == f"started:{view.spec.meeting_id}"
    assert (started.data.room_sid, started.data.epoch) == (ROOM_SID, 1)
    assert started.data.started_at == view.started_at
    assert started.data.joined_at >= started.data.started_at
    assert live.created is False


@pytest.mark.parametrize("reason", ["requested", "room_closed", "empty_room"])
async def test_the_meeting_ends_with_its_agent_and_only_once(
    dispatcher: Start, bench: Bench, reason: LeaveReason
) -> None:
    async with dispatcher("one"), dispatcher("two"):
        view = await bench.start("planning")
        agent = await bench.agent()
        for _ in range(3):
            await agent.leave(reason)
        ended = await bench.until_ended()
        await bench.until(bench.settled)
        await agent.leave("shutdown")
        await bench.until(bench.settled)
        over = await bench.until_state(view.spec.meeting_id, "ended")
    assert ended.id == f"ended:{view.spec.meeting_id}"
    assert (ended.data.reason, ended.data.started_at, over.epoch) == (reason, view.started_at, 1)
    assert len(await bench.ended()) == 1
    assert len(await bench.jobs()) == 0


async def test_leaving_may_be_heard_before_joining(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        await bench.start("planning")
        agent = Agent(bench, await bench.until_job(1))
        await agent.leave("empty_room")
        await bench.until_ended()
        await agent.publish_joined()
        await bench.until(bench.settled)
    assert (len(await bench.started()), len(await bench.ended())) == (1, 1)


async def test_a_request_to_end_reaches_the_agent_and_the_end_waits_for_its_last_words(
    dispatcher: Start, bench: Bench
) -> None:
    async with dispatcher():
        view = await bench.start("planning")
        agent = await bench.agent()
        await agent.obey()
        await bench.end(view.spec.meeting_id)
        await bench.end(view.spec.meeting_id)
        assert [(order.epoch, order.reason) for order in agent.orders] == [(1, "requested")] * 2
        assert await bench.ended() == []
        await agent.leave("requested")
        ended = await bench.until_ended()
    assert ended.data.reason == "requested"


async def test_a_meeting_that_nobody_joined_ends_at_once_and_its_job_is_withdrawn(
    dispatcher: Start, bench: Bench
) -> None:
    async with dispatcher():
        view = await bench.start("planning")
        late = (await bench.jobs())[0]
        await bench.end(view.spec.meeting_id)
        assert [event.data.reason for event in await bench.ended()] == ["requested"]
        assert await bench.jobs() == []
        assert not await Agent(bench, late).renew(), "the agent of a meeting that ended must not get the lease"
        await bench.end(view.spec.meeting_id)
        await bench.until_state(view.spec.meeting_id, "ended")
    assert len(await bench.ended()) == 1
    assert await bench.started() == []


async def test_an_agent_that_promised_to_leave_and_died_ends_the_meeting(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        view = await bench.start("planning")
        agent = await bench.agent(ttl_s=1)
        await agent.obey()
        await bench.end(view.spec.meeting_id)
        ended = await bench.until_ended()
    assert ended.data.reason == "requested"
    assert await bench.jobs() == []


async def test_the_end_waits_for_an_agent_that_cannot_be_told(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        view = await bench.start("planning")
        agent = await bench.agent()
        await bench.end(view.spec.meeting_id)
        assert await bench.ended() == []
        assert await agent.renew(), "it may still hold words"
        await agent.leave("requested")
        await bench.until_ended()
    assert len(await bench.ended()) == 1


async def test_the_end_waits_for_an_agent_that_is_too_busy_to_answer(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(dispatcher_leave_timeout_s=0.1):
        view = await bench.start("planning")
        agent = await bench.agent()
        busy = asyncio.Event()

        async def ordered(order: LeaveRoom) -> Done:
            await busy.wait()
            return Done()

        await bench.bus.reply(leave_room("acme", view.spec.meeting_id), ordered, LeaveRoom)
        await bench.nc.flush()
        await bench.end(view.spec.meeting_id)
        assert await bench.ended() == []
        assert await agent.renew()
        busy.set()
        await agent.leave("requested")
        await bench.until_ended()


async def test_the_end_waits_for_no_agent_whose_lease_is_gone(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(dispatcher_tick_s=10):
        view = await bench.start("planning")
        await bench.agent(ttl_s=0.2)

        async def gone() -> bool:
            return await Leases(bench.redis, 1).current(view.spec.meeting_id) is None

        await bench.until(gone)
        await bench.end(view.spec.meeting_id)
        assert len(await bench.ended()) == 1


async def test_an_agent_that_promised_to_leave_and_stays_is_fenced_off(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(dispatcher_flush_timeout_s=0.5):
        view = await bench.start("planning")
        agent = await bench.agent(ttl_s=60)
        await agent.obey()
        await bench.end(view.spec.meeting_id)
        await bench.until_ended()
        await bench.until_state(view.spec.meeting_id, "ended")
        assert not await agent.renew()


async def test_a_scheduled_meeting_can_be_ended_before_it_began(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        view = await bench.start("planning", join_at=datetime.now(UTC) + timedelta(hours=1))
        await bench.end(view.spec.meeting_id)
        ended = await bench.until_ended()
    assert ended.data.started_at is None
    assert await bench.jobs() == []


async def test_a_meeting_nobody_asked_for_cannot_be_ended(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        view = await bench.start("planning")
        with pytest.raises(ProblemError) as unknown:
            await bench.end("mtg_unknown")
        with pytest.raises(ProblemError) as foreign:
            await bench.end(view.spec.meeting_id, tenant="globex")
    assert [refused.value.problem.status for refused in (unknown, foreign)] == [404, 404]
    assert await bench.ended() == []


async def test_why_a_room_finished_is_its_agents_to_say(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        view = await bench.start("planning")
        agent = await bench.agent()
        await agent.obey()
        await bench.webhook("room_finished", "planning", ROOM_SID)
        await bench.until(lambda: bench.settled("dispatcher-livekit"))
        assert (await bench.until_state(view.spec.meeting_id, "live")).epoch == 1
        assert agent.orders == []
        await agent.leave("room_closed")
        ended = await bench.until_ended()
    assert ended.data.reason == "room_closed"


async def test_an_earlier_room_of_the_same_name_ends_nothing(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        view = await bench.start("planning")
        await bench.webhook("room_finished", "planning", "RM_before")
        await bench.until(lambda: bench.settled("dispatcher-livekit"))
        await bench.agent()
        await bench.webhook("room_finished", "planning", "RM_before")
        await bench.webhook("room_started", "planning", ROOM_SID)
        await bench.until(lambda: bench.settled("dispatcher-livekit"))
        assert (await bench.until_state(view.spec.meeting_id, "live")).epoch == 1
    assert await bench.ended() == []


async def test_an_agent_of_a_meeting_no_dispatcher_was_asked_for_is_none_of_its_business(
    dispatcher: Start, bench: Bench
) -> None:
    async with dispatcher():
        await bench.start("planning")
        agent = await bench.agent()
        stranger = Agent(bench, (await bench.jobs())[0])
        stranger.job = agent.job.model_copy(update={"meeting_id": "mtg_replayed"})
        await stranger.join()
        await stranger.leave("requested")
        await bench.until(bench.settled)
    assert len(await bench.started()) == 1
    assert await bench.ended() == []
    assert (await bench.js.stream_info("DEAD_LETTERS")).state.messages == 0


async def test_ends_that_race_end_the_meeting_once(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher("one"), dispatcher("two"):
        view = await bench.start("planning")
        agent = await bench.agent()
        await asyncio.gather(
            *(bench.end(view.spec.meeting_id) for _ in range(5)),
            agent.leave("room_closed"),
            bench.webhook("room_finished", "planning", ROOM_SID),
        )
        await bench.until_ended()
        await bench.until(bench.settled)
        await bench.until_state(view.spec.meeting_id, "ended")
    assert len(await bench.ended()) == 1


async def test_a_plain_subscriber_hears_each_step_of_a_meeting_once(dispatcher: Start, bench: Bench) -> None:
    heard: list[str] = []

    async def hear(msg: Msg) -> None:
        heard.append(msg.subject)

    await bench.nc.subscribe("meeting.v1.>", cb=hear)  # pyright: ignore[reportUnknownMemberType]  # a bare Future there
    await bench.nc.flush()
    async with dispatcher():
        view = await bench.start("planning")
        agent = await bench.agent()
        await agent.publish_joined()
        await bench.until_state(view.spec.meeting_id, "live")
        await agent.obey()
        await bench.end(view.spec.meeting_id)
        await agent.leave("requested")
        await bench.until_ended()
    await bench.nc.flush()
    assert sorted(subject.split(".")[2] for subject in heard) == ["ended", "requested", "started"]
