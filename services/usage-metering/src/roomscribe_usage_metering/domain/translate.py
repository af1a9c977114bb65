"""Events as they come over the bus, turned into evidence."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from roomscribe_common.contracts.agent import AgentHeartbeat, AgentHeartbeatData, AgentJoined, AgentLeft, AgentLeftData
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.livekit import LivekitEvent
from roomscribe_common.contracts.meeting import MeetingEnded, MeetingRequested, MeetingStarted
from roomscribe_common.contracts.stt import SttFinal
from roomscribe_common.contracts.usage import LlmUsage
from roomscribe_common.errors import Permanent
from roomscribe_common.subjects import UNKNOWN

from roomscribe_usage_metering.domain.evidence import (
    AgentSeen,
    AudioDecoded,
    ConnectionSeen,
    Evidence,
    MeetingBegan,
    MeetingKey,
    MeetingOver,
    MeetingWanted,
    Record,
    RoomFinished,
    TokensUsed,
)
from roomscribe_usage_metering.domain.lines import epoch_ms

MeetingEvent = MeetingRequested | MeetingStarted | MeetingEnded
AgentEvent = AgentJoined | AgentHeartbeat | AgentLeft


class _Participant(BaseModel):
    """`livekit.ParticipantInfo` in protobuf's JSON: camel case, 64-bit numbers as text, defaults left out."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, extra="ignore")

    sid: str = Field(min_length=1)
    identity: str = ""
    kind: str = "STANDARD"
    joined_at: int = 0
    joined_at_ms: int = 0

    @property
    def joined_ms(self) -> int | None:
        return self.joined_at_ms or self.joined_at * 1000 or None


def of_meeting(event: MeetingEvent) -> Record:
    """The evidence in a meeting's lifecycle event."""
    data = event.data
    fact: Evidence
    match event:
        case MeetingRequested():
            fact = MeetingWanted(room=data.room)
        case MeetingStarted(data=started):
            fact = MeetingBegan(room=data.room, room_sid=started.room_sid, joined_ms=epoch_ms(started.joined_at))
        case MeetingEnded(data=ended):
            fact = MeetingOver(room=data.room, ended_ms=epoch_ms(ended.ended_at))
    room_sid = fact.room_sid if isinstance(fact, MeetingBegan) else ""
    return _record(event, data.meeting_id, fact, room_sid)


def of_agent(event: AgentEvent) -> Record:
    """The evidence in an agent's word about itself."""
    data = event.data
    fact = AgentSeen(
        room=data.room,
        room_sid=data.room_sid,
        participant_sid=data.participant_sid,
        identity=data.identity,
        job_id=data.job_id,
        epoch=data.epoch,
        joined_ms=epoch_ms(data.joined_at),
        uptime_ms=data.uptime_ms if isinstance(data, AgentHeartbeatData | AgentLeftData) else 0,
        left=isinstance(data, AgentLeftData),
    )
    return _record(event, data.meeting_id, fact, data.room_sid)


def of_final(event: SttFinal) -> Record:
    """The audio that was decoded for a final."""
    data, utterance = event.data, event.data.utterance
    start_ms = epoch_ms(utterance.started_at)
    fact = AudioDecoded(
        room=utterance.room,
        utterance_id=utterance.utterance_id,
        track_id=utterance.track.id,
        identity=utterance.participant.identity,
        provider=data.stt.provider,
        model=data.stt.model,
        audio_ms=data.audio_ms,
        start_ms=start_ms,
        end_ms=start_ms + data.audio_ms,
    )
    return _record(event, utterance.meeting_id, fact)


def of_tokens(event: LlmUsage) -> Record:
    """The tokens of one request. Cached input tokens are among the input tokens."""
    data = event.data
    fact = TokensUsed(
        request_id=data.request_id,
        provider=data.provider,
        model=data.model,
        input_tokens=data.input_tokens,
        output_tokens=data.output_tokens,
        at_ms=epoch_ms(data.at),
    )
    return _record(event, data.meeting_id, fact)


def of_webhook(event: LivekitEvent) -> Record | None:
    """The evidence in LiveKit's webhook; None for those that say nothing about use. Raises `Permanent`."""
    data = event.data
    at_ms = epoch_ms(data.created_at)
    fact: Evidence
    match data.event:
        case "room_finished":
            fact = RoomFinished(room_sid=data.room_sid, at_ms=at_ms)
        case "participant_joined":
            fact = _connection(event, seen_ms=at_ms)
        case "participant_left":
            fact = _connection(event, left_ms=at_ms)
        case "participant_connection_aborted":
            fact = _connection(event, left_ms=at_ms, aborted=True)
        case _:
            return None
    if not data.room_sid:
        raise Permanent(f"{data.event} without a room SID")
    return Record(UNKNOWN, event.source, event.id, fact, None, data.room_sid)


def _connection(
    event: LivekitEvent, *, seen_ms: int | None = None, left_ms: int | None = None, aborted: bool = False
) -> ConnectionSeen:
    try:
        who = _Participant.model_validate(event.data.body.get("participant"))
    except ValidationError as error:
        places = ", ".join(".".join(map(str, e["loc"])) or "participant" for e in error.errors())
        raise Permanent(f"{event.data.event} with a bad participant: {places}") from error
    return ConnectionSeen(
        room_sid=event.data.room_sid,
        participant_sid=who.sid,
        identity=who.identity,
        participant_kind=who.kind,
        joined_ms=who.joined_ms,
        seen_ms=seen_ms,
        left_ms=left_ms,
        aborted=aborted,
    )


def _record(event: AnyEvent, meeting_id: str, fact: Evidence, room_sid: str = "") -> Record:
    return Record(event.tenant, event.source, event.id, fact, MeetingKey(event.tenant, meeting_id), room_sid)
