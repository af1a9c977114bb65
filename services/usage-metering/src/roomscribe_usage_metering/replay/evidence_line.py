"""One line of a file of evidence: a webhook as LiveKit sends it, a poll of a room, or an agent's heartbeat."""

import math
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from roomscribe_common.errors import field_name

from roomscribe_usage_metering.domain.evidence import (
    AgentSeen,
    ConnectionSeen,
    EgressSeen,
    Lasted,
    RoomFinished,
    RoomPolled,
)
from roomscribe_usage_metering.domain.webhooks import (
    PARTICIPANT_EVENTS,
    Incomplete,
    Kind,
    Milliseconds,
    Sid,
    Webhook,
    evidence_in,
)

SfuFact = ConnectionSeen | RoomPolled | RoomFinished
_TIMED = PARTICIPANT_EVENTS | {"room_finished"}
Number = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]


class BadLine(ValueError):
    """The line is no evidence; the message says which field and why, and quotes nothing of it."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Present(_Part):
    """Somebody in a polled room."""

    sid: Sid
    identity: str | None = None
    kind: Kind = "STANDARD"
    joined_at_ms: Milliseconds = 0


class Poll(_Part):
    """Everybody who was in the room at `at_ms`."""

    room_sid: Sid
    at_ms: Milliseconds
    participants: list[Present]


def _count(value: JsonValue) -> JsonValue:
    if isinstance(value, dict | list):
        raise ValueError("a counter must not be nested")
    if isinstance(value, int | float) and not (math.isfinite(value) and 0 <= value < 2**63):
        raise ValueError(f"a counter must be a number, 0 to {2**63 - 1}")
    return value


class Heartbeat(_Part):
    """An agent's word about itself. `connected_at_ms` is null or 0 until it is connected."""

    job_id: Annotated[str, Field(min_length=1, max_length=200)]
    epoch: Number
    seq: Number
    room_sid: Annotated[str, Field(max_length=200)] | None
    participant_sid: Annotated[str, Field(max_length=200)] | None
    connected_at_ms: Milliseconds
    uptime_ms: Annotated[Lasted, Field(strict=True)]
    counters: dict[str, Annotated[JsonValue, AfterValidator(_count)]] = {}
    final: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _connected_somewhere(self) -> Self:
        if self.connected_at_ms and not (self.room_sid and self.participant_sid):
            raise ValueError("an agent that is connected has a room_sid and a participant_sid")
        return self


class EvidenceLine(BaseModel):
    """Exactly one of the three."""

    model_config = ConfigDict(extra="forbid")

    livekit: Webhook | None = None
    poll: Poll | None = None
    heartbeat: Heartbeat | None = None


def fact_of(line: bytes) -> SfuFact | AgentSeen | None:
    """The fact in a line; None if it says nothing about connections and sessions. Raises `BadLine`."""
    try:
        found = EvidenceLine.model_validate_json(line)
    except ValidationError as error:
        raise BadLine(_why(error)) from error
    given = [one for one in (found.livekit, found.poll, found.heartbeat) if one is not None]
    if len(given) != 1:
        raise BadLine("expected one of livekit, poll, heartbeat")
    if found.poll is not None:
        return _polled(found.poll)
    if found.heartbeat is not None:
        return _alive(found.heartbeat)
    return None if found.livekit is None else _webhook(found.livekit)


def _why(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)
    first = found[0]
    place = field_name(first["loc"])
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{place}: {first['msg']}{more}" if place else f"{first['msg']}{more}"


def _webhook(hook: Webhook) -> SfuFact | None:
    if hook.event in _TIMED and not hook.created_at:
        raise BadLine(f"livekit.createdAt: {hook.event} needs it")
    try:
        fact = evidence_in(hook, hook.room_sid, hook.created_at * 1000)
    except Incomplete as error:
        raise BadLine(f"livekit.{error.field}: {hook.event} needs it") from error
    return None if isinstance(fact, EgressSeen) else fact


def _polled(poll: Poll) -> RoomPolled:
    present = tuple(
        ConnectionSeen(
            room_sid=poll.room_sid,
            participant_sid=who.sid,
            identity=who.identity or "",
            participant_kind=who.kind,
            joined_ms=who.joined_at_ms or None,
            seen_ms=poll.at_ms,
        )
        for who in poll.participants
    )
    return RoomPolled(room_sid=poll.room_sid, at_ms=poll.at_ms, present=present)


def _alive(beat: Heartbeat) -> AgentSeen | None:
    if not beat.connected_at_ms:
        return None
    return AgentSeen(
        room="",
        room_sid=beat.room_sid or "",
        participant_sid=beat.participant_sid or "",
        identity="",
        job_id=beat.job_id,
        epoch=beat.epoch,
        joined_ms=beat.connected_at_ms,
        uptime_ms=beat.uptime_ms,
        left=beat.final,
    )
