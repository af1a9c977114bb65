"""More utterances than slots: all are heard, in fair order, by whichever worker has room."""

import asyncio

from nats.aio.msg import Msg
from roomscribe_common.contracts.stt import SttFinal

from .conftest import Room, Spoken, Start, chunks, utterance, words


async def test_more_utterances_than_slots_are_all_heard(worker: Start, room: Room, spoken: dict[str, Spoken]) -> None:
    names = ["roadmap", "budget", "question", "answer", "question", "answer"]
    said = [utterance() for _ in names]
    async with worker(stt_slots=2, stt_threads=2):
        for one, name in zip(said, names, strict=True):
            await room.say(one, spoken[name])
        await room.until_done()
        texts = [words((await room.finals(one))[0].data.text) for one in said]
    assert texts == [spoken[name].words for name in names]


async def test_two_slots_follow_two_speakers_at_a_time(worker: Start, room: Room, spoken: dict[str, Spoken]) -> None:
    one, other, third = utterance(), utterance(), utterance()
    async with worker(stt_slots=2, stt_threads=2) as service:
        for said in (one, other, third):
            await room.open(said)
        pieces, others = chunks(one, spoken["question"]), chunks(other, spoken["answer"])
        await room.send(one, *pieces[:-1])
        await room.send(other, *others[:-1])

        async def third_stands_in_line() -> bool:
            shown = service.telemetry.exposition()
            return b"roomscribe_stt_slots_busy 2.0" in shown and b"roomscribe_stt_slots_waiting 1.0" in shown

        await room.until(third_stands_in_line)
        await room.send(one, pieces[-1])
        await room.send(third, *chunks(third, spoken["answer"]))
        await room.send(other, others[-1])
        await room.until_done()
        found = [(await room.finals(said))[0] for said in (one, other, third)]
    assert [words(final.data.text) for final in found] == [spoken[n].words for n in ("question", "answer", "answer")]


async def test_a_crowd_of_one_meeting_does_not_keep_anothers_utterance_in_the_queue(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    crowd, other = [utterance("crowd") for _ in range(12)], utterance("quiet")
    settled: list[str] = []

    async def hear(msg: Msg) -> None:
        settled.append(SttFinal.model_validate_json(msg.data).data.utterance.meeting_id)

    await room.nc.subscribe("stt.v1.final.>", cb=hear)  # pyright: ignore[reportUnknownMemberType]  # untyped in nats-py
    for one in [*crowd, other]:
        await room.say(one, spoken["answer"])
    async with worker(stt_slots=2, stt_threads=1, stt_interims=False):
        await room.until_done()
        await room.nc.flush()
    assert len(settled) == 13
    assert settled.index("quiet") <= 4


async def test_what_stands_in_line_goes_to_a_worker_that_comes_later(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    held, waiting = utterance(), [utterance() for _ in range(9)]
    async with worker(stt_slots=1, stt_threads=1) as full:
        await room.open(held)
        pieces = chunks(held, spoken["answer"])
        talking = asyncio.create_task(room.send(held, *pieces[:-1], every_s=2.0))
        for one in waiting:
            await room.say(one, spoken["answer"])

        async def all_in_line() -> bool:
            return b"roomscribe_stt_slots_waiting 9.0" in full.telemetry.exposition()

        await room.until(all_in_line)
        async with worker(instance="two", stt_slots=16):

            async def only_the_held_is_left() -> bool:
                return await room.waiting() == 1

            await room.until(only_the_held_is_left)
            talking.cancel()
            await room.send(held, *pieces)
            await room.until_done()
    finals = [(await room.finals(one))[0] for one in [held, *waiting]]
    assert {final.data.attempt for final in finals} == {1}
    assert all(words(final.data.text) == spoken["answer"].words for final in finals)


async def test_two_workers_share_what_waits_and_a_full_one_leaves_it_to_one_with_room(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    held = [utterance() for _ in range(2)]
    async with worker(stt_slots=1, stt_threads=1) as full, worker(instance="two", stt_slots=64) as roomy:
        for one in held:  # one of them is the full worker's
            await room.open(one)

        async def taken() -> bool:
            return b"roomscribe_stt_slots_busy 1.0" in full.telemetry.exposition()

        while not await taken():
            held.append(utterance())
            await room.open(held[-1])
            await asyncio.sleep(0.05)
        more = [utterance() for _ in range(8)]
        for one in more:
            await room.say(one, spoken["answer"])

        async def more_are_done() -> bool:
            return await room.waiting() == len(held)

        await room.until(more_are_done)
        assert b"roomscribe_stt_slots_waiting 0.0" in full.telemetry.exposition()
        assert b"roomscribe_stt_slots_waiting 0.0" in roomy.telemetry.exposition()
        for one in held:
            await room.send(one, *chunks(one, spoken["answer"]))
        await room.until_done()
