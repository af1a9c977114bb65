"""Rooms that have a rule are attended, on real LiveKit, NATS and Redis."""

from livekit import api
from roomscribe_common.testing.until import until

from .conftest import TENANT, Bench, Sfu, Start

RULES = [
    {"room": "standup-*", "tenant": TENANT, "title": "Standup", "keyterms": ["sprint"]},
    {"room": "all-?", "tenant": TENANT, "title": "All hands", "language": "en-GB"},
]


async def test_a_room_with_a_rule_is_attended_once_somebody_is_there_even_if_no_webhook_came(
    worker: Start, sfu: Sfu, bench: Bench
) -> None:
    async with worker("one", dispatcher_auto_rules=RULES), worker("two", dispatcher_auto_rules=RULES):
        people = [await sfu.join(sfu.token(room, "ana")) for room in ("other", "standup-berlin", "all-1")]

        async def attended() -> bool:
            return len(await bench.jobs()) >= 2

        await until(attended, 30)
        for person in people:
            await person.leave()
    titles = {job.data.room: (job.data.title, job.data.language, job.data.keyterms) for job in await bench.jobs()}
    assert titles == {"standup-berlin": ("Standup", "en", ["sprint"]), "all-1": ("All hands", "en-GB", [])}
    assert len(await bench.requested()) == 2


async def test_a_webhook_is_enough_and_a_session_whose_meeting_was_ended_stays_without_an_agent(
    worker: Start, sfu: Sfu, bench: Bench
) -> None:
    async with worker(dispatcher_auto_rules=RULES):
        ana = await sfu.join(sfu.token("standup-rome", "ana"))
        [room] = (await sfu.client.room.list_rooms(api.ListRoomsRequest(names=["standup-rome"]))).rooms
        await bench.webhook("participant_joined", "standup-rome", room.sid)
        job = await bench.until_job(1)
        await bench.end(job.data.meeting_id)
        await bench.webhook("participant_joined", "standup-rome", room.sid)
        await bench.until(lambda: bench.settled("dispatcher-livekit"))
        assert len(await bench.requested()) == 1
        await ana.leave()


async def test_a_session_that_had_somebody_elses_meeting_gets_no_other_not_even_by_the_next_dispatcher(
    worker: Start, sfu: Sfu, bench: Bench
) -> None:
    ana = await sfu.join(sfu.token("standup-oslo", "ana"))
    [room] = (await sfu.client.room.list_rooms(api.ListRoomsRequest(names=["standup-oslo"]))).rooms
    async with worker(dispatcher_auto_rules=RULES):
        asked = await bench.start("standup-oslo")
        await bench.webhook("participant_joined", "standup-oslo", room.sid)
        await bench.until(lambda: bench.settled("dispatcher-livekit"))
        await bench.end(asked.spec.meeting_id)
    async with worker("next", dispatcher_auto_rules=RULES):
        await bench.webhook("participant_joined", "standup-oslo", room.sid)
        await bench.until(lambda: bench.settled("dispatcher-livekit"))
    assert [event.data.meeting_id for event in await bench.requested()] == [asked.spec.meeting_id]
    await ana.leave()


async def test_a_webhook_of_a_room_that_is_gone_sends_nobody(worker: Start, sfu: Sfu, bench: Bench) -> None:
    async with worker(dispatcher_auto_rules=RULES):
        await bench.webhook("room_started", "standup-gone", "RM_gone")
        await bench.until(lambda: bench.settled("dispatcher-livekit"))
    assert await bench.requested() == []
