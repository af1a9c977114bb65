"""The job that brings an agent into a room."""

from pydantic import AwareDatetime, Field

from roomscribe_common.contracts.base import Event
from roomscribe_common.contracts.meeting import MeetingSpec
from roomscribe_common.ids import Token


class DispatchJobData(MeetingSpec):
    """One epoch of a meeting's agent. `token` is a LiveKit token of kind agent with only the grants it needs.

    `started_at` is the meeting's time zero, the same in every epoch. A node that sees `epoch` below the lease's
    drops the job.
    """

    job_id: Token
    epoch: int = Field(ge=1)
    started_at: AwareDatetime
    issued_at: AwareDatetime
    livekit_url: str
    identity: str
    token: str = Field(repr=False)
    empty_room_timeout_s: float
    heard_until: AwareDatetime | None = None
    """Until when the epoch before is known to have heard; absent from the first. The new one tells what lies between
    as a gap.
    """
    anybody_there: bool = True
    """Whether people were in the room then."""


class DispatchJob(Event[DispatchJobData]):
    """An agent is to join a room: one job per meeting and epoch."""

    TYPE = "dispatch.v1.job"
