"""Stands for the services around the summarizer."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from nats.aio.client import Client
from roomscribe_common.contracts.base import AnyEvent, Participant, SttModel, Track
from roomscribe_common.contracts.insight import Minutes
from roomscribe_common.contracts.meeting import (
    MeetingRequested,
    MeetingRequestedData,
    ParticipantJoined,
    ParticipantJoinedData,
)
from roomscribe_common.contracts.transcript import (
    Speaker,
    TranscriptCompleted,
    TranscriptCompletedData,
    TranscriptFinal,
    TranscriptFinalData,
    TranscriptRevised,
)
from roomscribe_common.contracts.usage import LlmUsage
from roomscribe_common.stored import stored
from roomscribe_common.streams import entrance
from roomscribe_common.subjects import subject_of
from roomscribe_common.testing.settled import settled

TENANT, ROOM = "acme", "planning"
START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def final(sequence: int, speaker: str, text: str, *, meeting: str = "mtg_1", revision: int = 1) -> TranscriptFinal:
    event = TranscriptRevised if revision > 1 else TranscriptFinal
    data = TranscriptFinalData(
        segment_id=f"utt_{sequence}",
        revision=revision,
        sequence=sequence,
        meeting_id=meeting,
        room=ROOM,
        participant=Participant(identity=speaker.lower(), name=speaker),
        speaker=Speaker(id=speaker.lower(), label=speaker, basis="track", confidence=1),
        track=Track(id="TR_1", source="microphone"),
        start_ms=sequence * 3_000,
        end_ms=sequence * 3_000 + 2_500,
        started_at=START + timedelta(seconds=sequence * 3),
        text=text,
        language="en",
        confidence=0.9,
        stt=SttModel(provider="test", model="echo"),
    )
    id_ = f"{'revised' if revision > 1 else 'final'}:{meeting}:{sequence}:{revision}"
    return event.new(id=id_, source="test", subject=subject_of(event, TENANT, meeting), tenant=TENANT, data=data)  # pyright: ignore[reportReturnType] — both carry the same data


def completed(last_sequence: int, *, meeting: str = "mtg_1") -> TranscriptCompleted:
    data = TranscriptCompletedData(
        meeting_id=meeting,
        room=ROOM,
        completed_at=START,
        segments=last_sequence,
        last_sequence=last_sequence,
        complete=True,
    )
    subject = subject_of(TranscriptCompleted, TENANT, meeting)
    return TranscriptCompleted.new(id=f"completed:{meeting}", source="test", subject=subject, tenant=TENANT, data=data)


def requested(title: str, *, meeting: str = "mtg_1") -> MeetingRequested:
    data = MeetingRequestedData(meeting_id=meeting, room=ROOM, title=title, requested_at=START, empty_room_timeout_s=60)
    subject = subject_of(MeetingRequested, TENANT, meeting)
    return MeetingRequested.new(id=f"requested:{meeting}", source="test", subject=subject, tenant=TENANT, data=data)


def joined(name: str, *, meeting: str = "mtg_1") -> ParticipantJoined:
    data = ParticipantJoinedData(
        meeting_id=meeting,
        room=ROOM,
        epoch=1,
        participant=Participant(identity=name.lower(), name=name),
        participant_sid="PA_1",
        at=START,
        joined_at=START,
        kind="standard",
    )
    subject = subject_of(ParticipantJoined, TENANT, meeting)
    return ParticipantJoined.new(id=f"joined:{name}", source="test", subject=subject, tenant=TENANT, data=data)


class Bench:
    """Publishes what others would, and reads what came of it."""

    def __init__(self, nc: Client) -> None:
        self.nc = nc
        self.js = nc.jetstream()  # pyright: ignore[reportUnknownMemberType]  # untyped in nats-py

    async def say(self, *events: AnyEvent) -> None:
        """Publish without an id, so that no dedupe window stands between a test and a duplicate."""
        for event in events:
            await self.js.publish(entrance(event.subject), event.to_bytes())

    async def minutes(self, meeting: str = "mtg_1") -> list[Minutes]:
        subject = subject_of(Minutes, TENANT, meeting)
        return [Minutes.model_validate_json(m.data) async for m in stored(self.nc, "INSIGHTS", subject)]

    async def tokens(self, meeting: str = "mtg_1") -> list[LlmUsage]:
        subject = subject_of(LlmUsage, TENANT, meeting)
        return [LlmUsage.model_validate_json(m.data) async for m in stored(self.nc, "USAGE", subject)]

    async def settled(self) -> bool:
        """Everything published so far was handled and acked."""
        return await settled(self.js, "summarizer-transcripts")

    async def until_minutes(self, count: int = 1, meeting: str = "mtg_1") -> list[Minutes]:
        async def reached() -> bool:
            return len(await self.minutes(meeting)) >= count

        await until(reached)
        return await self.minutes(meeting)


async def until(reached: Callable[[], Awaitable[bool]], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not await reached():
        assert time.monotonic() < deadline, "the condition was not reached in time"
        await asyncio.sleep(0.02)
