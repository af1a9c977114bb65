"""A meeting as the dispatcher keeps it, and what is to be done about it next. Pure: no clock, no Redis, no bus."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from roomscribe_common.contracts.agent import AgentRef, LeaveReason
from roomscribe_common.contracts.commands import MeetingView, StartMeeting
from roomscribe_common.contracts.meeting import EndReason, MeetingSpec, MeetingState
from roomscribe_common.ids import Token

_LONGEST_BACKOFF_S: Final = 16.0

NextStep = Literal["nothing", "issue", "conclude", "give_up"]

ENDINGS: Final[dict[LeaveReason, EndReason]] = {
    "requested": "requested",
    "room_closed": "room_closed",
    "empty_room": "empty_room",
}
"""The reasons to leave that end the meeting; after any other the meeting wants its next agent."""


class Meeting(BaseModel):
    """One meeting. `version` counts its changes: whoever changes it must have seen the last one."""

    model_config = ConfigDict(frozen=True)

    tenant: Token
    spec: MeetingSpec
    requested_at: AwareDatetime
    started_at: AwareDatetime | None
    """Time zero of the transcript; absent while scheduled."""
    empty_room_timeout_s: float
    idempotency_key: str | None
    state: MeetingState
    epoch: int = 0
    """Of the last job; 0 before the first."""
    attempts: int = 0
    """Jobs in a row, the last one included, without a lasting agent before them."""
    issued_at: AwareDatetime | None = None
    joined_at: AwareDatetime | None = None
    """When the last job's agent came into the room; absent until it does."""
    room_sid: str | None = None
    ending: EndReason | None = None
    """It is to end, for this reason, as soon as the agent is gone or `ending_until` has passed."""
    ending_until: AwareDatetime | None = None
    version: int = 0

    @property
    def id(self) -> str:
        """The meeting's id."""
        return self.spec.meeting_id

    @property
    def over(self) -> bool:
        """Whether it has ended or failed."""
        return self.state in ("ended", "failed")

    def view(self, *, created: bool) -> MeetingView:
        """As callers are told of it."""
        return MeetingView(
            tenant=self.tenant,
            spec=self.spec,
            state=self.state,
            epoch=self.epoch,
            requested_at=self.requested_at,
            started_at=self.started_at,
            created=created,
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient the dispatcher is; see `DispatcherSettings`."""

    placement_s: float
    max_attempts: int
    lasting_s: float
    flush_s: float


def requested(command: StartMeeting, now: datetime, empty_room_timeout_s: float) -> Meeting:
    """The meeting somebody asks for: scheduled, or with its first job about to be issued."""
    join_at = command.spec.join_at
    scheduled = join_at is not None and join_at > now
    return Meeting(
        tenant=command.tenant,
        spec=command.spec,
        requested_at=now,
        started_at=None if scheduled else now,
        empty_room_timeout_s=command.empty_room_timeout_s or empty_room_timeout_s,
        idempotency_key=command.idempotency_key,
        state="scheduled" if scheduled else "dispatching",
        attempts=0 if scheduled else 1,
        issued_at=None if scheduled else now,
    )


def next_step(meeting: Meeting, attended: bool, now: datetime, policy: Policy) -> NextStep:
    """What to do about a meeting. `attended`: an agent holds its lease."""
    if meeting.over:
        return "nothing"
    if meeting.ending is not None:
        late = meeting.ending_until is not None and now >= meeting.ending_until
        return "conclude" if late or not attended else "nothing"
    if meeting.state == "scheduled":
        join_at = meeting.spec.join_at
        return "issue" if join_at is None or now >= join_at else "nothing"
    if attended or now < _patience_ends(meeting, policy):
        return "nothing"
    return "give_up" if attempts_so_far(meeting, now, policy) >= policy.max_attempts else "issue"


def attempts_so_far(meeting: Meeting, now: datetime, policy: Policy) -> int:
    """Jobs in a row that brought no lasting agent."""
    lasted = meeting.joined_at is not None and now - meeting.joined_at >= timedelta(seconds=policy.lasting_s)
    return 0 if lasted else meeting.attempts


def _patience_ends(meeting: Meeting, policy: Policy) -> datetime:
    """The earliest moment of the next job: its predecessor had its time, and a pause that grows with the attempts."""
    if meeting.issued_at is None or meeting.epoch == 0:
        return meeting.requested_at
    pause_s = min(2.0 ** (meeting.attempts - 1), _LONGEST_BACKOFF_S)
    if meeting.joined_at is None:
        pause_s = max(pause_s, policy.placement_s)
    return meeting.issued_at + timedelta(seconds=pause_s)


def attempt(meeting: Meeting, now: datetime, policy: Policy) -> Meeting:
    """A job is about to be issued. A scheduled meeting's time zero is the time it was scheduled for, whenever
    its agent comes: so it is the same however often the process dies here.
    """
    first = meeting.started_at is None
    return meeting.model_copy(
        update={
            "state": "dispatching" if first else meeting.state,
            "started_at": (meeting.spec.join_at or now) if first else meeting.started_at,
            "attempts": attempts_so_far(meeting, now, policy) + 1,
            "issued_at": now,
            "joined_at": None,
        }
    )


def joined(meeting: Meeting, agent: AgentRef) -> Meeting:
    """The agent of this epoch, or of one that was issued and forgotten, is in the room."""
    if meeting.over or agent.epoch < meeting.epoch:
        return meeting
    return meeting.model_copy(
        update={
            "state": "live",
            "epoch": agent.epoch,
            "joined_at": agent.joined_at,
            "room_sid": agent.room_sid,
        }
    )


def ending(meeting: Meeting, reason: EndReason, now: datetime, policy: Policy) -> Meeting:
    """It is to end. The first reason stands."""
    if meeting.over or meeting.ending is not None:
        return meeting
    until = now + timedelta(seconds=policy.flush_s)
    return meeting.model_copy(update={"ending": reason, "ending_until": until})
