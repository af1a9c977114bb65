"""What the archive answers. Every question names its tenant; nothing is found across tenants."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from roomscribe_common.contracts.meeting import MeetingSpec, MeetingState
from roomscribe_common.contracts.series import SeriesSpec
from sqlalchemy import ColumnElement, Row, Select, Table, and_, false, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_gateway.archive import schema
from roomscribe_gateway.archive.database import passing


@dataclass(frozen=True, slots=True)
class MeetingRecord:
    """A meeting as the archive has it. `reason` and `detail`: why it ended or failed."""

    spec: MeetingSpec
    state: MeetingState
    requested_at: datetime | None = None
    started_at: datetime | None = None
    live_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None
    detail: str | None = None
    complete: bool = False
    late_ms: int | None = None
    late_reason: str | None = None


@dataclass(frozen=True, slots=True)
class SeriesRecord:
    """A series as the archive has it. `reason`: why it ended."""

    spec: SeriesSpec
    requested_at: datetime | None
    ended_at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Attendee:
    """One presence of one person. `left_at` is None while they are there, or if nobody saw them leave."""

    identity: str
    name: str
    kind: str | None
    joined_at: datetime | None
    left_at: datetime | None


class Archive:
    """Reads. Every call raises `Retryable` while the database does not answer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def ping(self) -> None:
        """Raises unless the database answers."""
        await self._rows(select(schema.version.c.version))

    async def meeting(self, tenant: str, meeting_id: str) -> MeetingRecord | None:
        """One meeting."""
        found = await self._rows(_of(schema.meetings, tenant, meeting_id))
        return _record(found[0]) if found else None

    async def meetings(
        self,
        tenant: str,
        *,
        limit: int,
        before: str | None,
        state: MeetingState | None,
        room: str | None,
        series_id: str | None = None,
    ) -> list[MeetingRecord]:
        """Newest first (ids sort by the moment they were made), those with ids below `before`.

        The meetings of a series are as new as the series; among them the latest is first.
        """
        table = schema.meetings
        query = select(table).where(table.c.tenant == tenant).order_by(table.c.meeting_id.desc()).limit(limit)
        if before is not None:
            query = query.where(table.c.meeting_id < before)
        if room is not None:
            query = query.where(table.c.room == room)
        if series_id is not None:
            query = query.where(table.c.series_id == series_id)
        if state is not None:
            query = query.where(_is(state, _now_ms()))
        return [_record(row) for row in await self._rows(query)]

    async def all_series(self, tenant: str, *, limit: int, before: str | None) -> list[SeriesRecord]:
        """Newest first, those with ids below `before`."""
        table = schema.series
        query = select(table).where(table.c.tenant == tenant, table.c.spec.is_not(None))
        query = query.order_by(table.c.series_id.desc()).limit(limit)
        if before is not None:
            query = query.where(table.c.series_id < before)
        return [
            SeriesRecord(
                SeriesSpec.model_validate_json(row.spec),
                _moment(row.requested_at_ms),
                _moment(row.ended_at_ms),
                row.end_reason,
            )
            for row in await self._rows(query)
        ]

    async def scheduled(self, tenant: str, series_id: str, *, limit: int) -> list[MeetingRecord]:
        """The meetings of a series that are still to come, the next one first."""
        table = schema.meetings
        query = select(table).where(table.c.tenant == tenant, table.c.series_id == series_id)
        query = query.where(_is("scheduled", _now_ms())).order_by(table.c.join_at_ms).limit(limit)
        return [_record(row) for row in await self._rows(query)]

    async def roster(self, tenant: str, meeting_id: str) -> list[Attendee]:
        """Who was in the room, in order of joining."""
        table = schema.roster
        query = _of(table, tenant, meeting_id).order_by(table.c.joined_at_ms, table.c.participant_sid)
        return [
            Attendee(row.identity, row.name, row.kind, _moment(row.joined_at_ms), _moment(row.left_at_ms))
            for row in await self._rows(query)
        ]

    async def segments(self, tenant: str, meeting_id: str) -> list[str]:
        """The current revision of every segment as JSON of `TranscriptFinalData`, by `start_ms`."""
        return await self._documents(schema.segments, tenant, meeting_id, "start_ms", "segment_id")

    async def gaps(self, tenant: str, meeting_id: str) -> list[str]:
        """Every gap as JSON of `TranscriptGapData`, by `start_ms`."""
        return await self._documents(schema.gaps, tenant, meeting_id, "start_ms", "gap_id")

    async def segment_count(self, tenant: str, meeting_id: str) -> int:
        """How many segments there are."""
        table = schema.segments
        condition = and_(table.c.tenant == tenant, table.c.meeting_id == meeting_id)
        rows = await self._rows(select(func.count()).select_from(table).where(condition))
        return int(rows[0][0])

    async def minutes(self, tenant: str, meeting_id: str) -> str | None:
        """The latest minutes as JSON of `MinutesData`."""
        found = await self._documents(schema.minutes, tenant, meeting_id)
        return found[0] if found else None

    async def usage(self, tenant: str, meeting_id: str) -> str | None:
        """The ledger as metering last told it, as JSON of `MeetingUsageData`."""
        found = await self._documents(schema.usage, tenant, meeting_id)
        return found[0] if found else None

    async def _documents(self, table: Table, tenant: str, meeting_id: str, *order: str) -> list[str]:
        query = _of(table, tenant, meeting_id).order_by(*(table.c[name] for name in order))
        return [row.data for row in await self._rows(query)]

    async def _rows(self, query: Select[Any]) -> list[Row[Any]]:
        async with passing(), self._engine.connect() as connection:
            return list((await connection.execute(query)).all())


