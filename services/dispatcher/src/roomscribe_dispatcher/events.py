"""The events the dispatcher publishes. Each meeting has at most one of each on its subject, jobs excepted."""

from datetime import datetime
from typing import Final, TypeVar

from roomscribe_common.contracts.agent import AgentRef
from roomscribe_common.contracts.base import AnyEvent, Data
from roomscribe_common.contracts.dispatch import DispatchJob, DispatchJobData
from roomscribe_common.contracts.meeting import (
    EndReason,
    MeetingDelayed,
    MeetingDelayedData,
    MeetingEnded,
    MeetingEndedData,
    MeetingFailed,
    MeetingFailedData,
    MeetingRequested,
    MeetingRequestedData,
    MeetingStarted,
    MeetingStartedData,
)
from roomscribe_common.ids import new_id
from roomscribe_common.subjects import subject_of

from roomscribe_dispatcher.domain import Meeting, begun_at, was_scheduled
from roomscribe_dispatcher.schedule import lateness

SOURCE: Final = "dispatcher"
EventT = TypeVar("EventT", bound=AnyEvent)


def made(
    event: type[EventT], tenant: str, about: str, event_id: str, data: Data, time: datetime | None = None
) -> EventT:
    """The dispatcher's event about a meeting or a series; `time` is now unless given."""
    subject = subject_of(event, tenant, about)
    return event.new(id=event_id, source=SOURCE, subject=subject, tenant=tenant, data=data, time=time)


def _of(meeting: Meeting, event: type[EventT], event_id: str, data: Data, time: datetime | None = None) -> EventT:
    return made(event, meeting.tenant, meeting.id, event_id, data, time)


def identity(meeting: Meeting) -> str:
    """The agent's identity in LiveKit: the same in every epoch, so that the server itself removes a stale twin."""
    return identity_of(meeting.id)


def identity_of(meeting_id: str) -> str:
    """As `identity`, of a meeting that may be about to be asked for."""
    return f"roomscribe-{meeting_id}"


def requested(meeting: Meeting) -> MeetingRequested:
    """The meeting is wanted; says the same whenever it is made."""
    data = MeetingRequestedData(
        **dict(meeting.spec),
        requested_at=meeting.requested_at,
        started_at=None if was_scheduled(meeting) else meeting.started_at,
        empty_room_timeout_s=meeting.empty_room_timeout_s,
        idempotency_key=meeting.idempotency_key,
    )
    return _of(meeting, MeetingRequested, f"requested:{meeting.id}", data, meeting.requested_at)


def job(meeting: Meeting, livekit_url: str, token: str, now: datetime) -> DispatchJob:
    """The job of the meeting's present epoch. Raises `ValueError` if no epoch was given yet."""
    if meeting.started_at is None or meeting.epoch == 0:
        raise ValueError(f"meeting {meeting.id} has no epoch")
    data = DispatchJobData(
        **dict(meeting.spec),
        job_id=new_id("job"),
        epoch=meeting.epoch,
        started_at=meeting.started_at,
        issued_at=now,
        livekit_url=livekit_url,
        identity=identity(meeting),
        token=token,
        empty_room_timeout_s=meeting.empty_room_timeout_s,
        heard_until=meeting.heard_until,
        anybody_there=meeting.anybody_there,
    )
    return _of(meeting, DispatchJob, f"job:{meeting.id}:{meeting.epoch}", data, now)


def delayed(meeting: Meeting, join_at: datetime, reason: str, now: datetime) -> MeetingDelayed:
    """The meeting's time has come, and it has to wait."""
    data = MeetingDelayedData(meeting_id=meeting.id, room=meeting.spec.room, join_at=join_at, at=now, reason=reason)
    return _of(meeting, MeetingDelayed, f"delayed:{meeting.id}", data, now)


def started(meeting: Meeting, agent: AgentRef) -> MeetingStarted:
    """The agent is in the room for the first time."""
    late = lateness(meeting, agent.joined_at)
    data = MeetingStartedData(
        meeting_id=meeting.id,
        room=meeting.spec.room,
        room_sid=agent.room_sid,
        started_at=begun_at(meeting, agent),
        joined_at=agent.joined_at,
        epoch=agent.epoch,
        late_ms=None if late is None else late.ms,
        late_reason=None if late is None else late.reason,
    )
    return _of(meeting, MeetingStarted, f"started:{meeting.id}", data)


def ended(meeting: Meeting, reason: EndReason, now: datetime) -> MeetingEnded:
    """The meeting is over."""
    data = MeetingEndedData(
        meeting_id=meeting.id, room=meeting.spec.room, started_at=meeting.started_at, ended_at=now, reason=reason
    )
    return _of(meeting, MeetingEnded, f"ended:{meeting.id}", data, now)


def failed(meeting: Meeting, reason: str, detail: str, now: datetime) -> MeetingFailed:
    """No agent could be brought into the room."""
    data = MeetingFailedData(meeting_id=meeting.id, room=meeting.spec.room, failed_at=now, reason=reason, detail=detail)
    return _of(meeting, MeetingFailed, f"failed:{meeting.id}", data, now)
