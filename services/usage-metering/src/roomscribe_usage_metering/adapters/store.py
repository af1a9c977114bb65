"""Evidence in the database: written once under its key, read back by meeting."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_usage_metering.adapters import reading, writing
from roomscribe_usage_metering.adapters.reading import Known, Meeting
from roomscribe_usage_metering.adapters.schema import CLAIM, MEETING
from roomscribe_usage_metering.domain.evidence import MeetingKey, Record


@dataclass(frozen=True, slots=True)
class Room:
    """A room some meeting is in."""

    name: str
    sid: str


class EvidenceStore:
    """The evidence in one database. `quiet_ms`: how long a meeting must be quiet before it is looked at for closing."""

    def __init__(self, engine: AsyncEngine, quiet_ms: int) -> None:
        self._engine = engine
        self._quiet_ms = quiet_ms

    async def add(self, records: Sequence[Record], now_ms: int) -> int:
        """Stores what is new, in one transaction; returns how many facts that were."""
        async with self._engine.begin() as connection:
            return await connection.run_sync(writing.add, records, now_ms, now_ms + self._quiet_ms)

    async def known(self, key: MeetingKey) -> Known | None:
        """What is known of a meeting; None if nothing is."""
        async with self._engine.connect() as connection:
            return await connection.run_sync(reading.read, key)

    async def due(self, now_ms: int, limit: int) -> list[MeetingKey]:
        """Ended meetings to be looked at now."""
        query = (
            select(MEETING.c.tenant, MEETING.c.meeting_id)
            .where(MEETING.c.due_ms <= now_ms, MEETING.c.ended_ms.is_not(None))
            .order_by(MEETING.c.due_ms)
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            return [MeetingKey(row.tenant, row.meeting_id) for row in await connection.execute(query)]

    async def look_again(self, meeting: Meeting, due_ms: int | None) -> None:
        """Sets when the meeting is next due, unless new evidence came since it was read."""
        own = (MEETING.c.tenant == meeting.key.tenant, MEETING.c.meeting_id == meeting.key.meeting_id)
        statement = update(MEETING).where(*own, MEETING.c.version == meeting.version).values(due_ms=due_ms)
        async with self._engine.begin() as connection:
            await connection.execute(statement)

    async def rooms_to_poll(self, since_ms: int, limit: int) -> list[Room]:
        """Rooms of meetings that started after `since_ms` and are not closed yet, newest first."""
        same = (MEETING.c.tenant == CLAIM.c.tenant) & (MEETING.c.meeting_id == CLAIM.c.meeting_id)
        query = (
            select(MEETING.c.room, CLAIM.c.room_sid, MEETING.c.started_ms)
            .join_from(MEETING, CLAIM, same)
            .where(MEETING.c.started_ms >= since_ms, MEETING.c.closed_digest.is_(None))
            .distinct()
            .order_by(MEETING.c.started_ms.desc())
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            return [Room(row.room, row.room_sid) for row in await connection.execute(query)]
