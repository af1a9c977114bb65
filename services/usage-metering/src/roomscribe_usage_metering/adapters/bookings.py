"""Booking meetings: what their ledgers say now against what was booked."""

from collections.abc import Sequence

from roomscribe_common.contracts.usage import MeetingUsage
from sqlalchemy import ColumnElement, Connection, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_usage_metering.adapters import entries, outbox, reading
from roomscribe_usage_metering.adapters.reading import Meeting
from roomscribe_usage_metering.adapters.schema import MEETING, write_in_turn
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.domain.booking import WHOLE, deltas, desired
from roomscribe_usage_metering.domain.entry import Entry
from roomscribe_usage_metering.domain.evidence import MeetingKey
from roomscribe_usage_metering.domain.ledger import Ledger, derive
from roomscribe_usage_metering.domain.periods import Timeline


class Bookings:
    """Books meetings in one database."""

    def __init__(self, engine: AsyncEngine, tariffs: Tariffs) -> None:
        self._engine = engine
        self._tariffs = tariffs

    async def settle(self, meeting: Meeting, ledger: Ledger, told: MeetingUsage | None, now_ms: int) -> None:
        """Books a meeting whole, and keeps and tells its ledger if it is `told`: all of it, or nothing.

        Nothing is done if new evidence came since the meeting was read; it is due again then.
        """
        async with self._engine.begin() as connection:
            await connection.run_sync(self._settle, meeting, ledger, told, now_ms)

    def _settle(
        self, connection: Connection, meeting: Meeting, ledger: Ledger, told: MeetingUsage | None, now_ms: int
    ) -> None:
        write_in_turn(connection)
        own = and_(MEETING.c.tenant == meeting.key.tenant, MEETING.c.meeting_id == meeting.key.meeting_id)
        if connection.scalar(select(MEETING.c.version).where(own)) != meeting.version:
            return
        book(connection, [(meeting, ledger)], self._tariffs, now_ms)
        connection.execute(update(MEETING).where(own).values(due_ms=None))
        if told is not None:
            usage = told.data
            kept = {"closed_version": meeting.version, "closed_digest": usage.digest}
            connection.execute(update(MEETING).where(own).values(**kept, closed_usage=usage.model_dump_json()))
            outbox.add(connection, told, now_ms)


def unbooked(
    connection: Connection, tenant: str, through: str, after: str = "", limit: int | None = None
) -> list[MeetingKey]:
    """The tenant's meetings whose use up to and with a period may not be what is booked, by id."""
    query = (
        select(MEETING.c.meeting_id)
        .where(MEETING.c.tenant == tenant, MEETING.c.meeting_id > after, _may_differ(through))
        .order_by(MEETING.c.meeting_id)
        .limit(limit)
    )
    return [MeetingKey(tenant, meeting_id) for meeting_id in connection.execute(query).scalars()]


def _may_differ(through: str) -> ColumnElement[bool]:
    booked = MEETING.c.booked_version
    return and_(
        MEETING.c.started_ms.is_not(None),
        or_(booked.is_(None), booked != MEETING.c.version, MEETING.c.booked_through < through),
    )


def pending(connection: Connection, tenant: str, timeline: Timeline) -> list[Entry]:
    """What would be booked if everything were booked now."""
    found: list[Entry] = []
    for key in unbooked(connection, tenant, WHOLE):
        known = reading.read(connection, key)
        if known is not None:
            ledger = derive(key, known.evidence, known.neighbours)
            found += deltas(desired(ledger, timeline), entries.booked(connection, key), timeline)
    return found


def book_read(connection: Connection, keys: Sequence[MeetingKey], tariffs: Tariffs, through: str, now_ms: int) -> None:
    """Books a tenant's meetings as their evidence is now: up to and with a period, or whole if nothing runs in them.

    Whoever calls holds the turn to write, as for `book`.
    """
    read = [(key, reading.read(connection, key)) for key in keys]
    known = [(one.meeting, derive(key, one.evidence, one.neighbours)) for key, one in read if one is not None]
    for reach in (through, WHOLE):
        book(connection, [one for one in known if (reach == through) == one[1].open], tariffs, now_ms, reach)


def book(
    connection: Connection,
    ledgers: Sequence[tuple[Meeting, Ledger]],
    tariffs: Tariffs,
    now_ms: int,
    through: str = WHOLE,
) -> None:
    """Books a tenant's meetings up to and with a period, in the connection's transaction.

    Each ledger must be derived from the evidence of its meeting's version.
    """
    if not ledgers:
        return
    tenant = ledgers[0][0].key.tenant
    timeline, new = tariffs.timeline(connection, tenant), list[Entry]()
    for meeting, ledger in ledgers:
        wanted = desired(ledger, timeline, through)
        new += deltas(wanted, entries.booked(connection, meeting.key), timeline, through)
        own = and_(MEETING.c.tenant == tenant, MEETING.c.meeting_id == meeting.key.meeting_id)
        connection.execute(update(MEETING).where(own).values(booked_version=meeting.version, booked_through=through))
    tariffs.keep(connection, tenant, (entry.slot.price for entry in new))
    entries.append(connection, new, now_ms)
