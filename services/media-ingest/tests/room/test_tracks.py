"""What becomes of speech that does not reach the bus before the agent must leave."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import numpy as np
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


class Away:
    """A bus that takes nothing."""

    async def publish(self, event: AnyEvent, /) -> object:
        raise Retryable("away")

    async def publish_bytes(self, subject: str, payload: bytes, headers: dict[str, str], /) -> object:
        raise Retryable("away")


def listen(participant: Participant, track: Track) -> TrackAudio:
    now = datetime.now(UTC)
    meta = TrackMeta("acme", "mtg_1", "kitchen", 1, now, participant, track)
    return TrackAudio(meta, vad=SileroVad().track(), bus=Away(), clock=MeetingClock(now), config=AudioConfig())


async def talk() -> AsyncGenerator[NDArray[np.int16], None]:
    said = speech()
    for at in range(0, len(said) - FRAME + 1, FRAME):
        yield said[at : at + FRAME]


async def test_speech_given_up_at_the_end_is_told_as_gaps_and_counted():
    told: list[AnyEvent] = []
    tracks = Tracks(listen, told.append)
    tracks.start(ADA, Track(id="TR_1", source="microphone"), talk)
    tracks.start(ADA, Track(id="TR_2", source="microphone"), talk)
    await eventually(lambda: tracks.counters.utterances_opened >= 2 and tracks.counters.audio_ms > 7_000)
    tracks.stop("TR_2")  # has a minute of its own, which the end of the meeting cuts short
    last = tracks.last_utterances
    async with asyncio.timeout(10):
        await tracks.close(0.1)
    gaps = [event for event in told if isinstance(event, SttGap)]
    assert {gap.data.track.id for gap in gaps} == {"TR_1", "TR_2"}
    assert {gap.data.utterance_id for gap in gaps} >= last
    assert all(gap.data.whole for gap in gaps)
    counters = tracks.counters
    assert counters.gaps == len(gaps) == counters.utterances_opened
    assert counters.dropped_ms > 1_000
