"""Entries in the database: appended, summed, and read on from a cursor."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from roomscribe_common.contracts.usage import Meter
from sqlalchemy import Connection, Row, func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_usage_metering.adapters.schema import ENTRY, LEDGER, MEETING
from roomscribe_usage_metering.adapters.writing import insert_into
from roomscribe_usage_metering.domain.booking import Booked, Use
from roomscribe_usage_metering.domain.entry import Entry, Slot, Stored, Total
from roomscribe_usage_metering.domain.evidence import MeetingKey
from roomscribe_usage_metering.peaks import METERS, Ran

Sum = tuple[Slot, int, int]
"""Steps and quantity of a slot, over its entries."""
_SLOT = (ENTRY.c.tenant, ENTRY.c.meeting_id, ENTRY.c.line_id, ENTRY.c.meter, ENTRY.c.of_period, ENTRY.c.price)


class Entries:
    """The entries of one database, as exports and reports read them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def after(self, seq: int, limit: int) -> list[Stored]:
        """The entries booked after the one of that number, in the order of booking."""
        query = select(ENTRY).where(ENTRY.c.seq > seq).order_by(ENTRY.c.seq).limit(limit)
        async with self._engine.connect() as connection:
            return [Stored(row.seq, to_entry(row), row.booked_ms) for row in await connection.execute(query)]

    async def of_period(self, tenant: str, period: str) -> list[Entry]:
        """What a tenant pays in a period, in the order of booking: the period's own use, and corrections of others."""
        query = select(ENTRY).where(ENTRY.c.tenant == tenant, ENTRY.c.period == period).order_by(ENTRY.c.seq)
        async with self._engine.connect() as connection:
            return [to_entry(row) for row in await connection.execute(query)]

    async def latest_seq(self) -> int:
        """The number of the last entry; 0 if there is none."""
        async with self._engine.connect() as connection:
            return await connection.scalar(select(func.max(ENTRY.c.seq))) or 0


def append(connection: Connection, entries: Sequence[Entry], now_ms: int) -> None:
    """Books the entries."""
    if entries:
        connection.execute(insert(ENTRY), [_values(entry, now_ms) for entry in entries])
        for tenant, count in sorted(Counter(entry.slot.tenant for entry in entries).items()):
            grow(connection, tenant, entries=count)


def grow(connection: Connection, tenant: str, *, entries: int = 0, closes: int = 0) -> None:
    """Counts what was added to the tenant's books, so that it shows if any of it is taken out."""
    statement = insert_into(connection, LEDGER).values(tenant=tenant, entries=entries, closes=closes)
    grown = {"entries": LEDGER.c.entries + entries, "closes": LEDGER.c.closes + closes}
    connection.execute(statement.on_conflict_do_update(index_elements=[LEDGER.c.tenant], set_=grown))


def booked(connection: Connection, key: MeetingKey) -> dict[Slot, Booked]:
    """What was booked of a meeting so far."""
    query = select(ENTRY).where(ENTRY.c.tenant == key.tenant, ENTRY.c.meeting_id == key.meeting_id)
    found: dict[Slot, Booked] = {}
    for row in connection.execute(query.order_by(ENTRY.c.seq)):
        entry = to_entry(row)
        before = found.get(entry.slot)
        steps = entry.steps + (before.use.steps if before else 0)
        quantity = entry.quantity + (before.use.quantity if before else 0)
        use = Use(steps, quantity, entry.identity, entry.quality, entry.basis, entry.start_ms)
        found[entry.slot] = Booked(entry.version, use)
    return found


def sums_of_period(connection: Connection, tenant: str, period: str) -> list[Sum]:
    """What the entries paid in a period add up to: steps and quantity of each slot."""
    query = (
        select(*_SLOT, func.sum(ENTRY.c.steps).label("steps"), func.sum(ENTRY.c.quantity).label("quantity"))
        .where(ENTRY.c.tenant == tenant, ENTRY.c.period == period)
        .group_by(*_SLOT)
    )
    return [(to_slot(row), int(row.steps), int(row.quantity)) for row in connection.execute(query)]


