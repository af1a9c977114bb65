"""Agents that die, jobs nobody takes, a Redis that forgets, a dispatcher that was away."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from roomscribe_common.contracts.agent import LeaveReason
from roomscribe_common.contracts.meeting import MeetingRequested
from roomscribe_common.errors import ProblemError
from roomscribe_common.testing.providers import Servers
from roomscribe_dispatcher.adapters import redis as redis_adapter
from roomscribe_dispatcher.adapters.history import History

from .conftest import NOBODY_THERE, Agent, Bench, Start

MORTAL = Path(__file__).with_name("dies_after_claim.py")


async def forget(bench: Bench) -> None:
    await bench.redis.flushall()  # pyright: ignore[reportUnknownMemberType]  # untyped in redis-py


async def test_an_agent_that_died_is_followed_by_the_next_epoch(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher("one"), dispatcher("two"):
        view = await bench.start("planning")
        first = await bench.agent(ttl_s=1)
        job = await bench.until_job(2)
        assert (job.data.epoch, job.data.meeting_id) == (2, view.spec.meeting_id)
        assert job.data.identity == first.job.identity
        assert job.data.started_at == first.job.started_at
        assert not await first.renew(), "the agent before must learn that it is replaced"
        await bench.agent(epoch=2)
        live = await bench.until_state(view.spec.meeting_id, "live")
    assert live.epoch == 2
    assert len(await bench.started()) == 1
    assert [each.data.epoch for each in await bench.jobs()] == [2]


@pytest.mark.parametrize("reason", ["shutdown", "failed", "lease_lost"])
async def test_an_agent_that_had_to_leave_is_followed_by_the_next_epoch(
    dispatcher: Start, bench: Bench, reason: LeaveReason
) -> None:
    async with dispatcher():
        await bench.start("planning")
        agent = await bench.agent()
        await agent.leave(reason)
        job = await bench.until_job(2)
    assert job.data.epoch == 2
    assert await bench.ended() == []


async def test_what_an_agent_of_an_earlier_epoch_says_changes_nothing(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        view = await bench.start("planning")
        first = await bench.agent(ttl_s=1)
        await bench.agent(epoch=2)
        await first.leave("empty_room")
        await first.leave("failed")
        await bench.until(bench.settled)
        live = await bench.until_state(view.spec.meeting_id, "live")
    assert live.epoch == 2
    assert await bench.ended() == []


async def test_an_agent_that_comes_when_the_next_was_sent_for_starts_nothing(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        view = await bench.start("planning")
        late = Agent(bench, await bench.until_job(1))
        await bench.until_job(2)
        await late.publish_joined()
        await bench.until(bench.settled)
        assert (await bench.until_state(view.spec.meeting_id, "dispatching")).epoch == 2
    assert await bench.started() == []


async def test_a_lease_given_back_is_not_taken_for_a_death(dispatcher: Start, bench: Bench) -> None:
    """The agent says why it leaves, then gives the lease back; whoever sees the lease first must read on."""
    async with dispatcher():
        await bench.start("planning")
        agent = await bench.agent()
    await agent.leave("empty_room")
    await bench.skip_events()
    async with dispatcher():
        ended = await bench.until_ended()
    assert ended.data.reason == "empty_room"
    assert await bench.jobs() == []


async def test_a_job_nobody_takes_is_issued_again_and_given_up_saying_why(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(dispatcher_max_attempts=2, livekit_url=NOBODY_THERE):
        view = await bench.start("planning")
        await bench.until_job(2)
        await bench.until_state(view.spec.meeting_id, "failed")
        assert (await bench.start("planning")).created, "the room is free again"
    [failed] = await bench.failed()
    assert failed.id == f"failed:{view.spec.meeting_id}"
    assert failed.data.reason == "livekit_unreachable"
    assert NOBODY_THERE in failed.data.detail
    assert "ROOMSCRIBE_LIVEKIT_URL" in failed.data.detail
    assert await bench.ended() == []


async def test_agents_that_keep_dying_end_a_meeting_that_was_live(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(dispatcher_max_attempts=2):
        await bench.start("planning")
        await bench.agent(ttl_s=0.5)
        await bench.agent(epoch=2, ttl_s=0.5)
        ended = await bench.until_ended()
    assert ended.data.reason == "agent_lost"
    assert await bench.failed() == []


async def test_agents_that_lasted_do_not_count_as_attempts(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(dispatcher_max_attempts=1, dispatcher_lasting_s=1):
        await bench.start("planning")
        for epoch in (1, 2):
            await bench.agent(epoch=epoch, ttl_s=1.5)
        job = await bench.until_job(3)
    assert job.data.epoch == 3
    assert await bench.ended() == []


async def test_a_restart_knows_the_live_meeting_and_its_room(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        first = await bench.start("planning", key="k1")
        await bench.agent()
    async with dispatcher():
        assert (await bench.start("planning")).spec.meeting_id == first.spec.meeting_id
    assert len(await bench.jobs()) == 1


async def test_a_redis_that_lost_everything_is_rebuilt_from_the_stream(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        over = await bench.start("over")
        await bench.end(over.spec.meeting_id)
        live = await bench.start("planning", key="k1")
        agent = await bench.agent()
        await forget(bench)
        again = await bench.start("planning")
        assert (again.spec.meeting_id, again.created, again.state, again.epoch) == (
            live.spec.meeting_id,
            False,
            "live",
            1,
        )
        assert (await bench.start("other", key="k1")).spec.meeting_id == live.spec.meeting_id
        assert again.started_at == live.started_at
        assert await agent.renew(), "the living agent keeps its meeting"
        assert (await bench.start("over")).created
        await agent.leave("empty_room")
        await bench.until_ended(2)
    assert len(await bench.started()) == 1


async def test_a_scheduled_meeting_whose_agent_is_there_is_live_after_redis_lost_everything(
    dispatcher: Start, bench: Bench
) -> None:
    join_at = datetime.now(UTC) + timedelta(seconds=2)
    async with dispatcher(dispatcher_join_early_s=1):
        scheduled = await bench.start("planning", join_at=join_at)
        agent = Agent(bench, await bench.until_job(1))
    await forget(bench)
    await agent.join()
    restored = await History(bench.nc, bench.js).meeting("acme", scheduled.spec.meeting_id)
    assert restored is not None
    assert (restored.state, restored.started_at, restored.epoch) == ("live", join_at, 1)
    async with dispatcher():
        live = await bench.until_state(scheduled.spec.meeting_id, "live")
        started = await bench.until_started()
        assert await agent.renew(), "it stays"
    assert live.started_at == started.data.started_at == join_at


async def test_a_rebuild_holds_no_request_of_a_meeting_that_is_over(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        for n in range(20):
            await bench.end((await bench.start(f"room {n}")).spec.meeting_id)
        wanted = await bench.start("planning")
    gc.freeze()  # what is there already need not be looked through each time
    finding = asyncio.create_task(History(bench.nc, bench.js).wanted())
    held: list[int] = []
    while not finding.done():
        held.append(sum(isinstance(each, MeetingRequested) for each in gc.get_objects()))
        await asyncio.sleep(0)
    gc.unfreeze()
    assert [meeting.id for meeting in finding.result()] == [wanted.spec.meeting_id]
    assert max(held) < 5


async def test_whoever_finds_redis_empty_meanwhile_waits_for_one_rebuild(
    dispatcher: Start, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        async with dispatcher(dispatcher_tick_s=10):
            await bench.start("planning")
            await forget(bench)
            caplog.clear()
            views = await asyncio.gather(*(bench.start(f"room {n}") for n in range(8)))
    assert all(view.created for view in views)
    assert [record.msg for record in caplog.records].count("wanted meetings rebuilt") == 1


async def test_an_agent_that_died_with_redis_is_followed_by_a_higher_epoch(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        await bench.start("planning")
        agent = Agent(bench, await bench.until_job(1))
        agent.job = agent.job.model_copy(update={"epoch": 7})
        await agent.join()
        await bench.until(bench.settled)
        await forget(bench)
        job = await bench.until_job(8)
    assert job.data.epoch == 8


async def test_meetings_of_others_are_not_wanted(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        await bench.start("planning", meeting_id="mtg_1")
    [ours] = await bench.requested()
    subject = "meeting.v1.requested.acme.mtg_2"
    theirs = ours.model_copy(
        update={
            "source": "replay",
            "subject": subject,
            "data": ours.data.model_copy(update={"meeting_id": "mtg_2", "room": "replayed"}),
        }
    )
    await bench.js.publish(subject, theirs.to_bytes())
    await forget(bench)
    async with dispatcher():
        assert not (await bench.start("planning")).created
        assert (await bench.start("replayed")).created


async def test_a_dispatcher_killed_before_it_published_leaves_a_meeting_that_is_attended(
    dispatcher: Start, bench: Bench, streams: str, redis_url: str
) -> None:
    environment = {
        **os.environ,
        "ROOMSCRIBE_NATS_URL": streams,
        "ROOMSCRIBE_REDIS_URL": redis_url,
        "ROOMSCRIBE_LIVEKIT_URL": NOBODY_THERE,
        "ROOMSCRIBE_LIVEKIT_API_KEY": "testkey",
        "ROOMSCRIBE_LIVEKIT_API_SECRET": "test-secret-of-at-least-32-characters",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, str(MORTAL), env=environment)
    try:
        start = asyncio.create_task(bench.start_when_there("planning", meeting_id="mtg_1"))
        assert await asyncio.wait_for(process.wait(), 30) == -signal.SIGKILL
        start.cancel()
        await asyncio.wait([start])
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert await bench.requested() == []
    assert await bench.jobs() == []
    async with dispatcher():
        job = await bench.until_job(1)
        assert (await bench.start("planning")).created is False
    assert job.data.meeting_id == "mtg_1"
    assert [event.data.meeting_id for event in await bench.requested()] == ["mtg_1"]


async def test_an_agent_with_an_epoch_nobody_remembers_is_taken_for_the_present_one(
    dispatcher: Start, bench: Bench
) -> None:
    async with dispatcher():
        view = await bench.start("planning")
        agent = Agent(bench, await bench.until_job(1))
        agent.job = agent.job.model_copy(update={"epoch": 5})
        await agent.join()
        await bench.until(bench.settled)
        live = await bench.until_state(view.spec.meeting_id, "live")
    assert live.epoch == 5


async def test_while_redis_is_away_a_start_is_refused_and_afterwards_it_works(
    dispatcher: Start, bench: Bench, servers: Servers
) -> None:
    redis = servers.start("redis")
    async with dispatcher(redis_url=redis.url):
        view = await bench.start("planning")
        redis.kill()
        with pytest.raises(ProblemError, match="Redis") as refused:
            await bench.start("review")
        assert refused.value.problem.status == 503
        redis.start()
        redis.wait_ready()
        again = await bench.start_when_there("planning", meeting_id="mtg_again")
        assert (again.spec.meeting_id, again.created) == (view.spec.meeting_id, False)


async def test_an_agent_that_could_not_renew_while_redis_stood_still_is_not_lost(
    dispatcher: Start, bench: Bench, servers: Servers
) -> None:
    server = servers.start("redis")
    redis = redis_adapter.client(server.url)
    here = Bench(bench.nc, redis)
    async with contextlib.aclosing(redis), dispatcher(redis_url=server.url, ingest_lease_ttl_s=3):
        await here.start("planning")
        agent = await here.agent(ttl_s=1)
        await redis.execute_command("CLIENT", "PAUSE", 3000)  # pyright: ignore[reportUnknownMemberType]  # untyped
        await redis_adapter.wait_until_reachable(redis, server.url, 10)
        await asyncio.sleep(0.5)  # many looks
        assert await agent.renew(ttl_s=1), "an agent that was there all the time was replaced"
        assert (await here.until_job(2)).data.epoch == 2, "one that is lost for good is not"
