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
_LATECOMERS: Final = timedelta(minutes=5)
"""So long after its time a scheduled meeting still waits for the first to come."""
_CLOSES: Final = timedelta(seconds=30)
"""LiveKit closes a room so long after the last person left (its `departure_timeout`, 20 s) at the latest: a room that
is vacant so soon after the agent came may have been left before.
"""

NextStep = Literal["nothing", "issue", "conclude", "give_up", "close_empty"]
Blocked = Literal["room_taken", "concurrency_limit"]
"""Why no agent can be sent to a scheduled meeting yet."""

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
    heard_until: AwareDatetime | None = None
    """Until when the agents before the last one heard; absent before the first was lost."""
    anybody_there: bool = True
    """Whether people were in the room then."""
    vacant_since: AwareDatetime | None = None
    """The room closed because nobody is there; an agent comes when somebody does."""
    late_reason: Blocked | None = None
    """Why its time came and no agent could be sent; the first reason stands."""
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
    join_early_s: float = 3.0
    max_late_s: float = 3600.0


def scheduled(command: StartMeeting, now: datetime, empty_room_timeout_s: float) -> Meeting:
    """A meeting that waits for its `join_at`."""
    return Meeting(
        tenant=command.tenant,
        spec=command.spec,
        requested_at=now,
        started_at=None,
        empty_room_timeout_s=command.empty_room_timeout_s or empty_room_timeout_s,
        idempotency_key=command.idempotency_key,
        state="scheduled",
    )


def requested(command: StartMeeting, now: datetime, empty_room_timeout_s: float, join_early_s: float = 0.0) -> Meeting:
    """The meeting somebody asks for: scheduled, or with its first job about to be issued."""
    meeting = scheduled(command, now, empty_room_timeout_s)
    join_at = command.spec.join_at
    if join_at is not None and now < join_at - timedelta(seconds=join_early_s):
        return meeting
    begins = now if join_at is None else max(join_at, now)
    return meeting.model_copy(update={"state": "dispatching", "started_at": begins, "attempts": 1, "issued_at": now})


def was_scheduled(meeting: Meeting) -> bool:
    """Whether it was asked for before its time; an occurrence of a series always was."""
    spec = meeting.spec
    return spec.join_at is not None and (spec.series_id is not None or spec.join_at > meeting.requested_at)


def due_at(meeting: Meeting, now: datetime, join_early_s: float) -> datetime:
    """When it is to be looked at: now, or if it is scheduled, early enough to be in the room at `join_at`."""
    join_at = meeting.spec.join_at
    if meeting.state != "scheduled" or join_at is None or meeting.ending is not None:
        return now
    return join_at - timedelta(seconds=join_early_s)


def next_step(meeting: Meeting, attended: bool, now: datetime, policy: Policy) -> NextStep:
    """What to do about a meeting. `attended`: an agent holds its lease."""
    if meeting.over:
        return "nothing"
    if meeting.ending is not None:
        late = meeting.ending_until is not None and now >= meeting.ending_until
        return "conclude" if late or not attended else "nothing"
    if meeting.state == "scheduled":
        join_at = meeting.spec.join_at or meeting.requested_at
        if now >= join_at + timedelta(seconds=policy.max_late_s):
            return "give_up"
        return "issue" if now >= due_at(meeting, now, policy.join_early_s) else "nothing"
    if meeting.vacant_since is not None:
        return "close_empty" if now >= _empty_until(meeting, meeting.vacant_since) else "nothing"
    if attended or now < _patience_ends(meeting, policy):
        return "nothing"
    return "give_up" if attempts_so_far(meeting, now, policy) >= policy.max_attempts else "issue"


def _empty_until(meeting: Meeting, vacant_since: datetime) -> datetime:
    """How long somebody may still come. LiveKit closes a room that others left just before, under an agent that has
    come early for a scheduled meeting: so that one waits for its people until well after its time.
    """
    patient = vacant_since + timedelta(seconds=meeting.empty_room_timeout_s)
    join_at = meeting.spec.join_at
    if join_at is None:
        return patient
    nobody_came = vacant_since <= max(join_at, (meeting.joined_at or vacant_since) + _CLOSES)
    return max(patient, join_at + _LATECOMERS) if nobody_came else patient


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
            "started_at": begun_at(meeting, agent),
            "epoch": agent.epoch,
            "joined_at": agent.joined_at,
            "room_sid": agent.room_sid,
            "vacant_since": None if agent.epoch > meeting.epoch else meeting.vacant_since,
        }
    )


def begun_at(meeting: Meeting, agent: AgentRef) -> datetime:
    """Time zero of a meeting with this agent in it: of one whose first job was forgotten with Redis, the same."""
    return meeting.started_at or meeting.spec.join_at or agent.joined_at


def vacated(meeting: Meeting, since: datetime) -> Meeting:
    """Its room closed because nobody is there: nobody is to be sent, until somebody comes or waited long enough."""
    if meeting.over or meeting.vacant_since is not None:
        return meeting
    return meeting.model_copy(update={"vacant_since": since})


def brings_back(meeting: Meeting, came_at: datetime) -> bool:
    """Whether somebody who came then came after the room was vacant: LiveKit's webhooks may be late.

    `came_at` is in whole seconds; who came in the very second of the vacating is left for the watchdog to see.
    """
    return meeting.vacant_since is not None and came_at > meeting.vacant_since


def returned(meeting: Meeting, at: datetime) -> Meeting:
    """Somebody is in its room again, and is heard from then on at the earliest."""
    if meeting.over or meeting.vacant_since is None:
        return meeting
    changes = {"vacant_since": None, "heard_until": at, "anybody_there": True}
    return meeting.model_copy(update=changes | {"joined_at": None, "issued_at": None, "attempts": 0})


def ending(meeting: Meeting, reason: EndReason, now: datetime, policy: Policy) -> Meeting:
    """It is to end. The first reason stands. What no agent was ever sent to is cancelled."""
    if meeting.over or meeting.ending is not None:
        return meeting
    if meeting.state == "scheduled" and meeting.epoch == 0 and reason == "requested":
        reason = "cancelled"
    until = now + timedelta(seconds=policy.flush_s)
    return meeting.model_copy(update={"ending": reason, "ending_until": until})
