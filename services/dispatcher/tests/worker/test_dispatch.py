"""LiveKit's dispatch brings the agent, on real LiveKit, NATS and Redis."""

import asyncio
import logging

import pytest
from roomscribe_common.contracts.dispatch import DispatchJob
from roomscribe_common.testing.until import until

from .conftest import TENANT, Agent, Bench, Participant, Sfu, Start

WANTED = {
    "tenant": TENANT,
    "title": "Weekly planning",
    "mode": "listen",
    "host": "ana",
    "language": "en-GB",
    "keyterms": ["Roomscribe"],
    "metadata": {"crm": "42"},
    "empty_room_timeout_s": 30,
}


async def jobs(bench: Bench, count: int) -> list[DispatchJob]:
    async def reached() -> bool:
        return len(await bench.jobs()) >= count

    await until(reached, 20)
    return await bench.jobs()


async def joined(sfu: Sfu, bench: Bench, room: str) -> tuple[DispatchJob, Participant]:
    """The agent, in the room with the token of its job."""
    [job] = [job for job in [await bench.until_job(1)] if job.data.room == room]
    agent = await sfu.join(job.data.token)
    return job, agent


async def test_an_explicit_dispatch_brings_the_agent_with_what_its_metadata_says(
    worker: Start, sfu: Sfu, bench: Bench
) -> None:
    async with worker():
        await sfu.until_workers(1)
        await sfu.dispatch("explicit", WANTED)
        job, agent = await joined(sfu, bench, "explicit")
        [seen] = await sfu.people("explicit")
        await agent.leave()
    [requested] = await bench.requested()
    assert (requested.tenant, job.tenant) == (TENANT, TENANT)
    for data in (requested.data, job.data):
        assert (data.title, data.mode, data.language, data.keyterms) == (
            "Weekly planning",
            "listen",
            "en-GB",
            ["Roomscribe"],
        )
        assert data.metadata == {"crm": "42", "host": "ana"}
        assert data.empty_room_timeout_s == 30
    assert seen.identity == f"roomscribe-{job.data.meeting_id}"
    assert seen.Kind.Name(seen.kind) == "AGENT"


async def test_a_persons_token_brings_the_agent_when_the_room_is_made(worker: Start, sfu: Sfu, bench: Bench) -> None:
    async with worker():
        await sfu.until_workers(1)
        ana = await sfu.join(sfu.token("token", "ana", WANTED))
        job = await bench.until_job(1)
        await ana.leave()
    assert (job.data.room, job.data.title) == ("token", "Weekly planning")


async def test_an_agent_without_a_name_is_sent_to_a_room_that_names_none(worker: Start, sfu: Sfu, bench: Bench) -> None:
    async with worker(dispatcher_agent_name="*", dispatcher_agent_tenant="home"):
        await sfu.until_workers(1)
        ana = await sfu.join(sfu.token("automatic", "ana"))
        job = await bench.until_job(1)
        await ana.leave()
    assert (job.data.room, job.tenant) == ("automatic", "home")


async def test_the_jobs_end_in_success_while_their_agents_are_still_there_whichever_replica_has_them(
    worker: Start, sfu: Sfu, bench: Bench
) -> None:
    rooms = [f"success {number}" for number in range(4)]
    async with worker("one"), worker("two"):
        await sfu.until_workers(2)
        for number, room in enumerate(rooms):
            await sfu.dispatch(room, {"tenant": TENANT, "meeting_id": f"mtg_{number}"})
        given = [await sfu.until_job(room) for room in rooms]
        agents: list[Agent] = []
        participants: list[Participant] = []
        for job in await jobs(bench, len(rooms)):
            participants.append(await sfu.join(job.data.token))
            agents.append(await Agent(bench, job).join())
            await agents[-1].obey()
        await bench.until(bench.settled)
        for number in range(len(rooms)):
            await bench.end(f"mtg_{number}")
        ended = [await sfu.until_ended(job) for job in given]
        present = [len(await sfu.people(room)) for room in rooms]
        for participant in participants:
            await participant.leave()
    assert [(line.status, line.error) for line in ended] == [("JS_SUCCESS", "")] * len(rooms)
    assert [agent.orders[0].reason for agent in agents] == ["requested"] * len(rooms)
    assert present == [1] * len(rooms)
    assert await bench.ended() == []


async def test_an_agent_that_leaves_an_empty_room_has_done_its_job(worker: Start, sfu: Sfu, bench: Bench) -> None:
    async with worker():
        await sfu.until_workers(1)
        await sfu.dispatch("emptied", {"tenant": TENANT})
        _, participant = await joined(sfu, bench, "emptied")
        agent = await bench.agent()
        await agent.leave("empty_room")  # as the room process does: it says so, then it goes
        ended = await sfu.until_ended(await sfu.until_job("emptied"))
        await participant.leave()
    assert (ended.status, ended.error) == ("JS_SUCCESS", "")


