"""From an event to the rows it leaves in the archive. Pure: the archive is a function of the events in the streams."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

from pydantic import BaseModel
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.insight import Minutes
from roomscribe_common.contracts.meeting import (
    MeetingDelayed,
    MeetingEnded,
    MeetingFailed,
    MeetingRequested,
    MeetingSpec,
    MeetingStarted,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantRenamed,
    RosterData,
)
from roomscribe_common.contracts.series import SeriesEnded, SeriesRequested, SeriesSpec
from roomscribe_common.contracts.transcript import (
    TranscriptCompleted,
    TranscriptFinal,
    TranscriptGap,
    TranscriptRevised,
)
from roomscribe_common.contracts.usage import MeetingUsage
from roomscribe_common.errors import Permanent
from sqlalchemy import Table

from roomscribe_gateway.archive import schema

Value = str | int | bool | None
_LARGEST = 2**63 - 1
EventT = TypeVar("EventT", bound=AnyEvent)


@dataclass(frozen=True, slots=True)
class Row:
    """What one event says about one row; columns it says nothing about are absent."""

    table: Table
    values: dict[str, Value]

    @property
    def key(self) -> tuple[str, ...]:
        """The row's place, for a fixed order of writing: two replicas then never wait for each other in a ring."""
        return (self.table.name, *(str(self.values[column.name]) for column in self.table.primary_key))


def rows_of(event: AnyEvent) -> list[Row]:
    """The rows of an event. Raises `Permanent` for a value no database can hold."""
    make = _MAKERS.get(type(event))
    rows = make(event) if make else []
    for row in rows:
        row.values["tenant"] = event.tenant
        for name, value in row.values.items():
            row.values[name] = _storable(name, value)
    return rows


def at_ms(moment: datetime | None) -> int | None:
    """Unix milliseconds."""
    return None if moment is None else int(moment.timestamp() * 1000 + 1e-3)


def _storable(name: str, value: Value) -> Value:
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, int) and value > _LARGEST:
        raise Permanent(f"{name} is larger than any number the archive can hold")
    return value


def _meeting(event: AnyEvent, **values: Value) -> Row:
    return Row(schema.meetings, {"meeting_id": event.data.meeting_id, "room": event.data.room, **values})


def _json(model: BaseModel) -> str:
    return model.model_dump_json(exclude_none=True)


def _requested(event: MeetingRequested) -> list[Row]:
    data = event.data
    spec = MeetingSpec.model_validate(data.model_dump(include=set(MeetingSpec.model_fields)))
    times = {"join_at_ms": at_ms(data.join_at), "requested_at_ms": at_ms(data.requested_at)}
    values = {"spec": _json(spec), "series_id": data.series_id, "started_at_ms": at_ms(data.started_at)}
    return [_meeting(event, **values, **times)]


def _delayed(event: MeetingDelayed) -> list[Row]:
    return [_meeting(event, late_reason=event.data.reason)]


def _started(event: MeetingStarted) -> list[Row]:
    data = event.data
    times = {"started_at_ms": at_ms(data.started_at), "live_at_ms": at_ms(data.joined_at)}
    return [_meeting(event, late_ms=data.late_ms, late_reason=data.late_reason, **times)]


def _ended(event: MeetingEnded) -> list[Row]:
    data = event.data
    times = {"started_at_ms": at_ms(data.started_at), "ended_at_ms": at_ms(data.ended_at)}
    return [_meeting(event, end_reason=data.reason, **times)]


def _failed(event: MeetingFailed) -> list[Row]:
    data = event.data
    why = {"failure_reason": data.reason, "failure_detail": data.detail}
    return [_meeting(event, failed_at_ms=at_ms(data.failed_at), **why)]


def _completed(event: TranscriptCompleted) -> list[Row]:
    return [_meeting(event, completed_at_ms=at_ms(event.data.completed_at), complete=event.data.complete)]


def _series_requested(event: SeriesRequested) -> list[Row]:
    data = event.data
    spec = SeriesSpec.model_validate(data.model_dump(include=set(SeriesSpec.model_fields)))
    values = {"series_id": data.series_id, "spec": _json(spec), "requested_at_ms": at_ms(data.requested_at)}
    return [Row(schema.series, values)]


def _series_ended(event: SeriesEnded) -> list[Row]:
    data = event.data
    return [
        Row(
            schema.series,
            {"series_id": data.series_id, "ended_at_ms": at_ms(data.ended_at), "end_reason": data.reason},
        )
    ]


def _present(event: AnyEvent, data: RosterData, **values: Value) -> list[Row]:
    person = {
        "meeting_id": data.meeting_id,
        "participant_sid": data.participant_sid,
        "identity": data.participant.identity,
        "name": data.participant.name,
        "name_at_ms": at_ms(data.at),
    }
    return [_meeting(event), Row(schema.roster, {**person, **values})]


def _joined(event: ParticipantJoined) -> list[Row]:
    return _present(event, event.data, kind=event.data.kind, joined_at_ms=at_ms(event.data.joined_at))


def _left(event: ParticipantLeft) -> list[Row]:
    return _present(event, event.data, left_at_ms=at_ms(event.data.at))


def _renamed(event: ParticipantRenamed) -> list[Row]:
    return _present(event, event.data)


def _segment(event: TranscriptFinal | TranscriptRevised) -> list[Row]:
    data = event.data
    place = {"meeting_id": data.meeting_id, "segment_id": data.segment_id}
    values: dict[str, Value] = {**place, "revision": data.revision, "start_ms": data.start_ms, "data": _json(data)}
    return [_meeting(event), Row(schema.segments, values)]


def _gap(event: TranscriptGap) -> list[Row]:
    data = event.data
    values: dict[str, Value] = {
        "meeting_id": data.meeting_id,
        "gap_id": data.gap_id,
        "start_ms": data.start_ms,
        "data": _json(data),
    }
    return [_meeting(event), Row(schema.gaps, values)]


def _minutes(event: Minutes) -> list[Row]:
    data = event.data
    values = {"meeting_id": data.meeting_id, "generated_at_ms": at_ms(data.generated_at), "data": _json(data)}
    return [_meeting(event), Row(schema.minutes, values)]


def _usage(event: MeetingUsage) -> list[Row]:
    data = event.data
    values = {"meeting_id": data.meeting_id, "told_at_ms": at_ms(event.time), "data": _json(data)}
    return [_meeting(event), Row(schema.usage, values)]


_MAKERS: dict[type[AnyEvent], Callable[[Any], list[Row]]] = {}


def _register(model: type[EventT], make: Callable[[EventT], list[Row]]) -> None:
    _MAKERS[cast(type[AnyEvent], model)] = make


_register(MeetingRequested, _requested)
_register(MeetingDelayed, _delayed)
_register(MeetingStarted, _started)
_register(MeetingEnded, _ended)
_register(MeetingFailed, _failed)
_register(SeriesRequested, _series_requested)
_register(SeriesEnded, _series_ended)
_register(ParticipantJoined, _joined)
_register(ParticipantLeft, _left)
_register(ParticipantRenamed, _renamed)
_register(TranscriptFinal, _segment)
_register(TranscriptRevised, _segment)
_register(TranscriptGap, _gap)
_register(TranscriptCompleted, _completed)
_register(Minutes, _minutes)
_register(MeetingUsage, _usage)
