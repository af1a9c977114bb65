"""A meeting's speech-to-text results on a real NATS, and the transcript that comes of them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from roomscribe_attribution.app import build
from roomscribe_attribution.settings import AttributionSettings
from roomscribe_common.contracts.base import AnyEvent, Participant, SttModel, Track
from roomscribe_common.contracts.meeting import MeetingEnded, MeetingEndedData
from roomscribe_common.contracts.stt import (
    SttFinal,
    SttFinalData,
    SttGap,
    SttGapData,
    SttInterim,
    SttInterimData,
    Utterance,
    UtteranceOpened,
)
from roomscribe_common.contracts.transcript import (
    TranscriptCompleted,
    TranscriptFinal,
    TranscriptGap,
    TranscriptInterim,
)
from roomscribe_common.service import Service
from roomscribe_common.stored import stored
from roomscribe_common.subjects import subject_of, wildcard
from roomscribe_common.testing.service import running_service
from roomscribe_common.testing.settled import settled
from roomscribe_common.testing.until import until

TENANT = "acme"
STARTED = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
MODEL = SttModel(provider="test", model="echo")


def utterance(id: str, meeting: str = "mtg_1", start_ms: int = 1000) -> Utterance:
    return Utterance(
        utterance_id=id,
        meeting_id=meeting,
        room="planning",
        epoch=1,
        participant=Participant(identity="ada", name="Ada Lindqvist"),
        track=Track(id="TR_ada", source="microphone"),
        started_at=STARTED,
        start_ms=start_ms,
    )


def _subject(event: type[AnyEvent], spoken: Utterance) -> str:
    return subject_of(event, TENANT, spoken.meeting_id, spoken.track.id, spoken.utterance_id)


def final(id: str, text: str = "ship it", meeting: str = "mtg_1", attempt: int = 1) -> SttFinal:
    spoken = utterance(id, meeting)
    data = SttFinalData(
        utterance=spoken,
        attempt=attempt,
        end_ms=2500,
        text=text,
        confidence=0.9,
        language="en",
        stt=MODEL,
        audio_ms=1500,
    )
    return SttFinal.new(
        id=f"final:{id}", source="stt-worker", subject=_subject(SttFinal, spoken), tenant=TENANT, data=data
    )


def interim(id: str, version: int, text: str = "ship", attempt: int = 1) -> SttInterim:
    spoken = utterance(id)
    data = SttInterimData(
        utterance=spoken, attempt=attempt, version=version, end_ms=2000, text=text, confidence=0.5, stt=MODEL
    )
    return SttInterim.new(
        id=f"interim:{id}:{attempt}:{version}",
        source="stt-worker",
        subject=_subject(SttInterim, spoken),
        tenant=TENANT,
        data=data,
    )


def gap(id: str, utterance_id: str, whole: bool = False, meeting: str = "mtg_1") -> SttGap:
    spoken = utterance(utterance_id, meeting)
    data = SttGapData(
        gap_id=id,
        utterance_id=utterance_id,
        meeting_id=meeting,
        room=spoken.room,
        epoch=1,
        participant=spoken.participant,
        track=spoken.track,
        start_ms=1000,
        end_ms=1700,
        reason="audio_lost",
        whole=whole,
    )
    return SttGap.new(id=f"gap:{id}", source="stt-worker", subject=_subject(SttGap, spoken), tenant=TENANT, data=data)


def opened(id: str, meeting: str = "mtg_1") -> UtteranceOpened:
    spoken = utterance(id, meeting)
    return UtteranceOpened.new(
        id=f"utterance:{id}",
        source="media-ingest",
        subject=_subject(UtteranceOpened, spoken),
        tenant=TENANT,
        data=spoken,
    )


def ended(meeting: str = "mtg_1") -> MeetingEnded:
    data = MeetingEndedData(
        meeting_id=meeting, room="planning", started_at=STARTED, ended_at=datetime.now(UTC), reason="requested"
    )
    return MeetingEnded.new(
        id=f"ended:{meeting}",
        source="dispatcher",
        subject=subject_of(MeetingEnded, TENANT, meeting),
        tenant=TENANT,
        data=data,
    )


class Bench:
    """Stands for the services around attribution; `heard` is what went over `transcript.v1.interim`."""

    def __init__(self, nc: Client) -> None:
        self.nc = nc
        self.js = JetStreamContext(nc)
        self.heard: list[TranscriptInterim] = []

    async def listen(self) -> None:
        async def hear(msg: Msg) -> None:
            self.heard.append(TranscriptInterim.model_validate_json(msg.data))

        await self.nc.subscribe(wildcard(TranscriptInterim), cb=hear)  # pyright: ignore[reportUnknownMemberType]  # untyped in nats-py
        await self.nc.flush()

    async def say(self, *events: AnyEvent) -> None:
        """Publish without an id, so that no dedupe window stands between a test and a duplicate."""
        for event in events:
            await self.js.publish(event.subject, event.to_bytes())

    async def whisper(self, *events: AnyEvent) -> None:
        """On core NATS."""
        for event in events:
            await self.nc.publish(event.subject, event.to_bytes())

    async def transcript(self, meeting: str = "mtg_1") -> list[TranscriptFinal]:
        subject = subject_of(TranscriptFinal, TENANT, meeting)
        return [TranscriptFinal.model_validate_json(m.data) async for m in stored(self.nc, "TRANSCRIPTS", subject)]

    async def gaps(self, meeting: str = "mtg_1") -> list[TranscriptGap]:
        subject = subject_of(TranscriptGap, TENANT, meeting)
        return [TranscriptGap.model_validate_json(m.data) async for m in stored(self.nc, "TRANSCRIPTS", subject)]

    async def completed(self, meeting: str = "mtg_1") -> list[TranscriptCompleted]:
        subject = subject_of(TranscriptCompleted, TENANT, meeting)
        return [TranscriptCompleted.model_validate_json(m.data) async for m in stored(self.nc, "TRANSCRIPTS", subject)]

    async def texts(self, meeting: str = "mtg_1") -> list[str]:
        return [event.data.text for event in await self.transcript(meeting)]

    async def settled(self, consumer: str = "attribution-stt-results") -> bool:
        """Everything published for the consumer so far is acked."""
        return await settled(self.js, consumer)

    async def forget_duplicates(self) -> None:
        """Make the transcript's dedupe window so short that only the stored state can tell a duplicate."""
        config = (await self.js.stream_info("TRANSCRIPTS")).config
        config.duplicate_window = 0.1
        await self.js.update_stream(config)  # pyright: ignore[reportUnknownMemberType]  # untyped in nats-py

    async def has_heard(self, count: int) -> bool:
        return len(self.heard) >= count

    async def until(self, reached: Callable[[], Awaitable[bool]], timeout_s: float = 20.0) -> None:
        await until(reached, timeout_s)

    async def until_segments(self, count: int, meeting: str = "mtg_1") -> list[TranscriptFinal]:
        async def reached() -> bool:
            return len(await self.transcript(meeting)) >= count

        await self.until(reached)
        return await self.transcript(meeting)

    async def until_completed(self, meeting: str = "mtg_1") -> TranscriptCompleted:
        async def reached() -> bool:
            return bool(await self.completed(meeting))

        await self.until(reached)
        [event] = await self.completed(meeting)
        return event


Running = AbstractAsyncContextManager[Service[AttributionSettings]]


@pytest.fixture
def start_at() -> Callable[..., Running]:
    """Starts a replica on the NATS of that address: `async with start_at(url, "one"):`."""

    def start(nats_url: str, instance: str = "one", **settings: float) -> Running:
        built = AttributionSettings.model_validate({"nats_url": nats_url, "instance": instance, **settings})
        return running_service("attribution", built, build)

    return start


@pytest.fixture
def attribution(streams: str, start_at: Callable[..., Running]) -> Callable[..., Running]:
    """Starts a replica: `async with attribution():`."""
    return partial(start_at, streams)


@pytest.fixture
async def bench(streams: str) -> AsyncIterator[Bench]:
    nc = await nats.connect(streams, connect_timeout=5)  # pyright: ignore[reportUnknownMemberType]  # untyped in nats-py
    bench = Bench(nc)
    await bench.listen()
    yield bench
    await nc.close()
