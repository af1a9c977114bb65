"""Agents whose loss is told, or not; rooms that close and open; a LiveKit and dispatchers that were away."""

from datetime import UTC, datetime, timedelta

from roomscribe_common.contracts.agent import AgentHeartbeat, AgentHeartbeatData, Counters
from roomscribe_common.testing.providers import Servers

from .conftest import ROOM_SID, Agent, Bench, Start

MOMENT = timedelta(milliseconds=5)


async def crash(agent: Agent) -> datetime:
    """As its node says it: the lease is still held."""
    at = datetime.now(UTC)
    await agent.say_left("crashed", left_at=at)
    return at


async def beat(agent: Agent) -> None:
    data = AgentHeartbeatData(**dict(agent.ref()), seq=0, uptime_ms=1, counters=Counters(), humans=1)
    await agent.bench.publish(AgentHeartbeat, f"beat:{agent.job.epoch}", data)


async def test_a_crash_that_is_told_brings_the_next_epoch_at_once(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher("one"), dispatcher("two"):
        await bench.start("planning")
        agent = await bench.agent(ttl_s=600)
        assert agent.job.heard_until is None
        crashed_at = await crash(agent)
        job = await bench.until_job(2)
        assert not await agent.renew()
    assert job.data.heard_until == crashed_at
    assert await bench.ended() == []
    assert len(await bench.jobs()) == 1


async def test_an_agent_nobody_saw_die_was_heard_until_its_lease_was_renewed_last(
    dispatcher: Start, bench: Bench
) -> None:
    async with dispatcher():
        await bench.start("planning")
        agent = await bench.agent(ttl_s=600)
        heard = datetime.now(UTC) + timedelta(seconds=1)
        await agent.renew(ttl_s=0.5, heard_until=heard)
        job = await bench.until_job(2)
    assert job.data.heard_until is not None
    assert heard - timedelta(seconds=1) - MOMENT <= job.data.heard_until < job.data.issued_at


async def test_the_hole_grows_until_an_agent_has_told_it(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        await bench.start("planning")
        first = await crash(await bench.agent(ttl_s=600))
        silent = await bench.agent(epoch=2, ttl_s=600)
        await crash(silent)
        assert (await bench.until_job(3)).data.heard_until == first
        teller = await bench.agent(epoch=3, ttl_s=600)
        await beat(teller)
        third = await crash(teller)
        assert (await bench.until_job(4)).data.heard_until == third


async def test_a_crash_while_no_dispatcher_was_there_is_made_good_once(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        await bench.start("planning")
        agent = await bench.agent(ttl_s=600)
    crashed_at = await crash(agent)
    async with dispatcher("two"), dispatcher("three"):
        job = await bench.until_job(2)
        await bench.until(bench.settled)
    assert job.data.heard_until == crashed_at
    assert [each.data.epoch for each in await bench.jobs()] == [2]


async def test_a_running_meeting_notices_nothing_of_a_redis_that_lost_everything(
    dispatcher: Start, bench: Bench
) -> None:
    async with dispatcher("one"), dispatcher("two"):
        view = await bench.start("planning")
        agent = await bench.agent(ttl_s=600)
        await bench.redis.flushall()  # pyright: ignore[reportUnknownMemberType]  # untyped in redis-py
        assert await agent.renew(), "the lease is rebuilt from the room"
        assert (await bench.until_state(view.spec.meeting_id, "live")).epoch == 1
        await bench.redis.flushall()  # pyright: ignore[reportUnknownMemberType]  # untyped in redis-py
        await bench.until_state(view.spec.meeting_id, "live")
        assert await agent.renew(), "whoever is first, the room or the dispatcher"
    assert await bench.jobs() == [agent_job for agent_job in await bench.jobs() if agent_job.data.epoch == 1]


async def test_a_room_that_emptied_waits_for_somebody_and_no_agent_is_sent_before(
    dispatcher: Start, bench: Bench
) -> None:
    async with dispatcher():
        view = await bench.start("planning")
        agent = await bench.agent()
        await agent.leave("room_emptied")
        await bench.webhook("room_finished", "planning", ROOM_SID)
        await bench.until(bench.settled)
        await bench.webhook("participant_joined", "planning", "RM_next", participant={"kind": "AGENT"})
        await bench.until(lambda: bench.settled("dispatcher-livekit"))
        assert [job.data.epoch for job in await bench.jobs()] == [1]
        came_at = await bench.webhook("participant_joined", "planning", "RM_next", participant={"identity": "ada"})
        job = await bench.until_job(2)
        assert job.data.heard_until == came_at, "before that nobody was there to be heard"
        await bench.agent(epoch=2, room_sid="RM_next")
        assert (await bench.until_state(view.spec.meeting_id, "live")).epoch == 2
    assert await bench.ended() == []
    assert len(await bench.started()) == 1


async def test_who_came_before_the_room_emptied_brings_nobody_back(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        await bench.start("planning")
        came_at = datetime.now(UTC)
        agent = await bench.agent()
        await agent.leave("room_emptied")
        await bench.until(bench.settled)
        await bench.webhook("participant_joined", "planning", ROOM_SID, came_at, participant={"identity": "ada"})
        await bench.until(lambda: bench.settled("dispatcher-livekit"))
        assert [job.data.epoch for job in await bench.jobs()] == [1]


async def test_a_start_in_a_room_that_had_emptied_brings_its_agent_back(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        first = await bench.start("planning")
        agent = await bench.agent()
        await agent.leave("room_emptied")
        await bench.until(bench.settled)
        assert (await bench.start("planning", meeting_id=first.spec.meeting_id)).epoch == 1, "a repetition asks nothing"
        again = await bench.start("planning")
    assert (again.spec.meeting_id, again.created, again.epoch) == (first.spec.meeting_id, False, 2)
    assert [job.data.epoch for job in await bench.jobs()] == [2]


async def test_a_room_that_stays_empty_ends_its_meeting_after_the_meetings_own_time(
    dispatcher: Start, bench: Bench
) -> None:
    async with dispatcher():
        await bench.start("planning", empty_room_timeout_s=1)
        agent = await bench.agent()
        await agent.leave("room_emptied")
        ended = await bench.until_ended()
    assert ended.data.reason == "empty_room"
    assert [job.data.epoch for job in await bench.jobs()] == []


async def test_a_finished_room_whose_agent_is_gone_waits_too(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(dispatcher_tick_s=10):
        await bench.start("planning", empty_room_timeout_s=1)
        agent = await bench.agent()
        await agent.give_up_lease()
        await bench.webhook("room_finished", "planning", ROOM_SID)
        await bench.until(lambda: bench.settled("dispatcher-livekit"))
    async with dispatcher():
        assert (await bench.until_ended()).data.reason == "empty_room"


async def test_from_a_livekit_that_is_away_nothing_is_concluded(
    dispatcher: Start, bench: Bench, servers: Servers
) -> None:
    livekit = servers.start("livekit")
    async with dispatcher(livekit_url=livekit.url, dispatcher_max_attempts=2, dispatcher_watchdog_s=0.2):
        view = await bench.start("planning")
        agent = await bench.agent()
        livekit.kill()
        failed_at = datetime.now(UTC)
        await agent.leave("failed")
        await bench.until(bench.settled)
        # Longer than an agent that lasted, and the next one after it, would have been waited for.
        await bench.until(lambda: bench.passed(failed_at + timedelta(seconds=2)))
        assert [job.data.epoch for job in await bench.jobs()] == [1]
        assert (await bench.until_state(view.spec.meeting_id, "live")).epoch == 1
        livekit.start()
        job = await bench.until_job(2)
    assert job.data.heard_until is not None
    assert abs(job.data.heard_until - failed_at) < timedelta(seconds=1)
    assert await bench.ended() == []
