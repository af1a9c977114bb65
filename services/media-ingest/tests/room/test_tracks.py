"""What becomes of speech that does not reach the bus before the agent must leave."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import numpy as np
from nats.js import JetStreamContext
from nats.js.api import PubAck
from numpy.typing import NDArray
from roomscribe_common.contracts.base import AnyEvent, Participant, Track
from roomscribe_common.contracts.stt import SttGap
from roomscribe_common.errors import Retryable
from roomscribe_media_ingest.adapters.clock import MeetingClock
from roomscribe_media_ingest.adapters.silero import SileroVad
from roomscribe_media_ingest.adapters.track_audio import TrackAudio
from roomscribe_media_ingest.domain.config import AudioConfig
from roomscribe_media_ingest.domain.utterance import TrackMeta
from roomscribe_media_ingest.room.people import Person
from roomscribe_media_ingest.room.tracks import Tracks

from .eventually import eventually
from .speech import speech

ADA = Person("PA_1", "ada", "Ada", "standard", None)
FRAME = 1_536


class Bus:
    """A bus that takes nothing while it is away."""

    def __init__(self, *, away: bool) -> None:
        self.away = away
        self.opened: list[str] = []
        self.chunks = 0

    @property
    def js(self) -> JetStreamContext:
        raise AssertionError("a bus that refuses no sequence is not read")

    async def publish(self, event: AnyEvent, /) -> object:
        if self.away:
            raise Retryable("away")
        self.opened.append(event.id)
        return None

    async def publish_bytes(self, subject: str, payload: bytes, headers: dict[str, str], /) -> PubAck:
        if self.away:
            raise Retryable("away")
        self.chunks += 1
        return PubAck("AUDIO", self.chunks)

    def listen(self, participant: Participant, track: Track) -> TrackAudio:
        now = datetime.now(UTC)
        meta = TrackMeta("acme", "mtg_1", "kitchen", 1, now, participant, track)
        return TrackAudio(meta, vad=SileroVad().track(), bus=self, clock=MeetingClock(now), config=AudioConfig())


async def talk() -> AsyncGenerator[NDArray[np.int16], None]:
    said = speech()
    for at in range(0, len(said) - FRAME + 1, FRAME):
        yield said[at : at + FRAME]


async def test_speech_given_up_at_the_end_is_told_as_gaps_and_counted():
    told: list[AnyEvent] = []
    tracks = Tracks(Bus(away=True).listen, told.append)
    tracks.start(ADA, Track(id="TR_1", source="microphone"), talk)
    tracks.start(ADA, Track(id="TR_2", source="microphone"), talk)
    await eventually(lambda: tracks.counters.utterances_opened >= 2 and tracks.counters.audio_ms > 7_000)
    tracks.stop("TR_2")  # has time, which the end of the meeting cuts short
    async with asyncio.timeout(10):
        last = await tracks.close(0.1)
    gaps = [event for event in told if isinstance(event, SttGap)]
    assert {gap.data.track.id for gap in gaps} == {"TR_1", "TR_2"}
    assert {gap.data.utterance_id for gap in gaps} >= last
    assert all(gap.data.whole for gap in gaps)
    counters = tracks.counters
    assert counters.gaps == len(gaps) == counters.utterances_opened
    assert counters.dropped_ms > 1_000


async def test_what_somebody_said_who_left_while_the_bus_was_away_is_kept_until_it_is_back():
    told: list[AnyEvent] = []
    bus = Bus(away=True)
    tracks = Tracks(bus.listen, told.append)
    tracks.start(ADA, Track(id="TR_1", source="microphone"), talk)
    await eventually(lambda: tracks.counters.audio_ms > 3_500)
    tracks.stop("TR_1")
    await eventually(lambda: tracks.counters.utterances_closed == tracks.counters.utterances_opened >= 1)
    bus.away = False
    await eventually(lambda: len(bus.opened) == tracks.counters.utterances_opened)
    await tracks.close(10.0)
    assert (told, tracks.counters.gaps, tracks.counters.dropped_ms) == ([], 0, 0)
    assert bus.chunks == tracks.counters.chunks


async def test_a_track_replaced_under_its_id_ends_what_was_open_and_its_first_source_is_let_go():
    let_go = asyncio.Event()

    async def endless() -> AsyncGenerator[NDArray[np.int16], None]:
        try:
            async for pcm in talk():
                yield pcm
            await asyncio.Event().wait()
        finally:
            let_go.set()

    speaking = asyncio.Event()

    async def replacement() -> AsyncGenerator[NDArray[np.int16], None]:
        await speaking.wait()
        async for pcm in talk():
            yield pcm

    bus = Bus(away=False)
    tracks = Tracks(bus.listen, lambda _: None)
    track = Track(id="TR_1", source="microphone")
    tracks.start(ADA, track, endless)
    await eventually(lambda: tracks.counters.utterances_opened >= 1 and tracks.counters.audio_ms > 3_500)
    before = tracks.counters.utterances_opened
    tracks.start(ADA, track, replacement)
    await eventually(lambda: tracks.counters.utterances_closed == before)
    speaking.set()
    async with asyncio.timeout(10):
        await let_go.wait()
    await eventually(lambda: tracks.counters.utterances_opened > before)
    await tracks.close(10.0)
    assert len(bus.opened) == len(set(bus.opened)) == tracks.counters.utterances_opened


class Queued:
    """A source with frames in its queue, and a new one every so often, like a microphone's."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[NDArray[np.int16] | None] = asyncio.Queue()

    async def frames(self) -> AsyncGenerator[NDArray[np.int16], None]:
        while (pcm := await self.queue.get()) is not None:
            yield pcm

    async def fill(self) -> int:
        """What somebody says; returns its length in milliseconds."""
        said = [pcm async for pcm in talk()]
        for pcm in said:
            self.queue.put_nowait(pcm)
        return sum(map(len, said)) // 16


async def test_what_waits_to_be_fed_when_the_agent_leaves_is_sent_and_nothing_is_waited_for_long():
    bus, source = Bus(away=False), Queued()
    tracks = Tracks(bus.listen, lambda _: None)
    tracks.start(ADA, Track(id="TR_1", source="microphone"), source.frames)
    said_ms = await source.fill()
    async with asyncio.timeout(10):
        last = await tracks.close(5.0)
    assert tracks.counters.audio_ms == said_ms
    assert len(bus.opened) == tracks.counters.utterances_opened >= 1
    assert last == {bus.opened[-1].removeprefix("opened:")}


async def test_a_source_that_never_ends_is_read_until_it_has_to_be_waited_for():
    bus, source = Bus(away=False), Queued()
    tracks = Tracks(bus.listen, lambda _: None)
    tracks.start(ADA, Track(id="TR_1", source="microphone"), source.frames)
    await source.fill()

    async def go_on() -> None:
        while True:
            await asyncio.sleep(0.096)
            source.queue.put_nowait(np.zeros(FRAME, np.int16))

    going_on = asyncio.create_task(go_on())
    async with asyncio.timeout(10):
        await tracks.close(5.0)
    going_on.cancel()
    assert tracks.counters.utterances_closed == tracks.counters.utterances_opened >= 1
