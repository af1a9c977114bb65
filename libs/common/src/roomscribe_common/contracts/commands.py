"""Commands between services: NATS request and reply, one class for the question and one for the answer."""

from pydantic import AwareDatetime, BaseModel, ConfigDict

from roomscribe_common.contracts.meeting import EndReason, MeetingSpec, MeetingState, RoomName
from roomscribe_common.contracts.series import SeriesSpec, SeriesState
from roomscribe_common.contracts.usage import CostEstimate, DecimalText
from roomscribe_common.ids import Token


class Command(BaseModel):
    """Base of commands and replies; a command with an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StartMeeting(Command):
    """`command.v1.dispatcher.start_meeting`: attend a room.

    The same key, or a live meeting in the room, starts no second.
    """

    tenant: Token
    spec: MeetingSpec
    idempotency_key: str | None = None
    empty_room_timeout_s: float | None = None


class MeetingView(Command):
    """A meeting as the dispatcher knows it. `created` is false if it was there already."""

    tenant: Token
    spec: MeetingSpec
    state: MeetingState
    epoch: int
    requested_at: AwareDatetime
    started_at: AwareDatetime | None = None
    created: bool = True


class EndMeeting(Command):
    """`command.v1.dispatcher.end_meeting`: the agent is to leave. Ending an ended meeting is no error."""

    tenant: Token
    meeting_id: Token
    reason: EndReason = "requested"


class StartSeries(Command):
    """`command.v1.dispatcher.start_series`: attend a room again and again. The same key starts no second."""

    tenant: Token
    spec: SeriesSpec
    idempotency_key: str | None = None
    empty_room_timeout_s: float | None = None


class Occurrence(Command):
    """One meeting of a series, and when it is to be."""

    meeting_id: Token
    join_at: AwareDatetime


class SeriesView(Command):
    """A series as the dispatcher knows it. `occurrences` are the next ones; some may have been cancelled."""

    tenant: Token
    spec: SeriesSpec
    state: SeriesState
    requested_at: AwareDatetime
    occurrences: list[Occurrence] = []
    created: bool = True


class EndSeries(Command):
    """`command.v1.dispatcher.end_series`: its scheduled meetings are cancelled. Ending an ended series is no error."""

    tenant: Token
    series_id: Token


class LeaveRoom(Command):
    """`command.v1.room.leave.<tenant>.<meeting>`: the room process closes what is open and leaves."""

    epoch: int
    reason: EndReason


class Done(Command):
    """It was done, or had been."""


class GetMeetingUsage(Command):
    """`command.v1.usage.meeting`: the ledger of one meeting, now."""

    tenant: Token
    meeting_id: Token


class GetPeriodUsage(Command):
    """`command.v1.usage.period`: what was used in a period, named after the month it begins in: `2026-11`.

    `after` goes on behind that meeting: the `next_cursor` of the page before.
    """

    tenant: Token
    period: str
    after: Token | None = None


class MeetingTotals(Command):
    """What one meeting used in the period; its own ledger says it line by line."""

    meeting_id: Token
    room: RoomName
    closed: bool
    totals: dict[str, DecimalText]


class PeriodUsage(Command):
    """Sums of the whole period, and a page of the meetings they come from. `next_cursor` is null on the last page."""

    tenant: Token
    period: str
    totals: dict[str, DecimalText]
    meetings: list[MeetingTotals]
    next_cursor: Token | None = None
    estimate: CostEstimate | None = None