def _of(table: Table, tenant: str, meeting_id: str) -> Select[Any]:
    return select(table).where(table.c.tenant == tenant, table.c.meeting_id == meeting_id)


_m = schema.meetings.c
_OVER = _m.ended_at_ms.is_not(None) | _m.failed_at_ms.is_not(None)


def _is(state: MeetingState, now_ms: int) -> ColumnElement[bool]:
    """`_state`, told to the database."""
    waiting = _m.started_at_ms.is_(None) & func.coalesce(_m.join_at_ms > now_ms, false())
    match state:
        case "ended":
            return _m.ended_at_ms.is_not(None)
        case "failed":
            return _m.ended_at_ms.is_(None) & _m.failed_at_ms.is_not(None)
        case "live":
            return ~_OVER & _m.live_at_ms.is_not(None)
        case "scheduled":
            return ~_OVER & _m.live_at_ms.is_(None) & waiting
        case "dispatching":
            return ~_OVER & _m.live_at_ms.is_(None) & ~waiting


def _state(row: Row[Any]) -> MeetingState:
    if row.ended_at_ms is not None:
        return "ended"
    if row.failed_at_ms is not None:
        return "failed"
    if row.live_at_ms is not None:
        return "live"
    waiting = row.started_at_ms is None and row.join_at_ms is not None and row.join_at_ms > _now_ms()
    return "scheduled" if waiting else "dispatching"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _record(row: Row[Any]) -> MeetingRecord:
    # A meeting whose request has aged out of the stream, or was never there (replay), still has its room.
    bare = MeetingSpec(meeting_id=row.meeting_id, room=row.room)
    return MeetingRecord(
        spec=MeetingSpec.model_validate_json(row.spec) if row.spec else bare,
        state=_state(row),
        requested_at=_moment(row.requested_at_ms),
        started_at=_moment(row.started_at_ms),
        live_at=_moment(row.live_at_ms),
        ended_at=_moment(row.ended_at_ms if row.ended_at_ms is not None else row.failed_at_ms),
        reason=row.end_reason or row.failure_reason,
        detail=row.failure_detail,
        complete=bool(row.complete),
        late_ms=row.late_ms,
        late_reason=row.late_reason,
    )


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)