async def test_a_meeting_without_an_agent_fails_its_job(worker: Start, sfu: Sfu, bench: Bench) -> None:
    async with worker(dispatcher_placement_timeout_s=1, dispatcher_max_attempts=1):
        await sfu.until_workers(1)
        await sfu.dispatch("nobody", {"tenant": TENANT})
        ended = await sfu.until_ended(await sfu.until_job("nobody"))
    assert ended.status == "JS_FAILED"
    assert "ROOMSCRIBE_INGEST_ROOMS" in ended.error


@pytest.mark.parametrize("first", ["rest", "dispatch", "at once"])
async def test_a_call_and_two_dispatches_for_one_room_end_with_one_agent(
    first: str, worker: Start, sfu: Sfu, bench: Bench
) -> None:
    room = f"ensure {first}"
    async with worker("one"), worker("two"):
        await sfu.until_workers(2)
        if first == "at once":
            ana, *_ = await asyncio.gather(
                sfu.join(sfu.token(room, "ana", {"tenant": TENANT})),
                bench.start(room),
                sfu.dispatch(room, {"tenant": TENANT}),
            )
        elif first == "rest":
            await bench.start(room)
            ana = await sfu.join(sfu.token(room, "ana", {"tenant": TENANT}))
            await sfu.dispatch(room, {"tenant": TENANT})
        else:
            ana = await sfu.join(sfu.token(room, "ana", {"tenant": TENANT}))
            await bench.until_job(1)
            await bench.start(room)
            await sfu.dispatch(room, {"tenant": TENANT})

        async def both_dispatches_answered() -> bool:
            given = [line["jobID"] for line in sfu.said("assigned job to worker", room=room)]
            open_jobs = [job for job in given if not sfu.said("job ended", jobID=job)]
            return len(given) >= 1 + (first != "at once") and len(open_jobs) <= 1

        await until(both_dispatches_answered, 20)
        await ana.leave()
    assert len(await bench.requested()) == 1
    assert [job.data.epoch for job in await bench.jobs()] == [1]
    failed = [line for line in sfu.said("job ended", status="JS_FAILED") if line["jobID"] in _jobs(sfu, room)]
    assert failed == []


def _jobs(sfu: Sfu, room: str) -> set[str]:
    return {line["jobID"] for line in sfu.said("assigned job to worker", room=room)}


async def test_a_job_that_cannot_be_done_fails_saying_why_and_starts_nothing(
    worker: Start, sfu: Sfu, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        async with worker():
            await sfu.until_workers(1)
            await bench.start("over", meeting_id="mtg_over")
            await bench.end("mtg_over")
            await bench.start("elsewhere", meeting_id="mtg_elsewhere")
            await bench.start("theirs", tenant="globex")
            asked = {
                "misspelt": {"titel": "Secret plans"},
                "again": {"tenant": TENANT, "meeting_id": "mtg_over"},
                "another": {"tenant": TENANT, "meeting_id": "mtg_elsewhere"},
                "theirs": {"tenant": TENANT},
                "speaks": {"tenant": TENANT, "mode": "copilot"},
            }
            for room, metadata in asked.items():
                await sfu.dispatch(room, metadata)
            ended = {room: await sfu.until_ended(await sfu.until_job(room)) for room in asked}
    assert {line.status for line in ended.values()} == {"JS_FAILED"}
    errors = {room: line.error for room, line in ended.items()}
    assert errors["misspelt"] == "metadata: titel: Extra inputs are not permitted"
    assert errors["again"] == "meeting mtg_over is over"
    assert errors["another"] == "meeting mtg_elsewhere is in another room"
    assert "not yours" in errors["theirs"]
    assert errors["speaks"].startswith("mode: ")
    refused = [record.__dict__["error"] for record in caplog.records if record.msg == "job refused"]
    assert sorted(refused) == sorted(errors.values())
    assert sorted(event.data.room for event in await bench.requested()) == ["elsewhere", "over", "theirs"]


async def test_a_job_above_the_cap_fails_with_the_cap_and_the_use(worker: Start, sfu: Sfu, bench: Bench) -> None:
    async with worker(dispatcher_tenant_cap=1):
        await sfu.until_workers(1)
        await bench.start("first")
        await sfu.dispatch("second", {"tenant": TENANT})
        ended = await sfu.until_ended(await sfu.until_job("second"))
    assert ended.status == "JS_FAILED"
    assert "1 of your 1 concurrent agents" in ended.error
    assert len(await bench.requested()) == 1


async def test_two_replicas_share_the_jobs(worker: Start, sfu: Sfu, bench: Bench) -> None:
    rooms = [f"shared {n}" for n in range(16)]
    async with worker("one"), worker("two"):
        await sfu.until_workers(2)
        await asyncio.gather(*(sfu.dispatch(room) for room in rooms))
        given = [await sfu.until_job(room) for room in rooms]
        await jobs(bench, len(rooms))
        taken_by = {line["workerID"] for room in rooms for line in sfu.said("assigned job to worker", room=room)}
    assert len(set(given)) == len(rooms)
    assert len(taken_by) == 2
    assert {job.data.room for job in await bench.jobs()} == set(rooms)
