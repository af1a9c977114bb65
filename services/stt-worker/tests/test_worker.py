"""From a work item and its audio to interims and one final, on a real NATS."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from nats.aio.msg import Msg
from roomscribe_common.contracts.stt import SttEndpoint, SttFinal, Utterance, UtteranceOpened
from roomscribe_stt_worker.engines.moonshine import Moonshine
from roomscribe_stt_worker.engines.protocol import Clip, Hypothesis

from .conftest import Chunk, Room, Spoken, Start, chunks, utterance, words


async def test_an_utterance_in_chunks_yields_growing_interims_and_one_final(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    async with worker():
        await room.say(said, spoken["roadmap"], every_s=0.1)
        final = await room.final(said)
    assert final.id == f"final:{said.utterance_id}"
    assert words(final.data.text) == spoken["roadmap"].words
    assert final.data.utterance == said
    assert final.data.attempt == 1
    assert final.data.end_ms == 60_000 + len(spoken["roadmap"].samples) // 16
    assert 0.5 < final.data.confidence <= 1
    assert final.data.stt.provider == "moonshine"
    assert not final.data.truncated
    shown = [event.data for _, event in room.interims]
    assert len(shown) >= 3
    assert [data.version for data in shown] == list(range(1, len(shown) + 1))
    assert len(words(shown[-1].text)) > len(words(shown[0].text))
    assert {data.attempt for data in shown} == {1}


async def test_the_first_words_show_while_the_sentence_is_still_being_spoken(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    async with worker():
        await room.open(said)
        began = time.monotonic()
        speaking = asyncio.create_task(room.send(said, *chunks(said, spoken["roadmap"]), every_s=0.1))
        await room.until_interims(1)
        assert room.interims[0][0] - began < 2.5
        assert not speaking.done()
        await speaking
        await room.until_done()


async def test_words_have_estimated_times_inside_the_segment(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    async with worker():
        await room.say(said, spoken["question"])
        data = (await room.final(said)).data
    assert [word.text for word in data.words] == data.text.split()
    assert {word.timing for word in data.words} == {"estimated"}
    times = [time for word in data.words for time in (word.start_ms, word.end_ms)]
    assert times == sorted(times)
    assert (times[0], times[-1]) == (said.start_ms, data.end_ms)


async def test_the_final_after_a_pause_waits_for_no_decode(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    async with worker():
        said = said.model_copy(update={"started_at": datetime.now(UTC)})
        await room.open(said)
        pieces = chunks(said, spoken["question"], silence_s=1.5)
        await room.send(said, *pieces[:-1], every_s=0.1)
        last = pieces[-1]
        await room.send(said, Chunk(replace(last.headers, sent_at_ms=time.time_ns() // 1_000_000), last.pcm))
        data = (await room.final(said)).data
    assert words(data.text) == spoken["question"].words
    assert data.timing is not None
    assert data.timing.decode_ms < 20
    assert 1400 <= data.timing.hangover_ms <= 1600


async def test_only_words_that_stay_are_decoded_thoroughly(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    asked: list[tuple[float, bool]] = []

    class Noting(Moonshine):
        def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
            asked.extend((clip.duration_s, clip.thorough) for clip in clips)
            return super().transcribe(clips)

    said = utterance()
    async with worker(Noting()):
        await room.say(said, spoken["roadmap"], every_s=0.1)
        await room.final(said)
    thorough = [seconds for seconds, thorough in asked if thorough]
    quick = [seconds for seconds, thorough in asked if not thorough]
    assert len(quick) >= len(room.interims) >= 1
    assert len(thorough) >= 1
    assert max(thorough) >= max(quick)


async def test_an_early_decode_is_thrown_away_when_the_speaker_goes_on(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    first, second = chunks(said, spoken["question"], 0.6), chunks(said, spoken["answer"], 0.4)
    base = first[-1].headers
    joined = [Chunk(replace(p.headers, last=False, speech_end_sample=None), p.pcm) for p in first]
    start = base.first_sample + len(first[-1].pcm) // 2
    for piece in second:
        headers = piece.headers
        end = None if headers.speech_end_sample is None else headers.speech_end_sample + start
        moved = replace(headers, seq=headers.seq + len(first), first_sample=headers.first_sample + start, pause=False)
        joined.append(Chunk(replace(moved, speech_end_sample=end), piece.pcm))
    async with worker():
        await room.open(said)
        await room.send(said, *joined, every_s=0.05)
        final = await room.final(said)
    assert words(final.data.text) == spoken["question"].words + spoken["answer"].words


async def test_nothing_is_left_behind(worker: Start, room: Room, spoken: dict[str, Spoken]) -> None:
    said = utterance()
    async with worker():
        await room.say(said, spoken["question"])
        await room.final(said)

        async def clean() -> bool:
            return await room.audio_left() == 0 and await room.audio_readers() == 0

        await room.until(clean)


async def test_a_missing_chunk_is_reported_and_the_rest_is_heard(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    pieces = chunks(said, spoken["roadmap"])
    async with worker():
        await room.open(said)
        await room.send(said, *(p for p in pieces if p.headers.seq not in (20, 21)))
        final = await room.final(said)
        [gap] = await room.gaps(said)
    assert (gap.data.start_ms, gap.data.end_ms) == (62_000, 62_200)
    assert gap.data.reason == "audio_lost"
    assert not gap.data.whole
    assert len(set(words(final.data.text)) & set(spoken["roadmap"].words)) >= 8


async def test_chunks_that_come_late_twice_or_malformed_cost_no_word(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    pieces = chunks(said, spoken["budget"])
    moved = [*pieces[:10], *pieces[12:], *pieces[5:12], pieces[3]]
    async with worker():
        await room.open(said)
        await room.send(said, Chunk(replace(pieces[0].headers, utterance_id="utt_other"), b"\0\0"))
        await room.send(said, Chunk(replace(pieces[0].headers, seq=999), b"\0"))
        await room.send(said, *moved)
        final = await room.final(said)
        assert await room.gaps(said) == []
    assert words(final.data.text) == spoken["budget"].words


async def test_silence_ends_in_a_final_without_words(worker: Start, room: Room, spoken: dict[str, Spoken]) -> None:
    said = utterance()
    async with worker():
        await room.say(said, replace(spoken["answer"], samples=spoken["answer"].samples * 0))
        final = await room.final(said)
    assert (final.data.text, final.data.words, final.data.confidence) == ("", [], 0.0)
    assert room.interims == []


async def test_an_utterance_whose_last_chunk_is_empty_is_complete(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    pieces = chunks(said, spoken["question"])
    end = pieces[-1].headers
    opened_end = Chunk(replace(end, last=False, speech_end_sample=None), pieces[-1].pcm)
    first_after = end.first_sample + len(pieces[-1].pcm) // 2
    async with worker():
        await room.open(said)
        await room.send(said, *pieces[:-1], opened_end)
        await room.send(said, Chunk(replace(end, seq=end.seq + 1, first_sample=first_after), b""))
        final = await room.final(said)
    assert words(final.data.text) == spoken["question"].words


async def test_audio_that_stops_without_an_end_becomes_a_truncated_final(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    async with worker():
        await room.open(said)
        await room.send(said, *chunks(said, spoken["question"])[:-3])
        final = await room.final(said)
    assert final.data.truncated
    assert words(final.data.text) == spoken["question"].words


async def test_audio_that_never_comes_becomes_a_gap_that_stands_for_all_of_it(worker: Start, room: Room) -> None:
    said = utterance()
    async with worker():
        await room.open(said)
        await room.until_done()
        [gap] = await room.gaps(said)
        assert await room.finals(said) == []
    assert gap.data.whole
    assert gap.data.reason == "audio_lost"


async def test_a_malformed_item_is_dead_lettered_and_the_next_is_heard(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    bad, good = utterance(), utterance()
    async with worker():
        await room.js.publish(room.subject(UtteranceOpened, bad), b'{"not": "an event"}')
        await room.say(good, spoken["answer"])
        final = await room.final(good)
        [letter] = await room.dead_letters()
    assert words(final.data.text) == spoken["answer"].words
    assert letter.data.original_subject == room.subject(UtteranceOpened, bad)
    assert "malformed" in letter.data.reason


async def test_an_item_given_twice_has_one_final(worker: Start, room: Room, spoken: dict[str, Spoken]) -> None:
    said = utterance()
    async with worker():
        await room.say(said, spoken["answer"])
        first = await room.final(said)
        # Without the id of the first, as if the dedupe window were over; its audio is gone by now.
        again = UtteranceOpened.new(
            id="again", source="test", subject=room.subject(UtteranceOpened, said), tenant="acme", data=said
        )
        await room.js.publish(again.subject, again.to_bytes())
        await room.until_done()
        assert await room.finals(said) == [first]
        assert await room.gaps(said) == []


async def test_a_finished_sentence_is_told_at_the_pause_and_an_unfinished_one_is_not(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    told: list[SttEndpoint] = []

    async def hear(msg: Msg) -> None:
        told.append(SttEndpoint.model_validate_json(msg.data))

    await room.nc.subscribe("stt.v1.endpoint.>", cb=hear)  # pyright: ignore[reportUnknownMemberType]  # untyped in nats-py
    said, cut_off = utterance(), utterance()
    half = replace(spoken["roadmap"], samples=spoken["roadmap"].samples[: 16_000 * 3 // 2])
    async with worker():
        for one, speech in ((cut_off, half), (said, spoken["answer"])):
            await room.open(one)
            pieces = chunks(one, speech)
            await room.send(one, *pieces[:-1], every_s=0.02)

            async def heard(one: Utterance = one) -> bool:
                shown = [each.data.utterance.utterance_id for _, each in room.interims]
                return one.utterance_id in {*shown, *(each.data.utterance_id for each in told)}

            await room.until(heard)
            await room.send(one, pieces[-1])
        await room.until_done()
    [hint] = told
    pause = next(each for each in chunks(said, spoken["answer"]) if each.headers.pause)
    assert hint.data.utterance_id == said.utterance_id
    assert hint.data.up_to_sample == pause.headers.first_sample + len(pause.pcm) // 2
    assert hint.data.track_id == said.track.id


async def test_a_final_of_another_worker_is_never_overwritten(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    async with worker():
        await room.open(said)
        await room.send(said, *chunks(said, spoken["answer"])[:-1])
        first = SttFinal.new(
            id=f"final:{said.utterance_id}",
            source="another",
            subject=room.subject(SttFinal, said),
            tenant="acme",
            data=(await _heard_elsewhere(room, spoken)).data.model_copy(update={"utterance": said}),
        )
        await room.js.publish(first.subject, first.to_bytes())
        await room.send(said, chunks(said, spoken["answer"])[-1])
        assert await room.final(said) == first


async def _heard_elsewhere(room: Room, spoken: dict[str, Spoken]) -> SttFinal:
    other = utterance()
    await room.say(other, spoken["answer"])

    async def there() -> bool:
        return bool(await room.finals(other))

    await room.until(there)
    return (await room.finals(other))[0]
