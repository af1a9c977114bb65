"""What becomes of jobs and of the socket when something ends: a dispatch, an agent, a server, the dispatcher."""

import asyncio
import json
import logging

import pytest
from roomscribe_common.testing.providers import Servers
from roomscribe_common.testing.until import until

from .conftest import TENANT, Bench, Sfu, Start
from .test_dispatch import joined


async def test_a_deleted_dispatch_ends_its_meeting(worker: Start, sfu: Sfu, bench: Bench) -> None:
    async with worker():
        await sfu.until_workers(1)
        dispatch = await sfu.dispatch("deleted", {"tenant": TENANT})
        job, participant = await joined(sfu, bench, "deleted")
        agent = await bench.agent()
        await agent.obey()
        await sfu.client.agent_dispatch.delete_dispatch(dispatch, "deleted")

        async def told() -> bool:
            return bool(agent.orders)

        await until(told, 20)
        await agent.leave("requested")
        await participant.leave()
        ended = await bench.until_ended()
    assert (ended.data.meeting_id, ended.data.reason) == (job.data.meeting_id, "requested")


async def test_an_agent_that_dies_ends_its_job_and_not_its_meeting(
    worker: Start, sfu: Sfu, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        async with worker():
            await sfu.until_workers(1)
            ana = await sfu.join(sfu.token("dies", "ana"))
            await sfu.dispatch("dies", {"tenant": TENANT})
            job, participant = await joined(sfu, bench, "dies")
            agent = await bench.agent()
            await agent.obey()
            job_id = await sfu.until_job("dies")
            await _listed(sfu, "dies")
            await participant.leave()

            async def looked_at() -> bool:
                return "job ended by LiveKit, its agent left the room" in [record.msg for record in caplog.records]

            await until(looked_at, 20)
            view = await bench.start("dies", meeting_id=job.data.meeting_id)
            await ana.leave()
    assert (await sfu.until_ended(job_id)).error == "agent worker left the room"
    assert (view.state, agent.orders) == ("live", [])
    assert await bench.ended() == []


async def _listed(sfu: Sfu, room: str) -> None:
    """Only then does LiveKit know whose participant the agent is; it looks for workers for 5 s after one is new."""

    async def listed() -> bool:
        return any(dispatch.state.jobs for dispatch in await sfu.client.agent_dispatch.list_dispatch(room))

    await until(listed, 20)


async def test_a_stopped_dispatcher_leaves_no_job_and_no_worker_behind_and_its_agents_in_their_rooms(
    worker: Start, sfu: Sfu, bench: Bench
) -> None:
    async with worker():
        await sfu.until_workers(1)
        await sfu.dispatch("stopped", {"tenant": TENANT})
        job, participant = await joined(sfu, bench, "stopped")
        job_id = await sfu.until_job("stopped")
        worker_id = sfu.said("assigned job to worker", jobID=job_id)[0]["workerID"]
    ended = await sfu.until_ended(job_id)

    async def gone() -> bool:
        return bool(sfu.said("closing worker", workerID=worker_id))

    await until(gone, 20)
    assert ended.status == "JS_SUCCESS"
    assert [person.identity for person in await sfu.people("stopped")] == [job.data.identity]
    assert not [line for line in sfu.log() if line["msg"] == "error reading from websocket"]
    await participant.leave()


async def test_a_dispatch_while_no_dispatcher_was_there_is_placed_once_there_is_one(
    worker: Start, sfu: Sfu, bench: Bench
) -> None:
    await sfu.dispatch("missed", {"tenant": TENANT, "title": "Missed"})
    await sfu.dispatch("missed", {"titel": "wrong"})
    await sfu.dispatch("missed", agent_name="somebody-else")
    async with worker("one"), worker("two"):
        job = await bench.until_job(1)
        view = await bench.start("missed")
    assert (job.data.room, job.data.title) == ("missed", "Missed")
    assert (view.created, view.spec.meeting_id) == (False, job.data.meeting_id)
    assert [job.data.epoch for job in await bench.jobs()] == [1]


async def test_a_dispatch_is_accepted_while_redis_is_away_and_placed_once_when_it_is_back(
    worker: Start, sfu: Sfu, bench: Bench, servers: Servers
) -> None:
    redis = servers.start("redis")
    async with worker(redis_url=redis.url):
        await sfu.until_workers(1)
        redis.kill()
        await sfu.dispatch("no redis", {"tenant": TENANT})
        await sfu.until_job("no redis")
        assert await bench.jobs() == []
        await asyncio.to_thread(redis.start)
        job = await bench.until_job(1)
    assert job.data.room == "no redis"
    assert [job.data.epoch for job in await bench.jobs()] == [1]


async def test_after_a_restart_of_livekit_a_dispatch_works_again(worker: Start, sfu: Sfu, bench: Bench) -> None:
    async with worker():
        await sfu.until_workers(1)
        await sfu.dispatch("before", {"tenant": TENANT})
        await bench.until_job(1)
        registered = len(sfu.said("worker registered"))
        await asyncio.to_thread(sfu.server.kill)
        await asyncio.to_thread(sfu.server.start)
        await asyncio.to_thread(sfu.server.wait_ready)

        async def registered_anew() -> bool:
            return len(sfu.said("worker registered")) > registered

        await until(registered_anew, 30)
        await sfu.dispatch("after", json.dumps({"tenant": TENANT}))

        async def both() -> bool:
            return {job.data.room for job in await bench.jobs()} == {"before", "after"}

        await until(both, 20)
