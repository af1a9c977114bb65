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


class AgentHeartbeatData(AgentRef):
    """Every 15 s, and once more when leaving. `uptime_ms` is monotonic; a lost heartbeat costs nothing."""

    seq: Count
    uptime_ms: Ms
    counters: Counters
    humans: Count
    final: bool = False


class AgentLeftData(AgentRef):
    """The agent is gone. Unless it `crashed`, all it heard is on the bus, or told as a gap."""

    left_at: AwareDatetime
    uptime_ms: Ms
    reason: LeaveReason
    counters: Counters
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
