"""Events as they come over the bus, turned into evidence."""

from collections.abc import Generator
from contextlib import contextmanager

from pydantic import ValidationError
from roomscribe_common.contracts.agent import AgentHeartbeat, AgentJoined, AgentLeft, AgentLeftData, AgentMeters
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
    Evidence,
    MeetingBegan,
    MeetingKey,
    MeetingOver,
    MeetingWanted,
    Record,
    TokensUsed,
)
from roomscribe_usage_metering.domain.lines import epoch_ms
from roomscribe_usage_metering.domain.webhooks import ABOUT_USE, Incomplete, Webhook, evidence_in

MeetingEvent = MeetingRequested | MeetingStarted | MeetingEnded
AgentEvent = AgentJoined | AgentHeartbeat | AgentLeft


def of_meeting(event: MeetingEvent) -> Record:
    """The evidence in a meeting's lifecycle event. Raises `Permanent`, as do those below."""
    data = event.data
    fact: Evidence
    with _within_limits(event):
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
    meters = data if isinstance(data, AgentMeters) else None
    with _within_limits(event):
        fact = AgentSeen(
            room=data.room,
            room_sid=data.room_sid,
            participant_sid=data.participant_sid,
            identity=data.identity,
            job_id=data.job_id,
            epoch=data.epoch,
            joined_ms=epoch_ms(data.joined_at),
            uptime_ms=meters.uptime_ms if meters is not None else 0,
            left=isinstance(data, AgentLeftData),
            models=tuple(meters.models) if meters is not None else (),
            received_bytes=meters.received_bytes if meters is not None else None,
        )
    return _record(event, data.meeting_id, fact, data.room_sid)


def of_final(event: SttFinal) -> Record:
    """The audio that was decoded for a final."""
    data, utterance = event.data, event.data.utterance
    start_ms = epoch_ms(utterance.started_at)
    with _within_limits(event):
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
            epoch=utterance.epoch,
        )
    return _record(event, utterance.meeting_id, fact)


def of_tokens(event: LlmUsage) -> Record:
    """The tokens of one request."""
    data = event.data
    with _within_limits(event):
        fact = TokensUsed(
            request_id=data.request_id,
            provider=data.provider,
            model=data.model,
            input_tokens=data.input_tokens,
            cached_tokens=data.cached_input_tokens,
            output_tokens=data.output_tokens,
            at_ms=epoch_ms(data.at),
        )
    return _record(event, data.meeting_id, fact)


def of_webhook(event: LivekitEvent) -> Record | None:
    """The evidence in LiveKit's webhook; None for those that say nothing about use. Raises `Permanent`."""
    data = event.data
    if data.event not in ABOUT_USE:
        return None
    try:
        hook = Webhook.model_validate({**data.body, "event": data.event})
    except ValidationError as error:
        raise _bad_webhook(data.event, error) from error
    room_sid = data.room_sid or hook.room_sid
    try:
        fact = evidence_in(hook, room_sid, epoch_ms(data.created_at))
    except Incomplete as error:
        raise Permanent(str(error)) from error
    return None if fact is None else Record(UNKNOWN, event.source, event.id, fact, None, room_sid)


def _bad_webhook(event: str, error: ValidationError) -> Permanent:
    found = error.errors(include_url=False, include_input=False)
    where = [".".join(map(str, one["loc"])) for one in found]
    first = found[0]["loc"][0]
    return Permanent(f"{event} with a bad {first}: {', '.join(where)}: {found[0]['msg']}")


@contextmanager
def _within_limits(event: AnyEvent) -> Generator[None]:
    """What no ledger can hold is dead-lettered, and not tried again: it would be no better the next time."""
    try:
        yield
    except ValidationError as error:
        [first, *_] = error.errors(include_url=False, include_input=False)
        where = ".".join(map(str, first["loc"]))
        raise Permanent(f"{event.TYPE} with a bad {where}: {first['msg']}") from error


def _record(event: AnyEvent, meeting_id: str, fact: Evidence, room_sid: str = "") -> Record:
    return Record(event.tenant, event.source, event.id, fact, MeetingKey(event.tenant, meeting_id), room_sid)
