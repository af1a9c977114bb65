"""A meeting's transcript, read from the streams."""

from nats.aio.client import Client
from nats.js import JetStreamContext
from roomscribe_common.contracts.insight import Minutes
from roomscribe_common.contracts.meeting import MeetingRequested, ParticipantJoined, ParticipantRenamed
from roomscribe_common.contracts.transcript import TranscriptFinal, TranscriptFinalData, TranscriptRevised
from roomscribe_common.errors import Retryable
from roomscribe_common.registry import stream_of
from roomscribe_common.stored import stored
from roomscribe_common.subjects import subject_of
from roomscribe_common.told import all_events, last_event, read_event

from roomscribe_summarizer.domain.transcript import Segment, Transcript


class Transcripts:
    """Reads what the streams hold of a meeting; keeps nothing."""

    def __init__(self, nc: Client, js: JetStreamContext) -> None:
        self._nc = nc
        self._js = js

    async def read(self, tenant: str, meeting_id: str, room: str, last_sequence: int) -> Transcript:
        """The current reading of every segment, in the order spoken.

        Raises `Retryable` while the stream does not show the final `last_sequence` yet.
        """
        current: dict[str, TranscriptFinalData] = {}
        left_out = 0
        for model in (TranscriptFinal, TranscriptRevised):
            async for message in stored(self._nc, stream_of(model), subject_of(model, tenant, meeting_id)):
                event = read_event(model, message)
                if event is None:
                    left_out += 1
                    continue
                have = current.get(event.data.segment_id)
                if have is None or event.data.revision > have.revision:
                    current[event.data.segment_id] = event.data
        # What is malformed may hold one of the numbers, and is not worth waiting for.
        if max((data.sequence for data in current.values()), default=0) + left_out < last_sequence:
            raise Retryable("the stream does not show the last segment yet")
        spoken = sorted(current.values(), key=lambda data: (data.start_ms, data.sequence))
        names = await self._names(tenant, meeting_id)
        title = await self._title(tenant, meeting_id)
        return Transcript(title, room, tuple(map(_segment, spoken)), frozenset(names))

    async def last_minutes(self, tenant: str, meeting_id: str) -> Minutes | None:
        """The newest minutes of the meeting."""
        return await last_event(self._js, Minutes, tenant, meeting_id)

    async def _names(self, tenant: str, meeting_id: str) -> set[str]:
        names: dict[str, str] = {}
        async for joined in all_events(self._nc, ParticipantJoined, tenant, meeting_id):
            if joined.data.kind != "agent":
                names[joined.data.participant.identity] = joined.data.participant.name
        async for renamed in all_events(self._nc, ParticipantRenamed, tenant, meeting_id):
            if renamed.data.participant.identity in names:
                names[renamed.data.participant.identity] = renamed.data.participant.name
        return {name for name in names.values() if name}

    async def _title(self, tenant: str, meeting_id: str) -> str:
        requested = await last_event(self._js, MeetingRequested, tenant, meeting_id)
        return requested.data.title if requested else ""


def _segment(data: TranscriptFinalData) -> Segment:
    speaker = "" if data.speaker.basis == "unknown" else data.speaker.label or data.participant.name
    return Segment(data.segment_id, data.sequence, speaker, data.start_ms, data.end_ms, data.text, data.language)
