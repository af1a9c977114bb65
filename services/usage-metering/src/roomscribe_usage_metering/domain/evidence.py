"""What is known about a meeting's use, one fact at a time. Times are epoch milliseconds, all numbers integers.

Facts carry producers' times only. The ledger merges them by minimum and maximum, so neither their order nor how often
each came can change it.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from roomscribe_common.contracts.agent import ModelCounters

At = Annotated[int, Field(ge=0, le=10**14)]
"""An instant, up to the year 5138: with a `Lasted` on top of it there still is a date for it."""
Lasted = Annotated[int, Field(ge=0, le=10**14)]
Amount = Annotated[int, Field(ge=0, le=10**15)]
"""Thousands of them still fit into a column of 64 bits."""


class Fact(BaseModel):
    """Base of all evidence."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class MeetingWanted(Fact):
    """The meeting exists; a meeting that was asked for and never held has an empty ledger."""

    kind: Literal["meeting_wanted"] = "meeting_wanted"
    room: str


class MeetingBegan(Fact):
    """The agent is in the room for the first time: this room SID belongs to the meeting from `joined_ms`."""

    kind: Literal["meeting_began"] = "meeting_began"
    room: str
    room_sid: str
    joined_ms: At


class MeetingOver(Fact):
    """The meeting ended."""

    kind: Literal["meeting_over"] = "meeting_over"
    room: str
    ended_ms: At


class AgentSeen(Fact):
    """An agent's own word: connected at `joined_ms`, and alive `uptime_ms` (monotonic) after that."""

    kind: Literal["agent_seen"] = "agent_seen"
    room: str
    room_sid: str
    participant_sid: str
    identity: str
    job_id: str
    epoch: int
    joined_ms: At
    uptime_ms: Lasted
    left: bool = False
    models: tuple[ModelCounters, ...] = ()
    """Cumulative over the epoch."""
    received_bytes: Amount | None = None
    """Cumulative over the connection."""


class ConnectionSeen(Fact):
    """One look at a connection by the SFU. `left_ms` comes from a clock of whole seconds, `joined_ms` does not."""

    kind: Literal["connection_seen"] = "connection_seen"
    room_sid: str
    participant_sid: str
    identity: str
    participant_kind: str
    joined_ms: At | None = None
    seen_ms: At | None = None
    left_ms: At | None = None
    aborted: bool = False
    """It ended before it was ever active."""


class RoomPolled(Fact):
    """Everybody who was in the room at `at_ms`; whoever is not named had gone."""

    kind: Literal["room_polled"] = "room_polled"
    room_sid: str
    at_ms: At
    present: tuple[ConnectionSeen, ...]


class RoomFinished(Fact):
    """The SFU closed the room."""

    kind: Literal["room_finished"] = "room_finished"
    room_sid: str
    at_ms: At


class EgressSeen(Fact):
    """One look at an egress of a room by LiveKit."""

    kind: Literal["egress_seen"] = "egress_seen"
    room_sid: str
    egress_id: str
    direct: bool
    """Of one track, as it is. Everything else is transcoded."""
    seen_ms: At
    started_ms: At | None = None
    ended_ms: At | None = None
    aborted: bool = False
    """It ended before it was ever active."""


class AudioDecoded(Fact):
    """Audio of one utterance went to speech recognition."""

    kind: Literal["audio_decoded"] = "audio_decoded"
    room: str
    utterance_id: str
    track_id: str
    identity: str
    provider: str
    model: str
    audio_ms: Lasted
    start_ms: At
    end_ms: At
    epoch: int = 0
    """The agent's that heard it; 0 if that is not known."""


class TokensUsed(Fact):
    """One request to a language model."""

    kind: Literal["tokens_used"] = "tokens_used"
    request_id: str
    provider: str
    model: str
    input_tokens: Amount
    output_tokens: Amount
    at_ms: At
    cached_tokens: Amount = 0
    """Among the input tokens."""


Evidence = (
    MeetingWanted
    | MeetingBegan
    | MeetingOver
    | AgentSeen
    | ConnectionSeen
    | RoomPolled
    | RoomFinished
    | EgressSeen
    | AudioDecoded
    | TokensUsed
)
EVIDENCE: TypeAdapter[Evidence] = TypeAdapter(Annotated[Evidence, Field(discriminator="kind")])


@dataclass(frozen=True, slots=True)
class MeetingKey:
    """A meeting, and whose it is."""

    tenant: str
    meeting_id: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A meeting's agent in a room: what gives the room's connections to the meeting."""

    room_sid: str
    meeting: MeetingKey
    participant_sid: str
    """The agent's own connection; empty where only the meeting's start is known."""
    joined_ms: int


@dataclass(frozen=True, slots=True)
class Record:
    """Evidence with its permanent key (`tenant`, `source`, `id`) and what it is filed under.

    Facts about a room come from the SFU and have no meeting: `meeting` is None and `tenant` is `_`.
    """

    tenant: str
    source: str
    id: str
    fact: Evidence
    meeting: MeetingKey | None = None
    room_sid: str = ""
