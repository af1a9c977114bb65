"""A meeting's life, and who is in its room."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from roomscribe_common.contracts.base import Data, Event, Metadata, Ms, Name, Participant, Track
from roomscribe_common.ids import Token

Mode = Literal["listen", "copilot"]
MeetingState = Literal["scheduled", "dispatching", "live", "ended", "failed"]
EndReason = Literal["requested", "room_closed", "empty_room", "agent_lost", "cancelled"]
"""`cancelled`: somebody ended it while it was scheduled, so no agent was ever sent."""
RoomName = Annotated[str, StringConstraints(min_length=1, max_length=256)]
"""A LiveKit room name: free text."""


class MeetingSpec(Data):
    """What was asked for: the room to attend, and how."""

    meeting_id: Token
    room: RoomName
    title: Name = ""
    mode: Mode = "listen"
    join_at: AwareDatetime | None = None
    language: Annotated[str, StringConstraints(max_length=35)] = "en"
    keyterms: Annotated[list[Annotated[str, StringConstraints(max_length=128)]], Field(max_length=100)] = []
    metadata: Metadata = {}
    series_id: Token | None = None
    """The series it is an occurrence of."""


class MeetingRequestedData(MeetingSpec):
    """The meeting is wanted. `started_at` is its time zero, given with the first epoch; absent while scheduled."""

    requested_at: AwareDatetime
    started_at: AwareDatetime | None = None
    empty_room_timeout_s: float
    idempotency_key: str | None = None


class MeetingDelayedData(Data):
    """The time of a scheduled meeting has come, and no agent can be sent yet. `reason` as in `MeetingStartedData`."""

    meeting_id: Token
    room: RoomName
    join_at: AwareDatetime
    at: AwareDatetime
    reason: str


class MeetingStartedData(Data):
    """The agent is in the room for the first time.

    `late_ms` and `late_reason` are there if it came more than a second after `join_at`. The reason is a short stable
    name: `room_taken`, `concurrency_limit`, `requested_late`, `dispatcher_away`, `no_agent`, `agent_slow`.
    """

    meeting_id: Token
    room: RoomName
    room_sid: Token
    started_at: AwareDatetime
    joined_at: AwareDatetime
    epoch: int
    late_ms: Ms | None = None
    late_reason: str | None = None


class MeetingEndedData(Data):
    """The meeting is over; nothing more will be heard. `started_at` is absent if no agent was ever sent."""

    meeting_id: Token
    room: RoomName
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime
    reason: EndReason


class MeetingFailedData(Data):
    """No agent could be brought into the room. `reason` is a short stable name, `detail` a sentence."""

    meeting_id: Token
    room: RoomName
    failed_at: AwareDatetime
    reason: str
    detail: str


class RosterData(Data):
    """One person's presence. `at` is when the agent saw it."""

    meeting_id: Token
    room: RoomName
    epoch: int
    participant: Participant
    participant_sid: Token
    at: AwareDatetime


class ParticipantJoinedData(RosterData):
    """`joined_at` is LiveKit's own time of joining, which may lie before the agent's. `kind` is LiveKit's."""

    joined_at: AwareDatetime
    kind: Literal["standard", "ingress", "egress", "sip", "agent", "connector", "bridge", "unknown"]


class ParticipantLeftData(RosterData):
    """The person left the room, or the server gave them up."""

    reason: str = ""


class ParticipantRenamedData(RosterData):
    """`participant.name` is the new name."""

    previous_name: Name


class ParticipantMutedData(RosterData):
    """A track was muted or unmuted."""

    track: Track
    muted: bool


class MeetingRequested(Event[MeetingRequestedData]):
    """A meeting is wanted."""

    TYPE = "meeting.v1.requested"


class MeetingDelayed(Event[MeetingDelayedData]):
    """A scheduled meeting has to wait."""

    TYPE = "meeting.v1.delayed"


class MeetingStarted(Event[MeetingStartedData]):
    """The agent is in the room."""

    TYPE = "meeting.v1.started"


class MeetingEnded(Event[MeetingEndedData]):
    """The meeting is over."""

    TYPE = "meeting.v1.ended"


class MeetingFailed(Event[MeetingFailedData]):
    """The meeting could not be attended."""

    TYPE = "meeting.v1.failed"


class ParticipantJoined(Event[ParticipantJoinedData]):
    """Somebody is in the room. Told again by the next epoch's agent for those already there."""

    TYPE = "meeting.v1.participant_joined"


class ParticipantLeft(Event[ParticipantLeftData]):
    """Somebody left the room."""

    TYPE = "meeting.v1.participant_left"


class ParticipantRenamed(Event[ParticipantRenamedData]):
    """Somebody's visible name changed."""

    TYPE = "meeting.v1.participant_renamed"


class ParticipantMuted(Event[ParticipantMutedData]):
    """Somebody's track was muted or unmuted."""

    TYPE = "meeting.v1.participant_muted"