def totals(
    connection: Connection, tenant: str, *, paid_in: str | None = None, of_period: str | None = None, before: str = ""
) -> list[Total]:
    """Sums of what is paid in a period, or of what was used in one and paid before another."""
    by = (ENTRY.c.meeting_id, ENTRY.c.period, ENTRY.c.of_period, ENTRY.c.price, ENTRY.c.meter)
    # "estimated" comes before "measured": the least is estimated if any of it is.
    query = select(*by, func.sum(ENTRY.c.steps).label("steps"), func.min(ENTRY.c.quality).label("quality"))
    query = query.where(ENTRY.c.tenant == tenant).group_by(*by)
    if paid_in is not None:
        query = query.where(ENTRY.c.period == paid_in)
    if of_period is not None:
        query = query.where(ENTRY.c.of_period == of_period)
    if before:
        query = query.where(ENTRY.c.period < before)
    return [_to_total(row) for row in connection.execute(query)]


def _to_total(row: Row[*tuple[Any, ...]]) -> Total:
    meeting_id, period, of_period, price, meter, steps, quality = row
    return Total(meeting_id, period, of_period, price, meter, int(steps), quality == "estimated")


def ran(connection: Connection, tenant: str, period: str, pending: Iterable[Entry] = ()) -> list[Ran]:
    """When what was used in a period, and is paid in it, ran: each slot of a meter that has peaks."""
    c = ENTRY.c
    own = (c.tenant == tenant, c.period == period, c.of_period == period, c.meter.in_(list(METERS)))
    query = select(c.meeting_id, c.line_id, c.meter, c.price, c.start_ms, c.quantity).where(*own).order_by(c.seq)
    rows = [tuple(row) for row in connection.execute(query)]
    for entry in pending:
        slot = entry.slot
        if entry.period == slot.of_period == period and slot.meter in METERS:
            rows.append((slot.meeting_id, slot.line_id, slot.meter, slot.price, entry.start_ms, entry.quantity))
    found: dict[tuple[str, str, Meter, str], tuple[int | None, int]] = {}
    for meeting_id, line_id, meter, price, start_ms, quantity in rows:
        slot_ = meeting_id, line_id, meter, price
        found[slot_] = start_ms, found.get(slot_, (None, 0))[1] + quantity
    return [Ran(slot_[2], start_ms, quantity) for slot_, (start_ms, quantity) in found.items() if quantity]


def rooms(connection: Connection, tenant: str, meetings: Sequence[str]) -> dict[str, str]:
    """The rooms of meetings."""
    query = select(MEETING.c.meeting_id, MEETING.c.room).where(MEETING.c.tenant == tenant)
    return {row.meeting_id: row.room for row in connection.execute(query.where(MEETING.c.meeting_id.in_(meetings)))}


def to_slot(row: Row[*tuple[Any, ...]]) -> Slot:
    """The slot of a row."""
    return Slot(
        tenant=row.tenant,
        meeting_id=row.meeting_id,
        line_id=row.line_id,
        meter=row.meter,
        of_period=row.of_period,
        price=row.price,
    )


def to_entry(row: Row[*tuple[Any, ...]]) -> Entry:
    """The entry of a row of the table."""
    return Entry(
        slot=to_slot(row),
        version=row.version,
        period=row.period,
        steps=row.steps,
        quantity=row.quantity,
        identity=row.identity,
        quality=row.quality,
        basis=row.basis,
        start_ms=row.start_ms,
    )


def _values(entry: Entry, now_ms: int) -> dict[str, str | int | None]:
    slot = entry.slot
    return {
        "key": entry.key,
        "tenant": slot.tenant,
        "meeting_id": slot.meeting_id,
        "line_id": slot.line_id,
        "meter": slot.meter,
        "of_period": slot.of_period,
        "price": slot.price,
        "version": entry.version,
        "period": entry.period,
        "steps": entry.steps,
        "quantity": entry.quantity,
        "identity": entry.identity,
        "quality": entry.quality,
        "basis": entry.basis,
        "start_ms": entry.start_ms,
        "booked_ms": now_ms,
    }
