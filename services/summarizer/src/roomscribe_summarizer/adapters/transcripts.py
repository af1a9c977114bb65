"""A meeting's transcript, read from the streams."""

import logging

from nats.aio.client import Client
from nats.js import JetStreamContext
from pydantic import ValidationError
from roomscribe_common import stored
from roomscribe_common.contracts.insight import Minutes
from roomscribe_common.contracts.meeting import MeetingRequested, ParticipantJoined, ParticipantRenamed
from roomscribe_common.contracts.transcript import TranscriptFinal, TranscriptFinalData, TranscriptRevised
from roomscribe_common.errors import Retryable
from roomscribe_common.reader import EventT, why
from roomscribe_common.subjects import subject_of

from roomscribe_summarizer.domain.transcript import Segment, Transcript

log = logging.getLogger(__name__)


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
            for event in await self._all("TRANSCRIPTS", model, tenant, meeting_id):
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
        return await self._last("INSIGHTS", Minutes, tenant, meeting_id)

    async def _names(self, tenant: str, meeting_id: str) -> set[str]:
        names: dict[str, str] = {}
        for joined in await self._all("MEETINGS", ParticipantJoined, tenant, meeting_id):
            if joined is not None and joined.data.kind != "agent":
                names[joined.data.participant.identity] = joined.data.participant.name
        for renamed in await self._all("MEETINGS", ParticipantRenamed, tenant, meeting_id):
            if renamed is not None and renamed.data.participant.identity in names:
                names[renamed.data.participant.identity] = renamed.data.participant.name
        return {name for name in names.values() if name}

    async def _title(self, tenant: str, meeting_id: str) -> str:
        requested = await self._last("MEETINGS", MeetingRequested, tenant, meeting_id)
        return requested.data.title if requested else ""

    async def _all(self, stream: str, event: type[EventT], tenant: str, meeting_id: str) -> list[EventT | None]:
        subject = subject_of(event, tenant, meeting_id)
        return [_parsed(event, message.data) async for message in stored.stored(self._nc, stream, subject)]

    async def _last(self, stream: str, event: type[EventT], tenant: str, meeting_id: str) -> EventT | None:
        message = await stored.last(self._js, stream, subject_of(event, tenant, meeting_id))
        return _parsed(event, message.data) if message else None


def _parsed(event: type[EventT], payload: bytes) -> EventT | None:
    """None for what is malformed: it must not cost the meeting its minutes."""
    try:
        return event.model_validate_json(payload)
    except ValidationError as error:
        log.warning("malformed event left out", extra={"type": event.TYPE, "reason": why(error)})
        return None


def _segment(data: TranscriptFinalData) -> Segment:
    speaker = "" if data.speaker.basis == "unknown" else data.speaker.label or data.participant.name
    return Segment(data.segment_id, data.sequence, speaker, data.start_ms, data.end_ms, data.text, data.language)
