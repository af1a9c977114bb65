"""When a meeting's transcript is called whole, on a real NATS."""

import asyncio
from collections.abc import Callable

from .conftest import Bench, Running, ended, final, gap, opened

Start = Callable[..., Running]


async def test_a_meeting_is_complete_when_all_that_was_heard_is_told(attribution: Start, bench: Bench) -> None:
    await bench.say(final("utt_1"), final("utt_2", text=""), final("utt_3"), gap("gap_1", "utt_3"), ended())
    async with attribution():
        completed = await bench.until_completed()
    assert (completed.data.segments, completed.data.last_sequence, completed.data.complete) == (2, 2, True)
    assert completed.id == "completed:mtg_1"
    assert completed.data.room == "planning"
    assert len(await bench.gaps()) == 1


async def test_a_meeting_without_a_word_is_complete(attribution: Start, bench: Bench) -> None:
    async with attribution():
        await bench.say(ended())
        completed = await bench.until_completed()
    assert (completed.data.segments, completed.data.complete) == (0, True)


async def test_an_utterance_with_a_worker_holds_its_own_meeting_and_no_other(attribution: Start, bench: Bench) -> None:
    item = await bench.js.publish(opened("utt_1").subject, opened("utt_1").to_bytes())
    async with attribution():
        await bench.say(ended(), final("utt_9", meeting="mtg_2"), ended("mtg_2"))
        await bench.until_completed("mtg_2")
        assert await bench.completed() == []
        await bench.say(final("utt_1"))
        await bench.until_segments(1)
        assert await bench.completed() == []
        await bench.js.delete_msg("STT", item.seq)  # what the worker's ack does
        completed = await bench.until_completed()
    assert (completed.data.segments, completed.data.complete) == (1, True)


async def test_a_result_nobody_will_give_ends_the_wait_incomplete(attribution: Start, bench: Bench) -> None:
    await bench.say(opened("utt_1"), final("utt_2"), ended())
    async with attribution(attribution_completion_wait_s=1):
        completed = await bench.until_completed()
    assert (completed.data.segments, completed.data.complete) == (1, False)


async def test_a_final_that_could_not_be_read_makes_the_transcript_incomplete(attribution: Start, bench: Bench) -> None:
    await bench.js.publish("stt.v1.final.acme.mtg_1.TR_ada.utt_1", b"{}")
    await bench.say(ended())
    async with attribution(attribution_completion_wait_s=1):
        completed = await bench.until_completed()
    assert completed.data.complete is False


async def test_a_meeting_that_ends_twice_is_completed_once(attribution: Start, bench: Bench) -> None:
    await bench.forget_duplicates()
    async with attribution("one"), attribution("two"):
        await bench.say(final("utt_1"), ended())
        await bench.until_completed()
        await asyncio.sleep(0.2)  # the dedupe window itself, not an effect of ours
        await bench.say(*(ended() for _ in range(10)))
        await bench.until(lambda: bench.settled("attribution-meetings"))
    assert len(await bench.completed()) == 1


async def test_a_meeting_ended_while_attribution_was_down_is_completed_with_all_its_finals(
    attribution: Start, bench: Bench
) -> None:
    async with attribution(attribution_completion_wait_s=1):
        await bench.say(final("utt_0"))
        await bench.until_segments(1)
    await bench.say(*(final(f"utt_{n}") for n in range(1, 60)), ended())
    async with attribution():
        completed = await bench.until_completed()
    assert (completed.data.segments, completed.data.last_sequence, completed.data.complete) == (60, 60, True)
