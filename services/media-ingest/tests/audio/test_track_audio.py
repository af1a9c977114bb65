"""From samples to a real NATS: order, overflow, and a bus that is slow."""

import asyncio
import time

import numpy as np
import pytest
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.errors import Retryable
from roomscribe_common.testing.until import until
from roomscribe_media_ingest.adapters.track_audio import TrackAudio
from roomscribe_media_ingest.domain.config import WINDOW

from .tracking import (
    CONFIG,
    META,
    STEP,
    Deaf,
    Gate,
    HandClock,
    LoudIsSpeech,
    Moody,
    Speaker,
    chunks,
    gaps,
    joined,
    listening,
    opened,
    sent,
)


async def test_what_is_said_is_on_the_bus_sample_by_sample(bus: Bus):
    async with listening(bus) as (track, speaker):
        speaker.hush(10)
        speaker.sentence()
        assert await track.close(10.0)
    (item,), audio = await opened(bus), await chunks(bus)
    heard = audio[item.data.utterance_id]
    first = (10 * 3 - 11) * WINDOW
    pcm = joined(heard)
    assert np.array_equal(pcm, speaker.said[first : first + len(pcm)])
    assert (item.data.start_ms, item.data.epoch, item.data.keyterms) == (first // 16, 3, ["Roomscribe"])
    assert item.data.started_at.timestamp() == META.started_at.timestamp() + first / 16_000
    assert first + (heard[-1][0].speech_end_sample or 0) == 20 * STEP


async def test_the_pause_is_marked_before_the_last_chunk_which_is_empty(bus: Bus):
    async with listening(bus) as (track, speaker):
        speaker.sentence()
        await track.close(10.0)
    (heard,) = (await chunks(bus)).values()
    assert [headers.pause for headers, _ in heard] == [False] * (len(heard) - 2) + [True, False]
    assert len(heard[-1][1]) == 0


async def test_a_workers_word_that_the_sentence_is_over_ends_the_utterance_unless_it_is_another_or_went_on(bus: Bus):
    async with listening(bus) as (track, speaker):
        speaker.sentence()
        before = track.last_utterance_id
        speaker.speak(10)
        speaker.hush(2)
        spoken = track.last_utterance_id
        assert before is not None
        assert spoken is not None

        async def paused() -> bool:
            return any(headers.pause for headers, _ in (await chunks(bus)).get(spoken, []))

        await until(paused)
        said = sum(len(pcm) for _, pcm in (await chunks(bus))[spoken])
        track.sentence_over(before, said)
        track.sentence_over(spoken, said - WINDOW)
        assert track.counters.utterances_closed == 1
        speaker.speak(1)
        track.sentence_over(spoken, said)
        assert track.counters.utterances_closed == 1
        speaker.hush(2)
        said += 3 * STEP
        track.sentence_over(spoken, said)
        assert track.counters.utterances_closed == 2
        await track.close(10.0)
    heard = (await chunks(bus))[spoken]
    assert len(joined(heard)) == said
    assert heard[-1][0].last


async def test_the_work_item_is_there_while_the_person_still_speaks(bus: Bus):
    async with listening(bus) as (_, speaker):
        speaker.speak(5)

        async def announced() -> bool:
            return len(await opened(bus)) == 1 and len(await chunks(bus)) == 1

        await until(announced)


async def test_counters_say_what_was_heard(bus: Bus):
    async with listening(bus) as (track, speaker):
        speaker.sentence(10)
        speaker.sentence(20)
        await track.close(10.0)
        counters = track.counters
    assert (counters.utterances_opened, counters.utterances_closed) == (2, 2)
    assert counters.audio_ms == 50 * 96
    assert counters.speech_ms == 30 * 96 + 11 * 32
    assert counters.chunks == sum(map(len, (await chunks(bus)).values()))
    assert (counters.dropped_ms, counters.gaps) == (0, 0)


async def test_a_new_name_counts_from_the_next_utterance(bus: Bus):
    async with listening(bus) as (track, speaker):
        speaker.sentence()
        track.rename("Ann Smith")
        speaker.sentence()
        await track.close(10.0)
    assert [item.data.participant.name for item in await opened(bus)] == ["Ann", "Ann Smith"]


async def test_a_mute_ends_the_utterance_at_once(bus: Bus):
    async with listening(bus) as (track, speaker):
        speaker.speak(10)
        track.mute()
        assert track.counters.utterances_closed == 1
        speaker.speak(3)
        assert track.counters.utterances_opened == 2
        await track.close(10.0)
    first, second = (await chunks(bus)).values()
    assert np.array_equal(np.concatenate((joined(first), joined(second))), speaker.said)


async def test_an_utterance_whose_frames_stop_is_closed(bus: Bus):
    clock = HandClock()
    config = CONFIG.model_copy(update={"stalled_ms": 200})
    track = TrackAudio(META, vad=LoudIsSpeech(), bus=bus, clock=clock, config=config)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(track.run())
        Speaker(track, clock).speak(10)
        clock.at_ms += 5_000

        async def closed() -> bool:
            return track.counters.utterances_closed == 1

        await until(closed)
        await track.close(10.0)


async def test_overflow_costs_the_oldest_audio_and_one_gap_says_from_when_to_when(bus: Bus):
    gate = Gate(bus)
    async with listening(gate) as (track, speaker):
        for _ in range(8):
            speaker.sentence(30)
            await asyncio.sleep(0)
        gate.open.set()
        assert await track.close(20.0)
        counters = track.counters
    items, (gap,) = await opened(bus), await gaps(bus)
    begun, *later = items
    assert (counters.gaps, counters.utterances_opened) == (1, 8)
    assert begun.data.start_ms < gap.data.start_ms < gap.data.end_ms <= later[0].data.start_ms
    # Each sentence and its hush is 40 frames; what is not lost is whole, and what is lost is in the gap.
    lost = 8 - len(items)
    assert gap.data.start_ms == 40 * 96 - 352
    assert gap.data.end_ms == pytest.approx((40 * lost + 30) * 96 + CONFIG.pause_ms, abs=96)
    assert counters.dropped_ms == pytest.approx(lost * (30 * 96 + 352 + CONFIG.pause_ms), abs=200)
    for heard in (await chunks(bus)).values():
        joined(heard)
    assert set(await chunks(bus)) == {item.data.utterance_id for item in items}


async def test_what_the_bus_gave_up_is_tried_again(bus: Bus):
    async with listening(Moody(bus)) as (track, speaker):
        speaker.sentence(5)
        assert await track.close(20.0)
    assert len(await opened(bus)) == 1
    (heard,) = (await chunks(bus)).values()
    assert np.array_equal(joined(heard)[: 5 * STEP], speaker.said[: 5 * STEP])


async def test_a_bus_that_takes_nothing_never_holds_up_the_track():
    async with listening(Deaf()) as (track, speaker):
        for _ in range(40):
            speaker.sentence()
            await asyncio.sleep(0)
        counters = track.counters
        assert counters.audio_ms == 40 * 20 * 96
        assert counters.utterances_closed == 40
        assert counters.dropped_ms > counters.speech_ms - CONFIG.buffer_bytes / 32


async def test_what_close_gives_up_is_a_gap_from_the_first_word_that_was_not_sent(bus: Bus):
    gate = Gate(bus)
    gate.open.set()
    async with listening(gate) as (track, speaker):
        speaker.speak(6)
        await sent(track, 3)
        gate.open.clear()
        speaker.speak(4)
        speaker.hush(10)
        speaker.sentence()
        assert not await track.close(0.2)
        counters = track.counters
        partly, wholly = track.give_up()
    [item] = await opened(bus)
    assert (partly.data.utterance_id, partly.data.whole) == (item.data.utterance_id, False)
    assert (partly.data.start_ms, partly.data.end_ms) == (6 * 96, 10 * 96 + CONFIG.pause_ms)
    assert (wholly.data.utterance_id, wholly.data.whole) == (track.last_utterance_id, True)
    assert wholly.data.end_ms - wholly.data.start_ms >= 10 * 96
    assert {gap.data.reason for gap in (partly, wholly)} == {"audio_lost"}
    assert counters.gaps == 2


class Unconfirmed(Gate):
    """A bus that stores work items, and never says so."""

    async def publish(self, event: AnyEvent, /) -> object:
        await super().publish(event)
        raise Retryable("the ack was lost")


async def test_what_close_gives_up_behind_a_work_item_without_an_ack_leaves_what_was_sent_to_its_final(bus: Bus):
    unconfirmed = Unconfirmed(bus)
    unconfirmed.open.set()
    async with listening(unconfirmed) as (track, speaker):
        speaker.sentence()

        async def stored() -> bool:
            return bool(await opened(bus))

        await until(stored)
        assert not await track.close(0.2)
        [gap] = track.give_up()
    [[(_, first)]] = (await chunks(bus)).values()
    assert gap.data.whole is False
    assert gap.data.start_ms == len(first) // 16
    assert gap.data.end_ms >= 10 * 96


async def test_close_gives_up_at_its_deadline_and_says_so():
    async with listening(Deaf()) as (track, speaker):
        speaker.sentence()
        await asyncio.sleep(0)
        began = time.perf_counter()
        assert not await track.close(0.2)
        assert time.perf_counter() - began < 2.0
        assert track.counters.dropped_ms > 900
