"""Bodies of requests and answers about series."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints
from roomscribe_common.contracts.commands import Occurrence, SeriesView
from roomscribe_common.contracts.meeting import Mode
from roomscribe_common.contracts.series import SeriesSpec, SeriesState

from roomscribe_gateway.archive.reads import SeriesRecord
from roomscribe_gateway.models import Attendance, Line, to_ms


class NewSeries(Attendance):
    """A room to attend again and again."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "room": "planning",
                    "join_at": "2026-11-30T09:30:00+01:00",
                    "recurrence": "FREQ=WEEKLY;BYDAY=MO,WE",
                    "time_zone": "Europe/Vienna",
                }
            ]
        },
    )

    join_at: AwareDatetime
    """From when on (RFC 3339 with offset). Every meeting is at this local time of day."""
    recurrence: Annotated[str, StringConstraints(min_length=1, max_length=500), Line]
    """An RFC 5545 rule by days: FREQ (DAILY to YEARLY), INTERVAL, COUNT (at most 1000) or UNTIL (in UTC), BYDAY,
    BYMONTHDAY, BYMONTH, BYSETPOS, WKST. Without COUNT and UNTIL it goes on until it is ended.
    """
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=64), Line]
    """IANA name: the clock the rule goes by, also when clocks change."""

    def spec(self, series_id: str) -> SeriesSpec:
        """As the dispatcher is asked for it."""
        return SeriesSpec(series_id=series_id, **self.model_dump())


class SeriesLinks(BaseModel):
    """Where to go on from a series."""

    self: str
    meetings: str
    end: str

    @classmethod
    def of(cls, series_id: str) -> "SeriesLinks":
        """The links of one series, relative to the gateway."""
        base = f"/v1/series/{series_id}"
        links = {"self": base, "meetings": f"/v1/meetings?series={series_id}", "end": f"{base}/end"}
        return cls.model_validate(links)


class Series(BaseModel):
    """A series. `reason` says why it ended."""

    id: str
    room: str
    title: str
    mode: Mode
    state: SeriesState
    reason: str | None = None
    join_at: datetime
    recurrence: str
    time_zone: str
    requested_at: datetime | None = None
    ended_at: datetime | None = None
    language: str
    keyterms: list[str]
    metadata: dict[str, str]
    links: SeriesLinks

    @classmethod
    def of(cls, record: SeriesRecord) -> "Series":
        """From the archive's record."""
        spec = record.spec
        return cls(
            id=spec.series_id,
            state="active" if record.ended_at is None else "ended",
            reason=record.reason,
            requested_at=to_ms(record.requested_at),
            ended_at=record.ended_at,
            links=SeriesLinks.of(spec.series_id),
            **spec.model_dump(exclude={"series_id"}),
        )


class SeriesDetail(Series):
    """A series with its next meetings. Each is a meeting of its own: look at it, end it, let people in by its `id`."""

    next: list[Occurrence]

    @classmethod
    def of_view(cls, view: SeriesView) -> "SeriesDetail":
        """From the dispatcher's answer."""
        series = Series.of(SeriesRecord(view.spec, view.requested_at)).model_copy(update={"state": view.state})
        return cls(**series.model_dump(), next=view.occurrences)


class SeriesList(BaseModel):
    """One page; `next_cursor` is null on the last."""

    series: list[Series]
    next_cursor: str | None


class SeriesEnding(BaseModel):
    """The series is over; what was scheduled of it is cancelled."""

    id: str
    state: SeriesState
    links: SeriesLinks
