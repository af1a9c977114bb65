"""The agent in the room: that it came, that it lives, that it left."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from roomscribe_common.contracts.base import Data, Event, Ms
from roomscribe_common.contracts.meeting import RoomName
from roomscribe_common.ids import Token

LeaveReason = Literal[
    "requested",
    "room_closed",
    "room_emptied",
    "empty_room",
    "superseded",
    "lease_lost",
    "shutdown",
    "failed",
    "crashed",
]
"""`room_closed`: somebody deleted the room. `room_emptied`: LiveKit closed it because nobody was there, so the meeting
goes on if they come back in time. `empty_room`: nobody was there for the meeting's own time. `crashed`: the process
died, and its node says so.
"""
Count = Annotated[int, Field(ge=0)]


class AgentRef(Data):
    """Which agent: its meeting, job, epoch and its place in LiveKit."""

    meeting_id: Token
    room: RoomName
    job_id: Token
    epoch: int
    room_sid: Token
    participant_sid: Token
    identity: str
    node: str
    joined_at: AwareDatetime


class AgentJoinedData(AgentRef):
    """The agent is connected; `connect_ms` is from the claimed job to that."""

    connect_ms: Ms


class Counters(Data):
    """Cumulative since this epoch's agent joined; only ever grow."""

    utterances_opened: Count = 0
    utterances_closed: Count = 0
    speech_ms: Ms = 0
    audio_ms: Ms = 0
    dropped_ms: Ms = 0
    chunks: Count = 0
    gaps: Count = 0


class ModelCounters(Data):
    """What the agent's process used of one model. Cumulative since this epoch's agent joined; only ever grow.

    For models the agent asks itself. What services report by events of their own (finals, requests) is not in here.
    """

    provider: str
    model: str
    track_id: str = ""
    """Whose audio; empty where the model is not asked for one track."""
    stt_ms: Ms = 0
    stt_basis: Literal["connection", "pushed"] = "pushed"
    """`connection`: how long the stream was open. `pushed`: how much audio was sent."""
    input_tokens: Count = 0
    cached_input_tokens: Count = 0
    """Among the input tokens."""
    output_tokens: Count = 0
    tts_characters: Count = 0
    """Sent to the provider, also of speech that was interrupted."""


class AgentMeters(AgentRef):
    """What an agent says of its use: `uptime_ms` is monotonic, since it joined."""

    uptime_ms: Ms
    counters: Counters
    models: Annotated[list[ModelCounters], Field(max_length=200)] = []
    received_bytes: Count | None = None
    """By its connection since it joined; absent if the agent does not know."""


class AgentHeartbeatData(AgentMeters):
    """Every 15 s, and once more when leaving. A lost heartbeat costs nothing."""

    seq: Count
    humans: Count
    final: bool = False


class AgentLeftData(AgentMeters):
    """The agent is gone. Unless it `crashed`, all it heard is on the bus, or told as a gap."""

    left_at: AwareDatetime
    reason: LeaveReason
    heard_until: AwareDatetime | None = None
    """When it stopped listening; absent from one that did to the end."""
    empty_since: AwareDatetime | None = None
    """When the last human went; absent while somebody is there."""


class AgentJoined(Event[AgentJoinedData]):
    """The agent is in the room."""

    TYPE = "agent.v1.joined"


class AgentHeartbeat(Event[AgentHeartbeatData]):
    """The agent lives."""

    TYPE = "agent.v1.heartbeat"


class AgentLeft(Event[AgentLeftData]):
    """The agent left the room."""

    TYPE = "agent.v1.left"
