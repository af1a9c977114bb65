"""An utterance held up for so long that its worker has ended it: the rest is another, from the very next sample."""

import asyncio

import numpy as np
from nats.js.api import PubAck
from roomscribe_common import stored
from roomscribe_common.bus import EXPECTED_LAST_SUBJECT_SEQUENCE, MSG_ID, Bus
from roomscribe_common.contracts.audio import ChunkHeaders
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.stt import UtteranceOpened
from roomscribe_common.errors import Retryable
from roomscribe_common.subjects import audio_subject
from roomscribe_common.testing.until import until

from .tracking import META, STEP, Gate, chunks, joined, listening, opened, sent

SENT_STEPS = 6


class LosesAcks:
    """A bus that stores, and sometimes does not say so."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.js = bus.js
        self.losing = ""
        self.order: list[str] = []

    async def publish(self, event: AnyEvent, /) -> object:
        self.order.append(event.type)
        return await self._bus.publish(event)

    async def publish_bytes(self, subject: str, payload: bytes, headers: dict[str, str], /) -> PubAck:
        self.order.append("chunk")
        ack = await self._bus.publish_bytes(subject, payload, headers)
        if headers[MSG_ID].endswith(self.losing):
            self.losing = "none"
            raise Retryable("the ack was lost")
        return ack


class SaysTwice:
    """A bus whose every ack was lost and repeated: each says that the message was there already."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.js = bus.js
        self.open = asyncio.Event()
        self.unguarded = 0

    async def publish(self, event: AnyEvent, /) -> object:
        return await self._bus.publish(event)

    async def publish_bytes(self, subject: str, payload: bytes, headers: dict[str, str], /) -> PubAck:
        await self.open.wait()
        self.unguarded += EXPECTED_LAST_SUBJECT_SEQUENCE not in headers
        ack = await self._bus.publish_bytes(subject, payload, headers)
        return PubAck(stream=ack.stream, seq=ack.seq, duplicate=True)


async def end(bus: Bus, item: UtteranceOpened, *, purge: bool) -> None:
    """What a worker does once it has waited long enough, and after its final."""
    place = item.data
    subject = audio_subject(META.tenant, place.meeting_id, place.track.id, place.utterance_id)
    newest = await stored.last(bus.js, "AUDIO", subject)
    assert newest is not None
    last = ChunkHeaders.from_headers(newest.headers)
    marker = ChunkHeaders(place.utterance_id, last.seq + 1, last.first_sample, last=True, truncated=True)
    behind = {MSG_ID: f"{place.utterance_id}:end", EXPECTED_LAST_SUBJECT_SEQUENCE: str(newest.sequence)}
    await bus.publish_bytes(subject, b"", marker.to_headers() | behind)
    if purge:
        await bus.js.purge_stream("AUDIO", subject=subject)


async def held_up(bus: Bus, gate: Gate | SaysTwice, *, purge: bool) -> None:
    gate.open.set()
    async with listening(gate) as (track, speaker):
        speaker.speak(SENT_STEPS)
        await sent(track, 3)
        gate.open.clear()
        speaker.speak(4)
        [item] = await opened(bus)
        await end(bus, item, purge=purge)
        gate.open.set()
        speaker.speak(10)
        speaker.hush(10)
        assert await track.close(10.0)
    old, new = await opened(bus)
    pcm = joined((await chunks(bus))[new.data.utterance_id])
    assert np.array_equal(pcm, speaker.said[SENT_STEPS * STEP :][: len(pcm)])
    last = (await chunks(bus))[new.data.utterance_id][-1][0]
    assert last.speech_end_sample == 14 * STEP
    assert new.data.start_ms == old.data.start_ms + SENT_STEPS * 96
    assert (new.data.started_at - old.data.started_at).total_seconds() * 1000 == SENT_STEPS * 96
    assert new.data.pre_roll_ms == 0
    assert track.counters.dropped_ms == 0


async def test_the_rest_follows_under_a_new_id_from_the_sample_the_worker_has_not_heard(bus: Bus):
    await held_up(bus, Gate(bus), purge=False)


async def test_no_ack_that_calls_itself_a_repetition_makes_words_behind_the_end_heard(bus: Bus):
    twice = SaysTwice(bus)
    await held_up(bus, twice, purge=False)
    assert twice.unguarded == 0, "a chunk nobody expects may be stored a second time"


async def test_it_does_so_after_the_final_too_when_the_audio_has_been_cleared_away(bus: Bus):
    await held_up(bus, Gate(bus), purge=True)


async def test_a_chunk_whose_ack_was_lost_is_not_sent_twice(bus: Bus):
    lossy = LosesAcks(bus)
    lossy.losing = ":1"
    async with listening(lossy) as (track, speaker):
        speaker.sentence()
        assert await track.close(10.0)
    assert lossy.losing == "none"
    [item] = await opened(bus)
    pcm = joined((await chunks(bus))[item.data.utterance_id])
    assert np.array_equal(pcm[: 10 * STEP], speaker.said[: 10 * STEP])


async def test_a_chunk_whose_ack_was_lost_before_the_end_is_not_said_again_behind_it(bus: Bus):
    lossy = LosesAcks(bus)
    lossy.losing = ":2"
    async with listening(lossy) as (track, speaker):
        speaker.speak(SENT_STEPS)

        async def lost() -> bool:
            return lossy.losing == "none"

        await until(lost)
        await end(bus, (await opened(bus))[0], purge=False)
        speaker.speak(4)
        speaker.hush(10)
        assert await track.close(10.0)
    old, new = await opened(bus)
    audio = await chunks(bus)
    first, rest = audio[old.data.utterance_id], joined(audio[new.data.utterance_id])
    before = sum(len(pcm) for headers, pcm in first if headers.seq < 3)
    assert before == SENT_STEPS * STEP
    assert np.array_equal(rest, speaker.said[before:][: len(rest)])


async def test_an_end_that_holds_no_speech_is_not_said_again(bus: Bus):
    gate = Gate(bus)
    gate.open.set()
    async with listening(gate) as (track, speaker):
        speaker.speak(SENT_STEPS)
        await sent(track, 3)
        gate.open.clear()
        speaker.hush(10)
        await end(bus, (await opened(bus))[0], purge=True)
        gate.open.set()
        assert await track.close(10.0)
    assert len(await opened(bus)) == 1
    assert track.queued_bytes == 0


async def test_the_work_item_follows_the_first_chunk_so_whoever_claims_it_finds_audio(bus: Bus):
    lossy = LosesAcks(bus)
    lossy.losing = "none"
    async with listening(lossy) as (track, speaker):
        speaker.sentence()
        assert await track.close(10.0)
    assert lossy.order[:3] == ["chunk", UtteranceOpened.TYPE, "chunk"]
