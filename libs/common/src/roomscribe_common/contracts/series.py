"""Recurring meetings: a rule, and the meetings it makes."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from roomscribe_common.contracts.base import Data, Event, Metadata, Name
from roomscribe_common.contracts.meeting import Mode, RoomName
from roomscribe_common.ids import Token

SeriesState = Literal["active", "ended"]
SeriesEndReason = Literal["requested", "completed"]
"""`completed`: the rule has no further occurrence."""


class SeriesSpec(Data):
    """What was asked for. Each occurrence is a meeting of its own, with `series_id` and its own `join_at`.

    `recurrence` is an RFC 5545 rule, counted from `join_at` on the clock of `time_zone`.
    """

    series_id: Token
    room: RoomName
    join_at: AwareDatetime
    recurrence: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    title: Name = ""
    mode: Mode = "listen"
    language: Annotated[str, StringConstraints(max_length=35)] = "en"
    keyterms: Annotated[list[Annotated[str, StringConstraints(max_length=128)]], Field(max_length=100)] = []
    metadata: Metadata = {}


class SeriesRequestedData(SeriesSpec):
    """The series is wanted."""

    requested_at: AwareDatetime
    empty_room_timeout_s: float
    idempotency_key: str | None = None


class SeriesEndedData(Data):
    """No more meetings come of it; those that were scheduled are cancelled."""

    series_id: Token
    room: RoomName
    ended_at: AwareDatetime
    reason: SeriesEndReason


class SeriesRequested(Event[SeriesRequestedData]):
    """A series is wanted. The subject's meeting is the series' id."""

    TYPE = "meeting.v1.series_requested"


class SeriesEnded(Event[SeriesEndedData]):
    """A series is over."""

    TYPE = "meeting.v1.series_ended"
