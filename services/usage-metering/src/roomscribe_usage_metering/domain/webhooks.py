"""LiveKit's webhooks: what `livekit.WebhookEvent` says about use.

Protobuf's JSON writes names in camel case and 64-bit numbers as text, and leaves defaults out; those who read it must
take the proto's own names, plain numbers and nulls as well (protobuf.dev/programming-guides/json).
"""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from roomscribe_usage_metering.domain.evidence import ConnectionSeen, EgressSeen, RoomFinished

_KINDS = {0: "STANDARD", 1: "INGRESS", 2: "EGRESS", 3: "SIP", 4: "AGENT", 7: "CONNECTOR", 8: "BRIDGE"}
_ABORTED = (5, "EGRESS_ABORTED")
_SECOND_MS, _MS_NS = 1_000, 1_000_000


def _whole(value: object) -> object:
    """A 64-bit number may be text; null is the default."""
    if value is None:
        return 0
    return int(value) if isinstance(value, str) and len(value) <= 40 and value.isascii() and value.isdigit() else value


def _kind(value: object) -> object:
    """An enum may be its number; null is the default."""
    if value is None or value == "":
        return "STANDARD"
    if isinstance(value, int) and not isinstance(value, bool):
        return _KINDS.get(value, f"KIND_{value}")
    return value


Seconds = Annotated[int, Field(strict=True, ge=0, le=10**11), BeforeValidator(_whole)]
Milliseconds = Annotated[int, Field(strict=True, ge=0, le=10**14), BeforeValidator(_whole)]
Nanoseconds = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1), BeforeValidator(_whole)]
Sid = Annotated[str, Field(min_length=1, max_length=200)]
Kind = Annotated[str, Field(max_length=40), BeforeValidator(_kind)]


class _Message(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="ignore")


class RoomInfo(_Message):
    """`livekit.Room`."""

    sid: str | None = None


class ParticipantInfo(_Message):
    """`livekit.ParticipantInfo`."""

    sid: Sid
    identity: str | None = None
    kind: Kind = "STANDARD"
    joined_at: Seconds = 0
    joined_at_ms: Milliseconds = 0

    @property
    def joined_ms(self) -> int | None:
        """When the participant joined; older servers tell whole seconds only."""
        return self.joined_at_ms or self.joined_at * _SECOND_MS or None


class EgressInfo(_Message):
    """`livekit.EgressInfo`. A request of one track is sent as it is; all others are transcoded."""

    egress_id: Sid
    room_id: str | None = None
    status: str | int | None = None
    started_at: Nanoseconds = 0
    ended_at: Nanoseconds = 0
    updated_at: Nanoseconds = 0
    track: JsonValue = None


class Webhook(_Message):
    """`livekit.WebhookEvent`."""

    event: Annotated[str, Field(min_length=1, max_length=100)]
    room: RoomInfo | None = None
    participant: ParticipantInfo | None = None
    egress_info: EgressInfo | None = None
    created_at: Seconds = 0

    @property
    def room_sid(self) -> str:
        """The room it is about; empty for those that name none."""
        if self.room is not None and self.room.sid:
            return self.room.sid
        return (self.egress_info.room_id or "") if self.egress_info is not None else ""


PARTICIPANT_EVENTS = frozenset({"participant_joined", "participant_left", "participant_connection_aborted"})
EGRESS_EVENTS = frozenset({"egress_started", "egress_updated", "egress_ended"})
ABOUT_USE = PARTICIPANT_EVENTS | EGRESS_EVENTS | {"room_finished"}


class Incomplete(ValueError):
    """A webhook about use lacks `field`."""

    def __init__(self, event: str, field: str) -> None:
        super().__init__(f"{event} with a bad {field}: missing")
        self.field = field


def evidence_in(hook: Webhook, room_sid: str, at_ms: int) -> ConnectionSeen | EgressSeen | RoomFinished | None:
    """What the webhook says about use of the room at `at_ms`; None for those that say nothing. Raises `Incomplete`."""
    if hook.event not in ABOUT_USE:
        return None
    if hook.event in EGRESS_EVENTS:
        return _egress(hook, room_sid, at_ms)
    if not room_sid:
        raise Incomplete(hook.event, "room.sid")
    if hook.event == "room_finished":
        return RoomFinished(room_sid=room_sid, at_ms=at_ms)
    return _connection(hook, room_sid, at_ms)


def _connection(hook: Webhook, room_sid: str, at_ms: int) -> ConnectionSeen:
    who, joined = hook.participant, hook.event == "participant_joined"
    if who is None:
        raise Incomplete(hook.event, "participant")
    return ConnectionSeen(
        room_sid=room_sid,
        participant_sid=who.sid,
        identity=who.identity or "",
        participant_kind=who.kind,
        joined_ms=who.joined_ms,
        seen_ms=at_ms if joined else None,
        left_ms=None if joined else at_ms,
        aborted=hook.event == "participant_connection_aborted",
    )


def _egress(hook: Webhook, room_sid: str, at_ms: int) -> EgressSeen | None:
    info = hook.egress_info
    if info is None:
        raise Incomplete(hook.event, "egressInfo")
    if not room_sid:  # of a web page: it belongs to no room, and so to no meeting
        return None
    return EgressSeen(
        room_sid=room_sid,
        egress_id=info.egress_id,
        direct=info.track is not None,
        seen_ms=max(at_ms, info.updated_at // _MS_NS),
        started_ms=info.started_at // _MS_NS or None,
        ended_ms=(info.ended_at // _MS_NS or at_ms) if hook.event == "egress_ended" else None,
        aborted=info.status in _ABORTED,
    )
