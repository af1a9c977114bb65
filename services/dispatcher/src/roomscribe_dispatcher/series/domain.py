"""A series as the dispatcher keeps it, and which of its meetings are to exist. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict
from roomscribe_common.contracts.commands import Occurrence, SeriesView, StartMeeting, StartSeries
from roomscribe_common.contracts.meeting import MeetingSpec
from roomscribe_common.contracts.series import (
    SeriesEnded,
    SeriesEndedData,
    SeriesEndReason,
    SeriesRequested,
    SeriesRequestedData,
    SeriesSpec,
    SeriesState,
)
from roomscribe_common.errors import FieldError
from roomscribe_common.ids import Token

from roomscribe_dispatcher import domain
from roomscribe_dispatcher.domain import Meeting
from roomscribe_dispatcher.events import made
from roomscribe_dispatcher.recurrence import BadRecurrence, occurrences
from roomscribe_dispatcher.schedule import FUTURE, PAST, wrong_time

_SHARED: Final = {"room", "title", "mode", "language", "keyterms", "metadata"}
_LONGEST_ID: Final = 40
_LOOKED_AT: Final = timedelta(days=1)


class Series(BaseModel):
    """One series. `version` counts its changes: whoever changes it, or makes a meeting of it, has seen the last."""

    model_config = ConfigDict(frozen=True)

    tenant: Token
    spec: SeriesSpec
    requested_at: AwareDatetime
    empty_room_timeout_s: float
    idempotency_key: str | None = None
    state: SeriesState = "active"
    ending: bool = False
    """Its scheduled meetings are being cancelled; no more are made."""
    made_until: AwareDatetime | None = None
    """Its meetings up to then exist."""
    version: int = 0

    @property
    def id(self) -> str:
        """The series' id."""
        return self.spec.series_id

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state == "ended"

    def view(self, coming: "Coming", *, created: bool) -> SeriesView:
        """As callers are told of it."""
        moments = [] if self.over or self.ending else coming.moments
        return SeriesView(
            tenant=self.tenant,
            spec=self.spec,
            state=self.state,
            requested_at=self.requested_at,
            occurrences=[Occurrence(meeting_id=occurrence_id(self, each), join_at=each) for each in moments],
            created=created,
        )


@dataclass(frozen=True, slots=True)
class Coming:
    """The moments at which a series has meetings that are to exist now; `more`: it has others after them."""

    moments: list[datetime]
    more: bool

    def exhausted(self, now: datetime) -> bool:
        """Whether the last meeting's moment has passed."""
        return not self.more and not any(each > now for each in self.moments)

    def check_at(self, now: datetime) -> datetime:
        """When the next meeting is to be made, or there is nothing more to do: at the next moment, daily at least."""
        return min([each for each in self.moments if each > now] + [now + _LOOKED_AT])


def requested(command: StartSeries, now: datetime, empty_room_timeout_s: float) -> Series:
    """The series somebody asks for."""
    return Series(
        tenant=command.tenant,
        spec=command.spec,
        requested_at=now,
        empty_room_timeout_s=command.empty_room_timeout_s or empty_room_timeout_s,
        idempotency_key=command.idempotency_key,
    )


def coming(series: Series, now: datetime, ahead: int, max_late_s: float) -> Coming:
    """The next `ahead` moments, and those that have just passed. Raises `BadRecurrence`."""
    moments: list[datetime] = []
    since = max(series.requested_at - PAST, now - timedelta(seconds=max_late_s))
    for moment in occurrences(series.spec, since):
        if moment > now + FUTURE or sum(each > now for each in moments) == ahead:
            return Coming(moments, more=True)
        moments.append(moment)
    return Coming(moments, more=False)


def wrong_series(series: Series, now: datetime) -> FieldError | None:
    """Why there can be no such series; None if there can."""
    if len(series.id) > _LONGEST_ID:
        return FieldError(field="series_id", detail=f"at most {_LONGEST_ID} characters")
    wrong = wrong_time(series.spec.join_at, now)
    if wrong is not None:
        return wrong
    try:
        if next(occurrences(series.spec, now - PAST), None) is None:
            return FieldError(field="recurrence", detail="has no occurrence from join_at on")
    except BadRecurrence as error:
        return FieldError(field=error.field, detail=str(error))
    return None


def occurrence_id(series: Series, moment: datetime) -> str:
    """The id of its meeting at that moment: the same whoever makes it, and however often."""
    return f"mtg_{series.id.removeprefix('ser_')}_{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def occurrence(series: Series, moment: datetime, now: datetime) -> Meeting:
    """Its meeting at that moment, scheduled."""
    spec = MeetingSpec(
        meeting_id=occurrence_id(series, moment),
        series_id=series.id,
        join_at=moment,
        **series.spec.model_dump(include=_SHARED),
    )
    return domain.scheduled(StartMeeting(tenant=series.tenant, spec=spec), now, series.empty_room_timeout_s)


def requested_event(series: Series) -> SeriesRequested:
    """The series is wanted; says the same whenever it is made."""
    data = SeriesRequestedData(
        **dict(series.spec),
        requested_at=series.requested_at,
        empty_room_timeout_s=series.empty_room_timeout_s,
        idempotency_key=series.idempotency_key,
    )
    event_id = f"series_requested:{series.id}"
    return made(SeriesRequested, series.tenant, series.id, event_id, data, series.requested_at)


def ended_event(series: Series, reason: SeriesEndReason, now: datetime) -> SeriesEnded:
    """The series is over."""
    data = SeriesEndedData(series_id=series.id, room=series.spec.room, ended_at=now, reason=reason)
    return made(SeriesEnded, series.tenant, series.id, f"series_ended:{series.id}", data, now)


def restored(event: SeriesRequested) -> Series:
    """The series as it was asked for."""
    data = event.data
    return Series(
        tenant=event.tenant,
        spec=SeriesSpec.model_validate(data.model_dump(include=set(SeriesSpec.model_fields))),
        requested_at=data.requested_at,
        empty_room_timeout_s=data.empty_room_timeout_s,
        idempotency_key=data.idempotency_key,
    )
