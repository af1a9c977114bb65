"""What each period of a tenant should hold: derived from its evidence anew, a bounded number of meetings at a time."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from roomscribe_common.subjects import UNKNOWN
from sqlalchemy import Connection, Row, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from roomscribe_usage_metering.adapters.closes import Close
from roomscribe_usage_metering.adapters.schema import CLAIM, EVIDENCE, MEETING
from roomscribe_usage_metering.domain.booking import Use, desired
from roomscribe_usage_metering.domain.entry import Slot
from roomscribe_usage_metering.domain.evidence import EVIDENCE as FACT
from roomscribe_usage_metering.domain.evidence import Claim, Evidence, MeetingKey
from roomscribe_usage_metering.domain.ledger import claims_of, derive
from roomscribe_usage_metering.domain.periods import Timeline
from roomscribe_usage_metering.peaks import METERS, Ran

_MEETINGS = 200
"""Meetings whose evidence is in memory at once."""

Sums = dict[Slot, tuple[int, int]]
"""Steps and quantity by slot."""


@dataclass(slots=True)
class Rederived:
    """What evidence gives, by the period it is paid in.

    Of a closed period as evidence was known at its close, of an open one as it is now; but without `unbooked` meetings,
    whose newest evidence is not in the entries yet. `ran`: when what has peaks ran, of closed periods.
    """

    meetings: int = 0
    sums: dict[str, Sums] = field(default_factory=lambda: defaultdict[str, Sums](dict))
    ran: dict[str, list[Ran]] = field(default_factory=lambda: defaultdict[str, list[Ran]](list))
    unbooked: set[str] = field(default_factory=set[str])


async def rederived(connection: AsyncConnection, tenant: str, closed: Sequence[Close], timeline: Timeline) -> Rederived:
    """Reads the tenant's evidence once."""
    found, after = Rederived(), ""
    while rows := await connection.run_sync(_meetings, tenant, after):
        for known in await connection.run_sync(_read, tenant, rows):
            _add(known, closed, timeline, found)
        found.meetings += len(rows)
        after = rows[-1].meeting_id
    return found


def _meetings(connection: Connection, tenant: str, after: str) -> Sequence[Row[*tuple[Any, ...]]]:
    c = MEETING.c
    query = select(c.meeting_id, c.version, c.booked_version, c.booked_through)
    query = query.where(c.tenant == tenant, c.meeting_id > after, c.started_ms.is_not(None))
    return connection.execute(query.order_by(c.meeting_id).limit(_MEETINGS)).all()


@dataclass(slots=True)
class _Known:
    """A meeting's evidence, and its neighbours' claims, each with its number in the order of storing.

    `through`: the last period its use is booked in as its evidence is now; None if it is not.
    """

    key: MeetingKey
    through: str | None
    facts: list[tuple[int, Evidence]] = field(default_factory=list[tuple[int, Evidence]])
    claims: list[tuple[int, Claim]] = field(default_factory=list[tuple[int, Claim]])


def _read(connection: Connection, tenant: str, rows: Sequence[Row[*tuple[Any, ...]]]) -> list[_Known]:
    known = {
        row.meeting_id: _Known(
            MeetingKey(tenant, row.meeting_id), row.booked_through if row.booked_version == row.version else None
        )
        for row in rows
    }
    ids = list(known)
    claims = select(CLAIM.c.meeting_id, CLAIM.c.room_sid).where(CLAIM.c.tenant == tenant, CLAIM.c.meeting_id.in_(ids))
    in_room: dict[str, set[str]] = defaultdict(set)
    for row in connection.execute(claims):
        in_room[row.room_sid].add(row.meeting_id)
    own = and_(EVIDENCE.c.tenant == tenant, EVIDENCE.c.meeting_id.in_(ids))
    query = select(EVIDENCE.c.seq, EVIDENCE.c.tenant, EVIDENCE.c.meeting_id, EVIDENCE.c.room_sid, EVIDENCE.c.fact)
    for row in connection.execute(query.where(or_(own, EVIDENCE.c.room_sid.in_(list(in_room))))):
        _file(row, tenant, known, in_room)
    return list(known.values())


def _file(row: Row[*tuple[Any, ...]], tenant: str, known: dict[str, _Known], in_room: dict[str, set[str]]) -> None:
    seq, of_tenant, meeting_id, room_sid, text = row
    fact = FACT.validate_json(text)
    neighbours = in_room.get(room_sid, set())
    if of_tenant == UNKNOWN and not meeting_id:
        for one in neighbours:
            known[one].facts.append((seq, fact))
        return
    if of_tenant == tenant and meeting_id in known:
        known[meeting_id].facts.append((seq, fact))
        neighbours = neighbours - {meeting_id}
    if neighbours:
        claims = [(seq, claim) for claim in claims_of(MeetingKey(of_tenant, meeting_id), [fact])]
        for one in neighbours:
            known[one].claims += claims


def _add(known: _Known, closed: Sequence[Close], timeline: Timeline, found: Rederived) -> None:
    """Adds what is booked of the meeting: in each closed period its own use by then, and what changed of earlier ones;
    and the same in those that are open."""
    before: dict[Slot, Use] = {}
    for name, wanted in _at_each(known, closed, timeline):
        for slot in before.keys() | wanted.keys():
            if name is not None and slot.of_period > name:
                continue
            paid_in = name or _paid_in(slot, timeline)
            own = slot.of_period == paid_in
            use = wanted.get(slot)
            steps, quantity = _change(None if own else before.get(slot), use)
            if steps or quantity:
                found.sums[paid_in][slot] = steps, quantity
            if own and name and use is not None and slot.meter in METERS:
                found.ran[name].append(Ran(slot.meter, use.start_ms, use.quantity))
        before = wanted
    if known.through is None:
        found.unbooked.add(known.key.meeting_id)


def _paid_in(slot: Slot, timeline: Timeline) -> str:
    first_open = timeline.first_open
    return first_open.name if first_open and timeline.is_closed(slot.of_period) else slot.of_period


def _at_each(
    known: _Known, closed: Sequence[Close], timeline: Timeline
) -> Iterator[tuple[str | None, dict[Slot, Use]]]:
    """What evidence gave at each close, and then, if all of it is booked, what it gives now."""
    marks: list[tuple[str | None, int | None]] = [(close.period.name, close.watermark) for close in closed]
    if known.through is not None:
        marks.append((None, None))
    counted, wanted = (0, 0), dict[Slot, Use]()
    for name, mark in marks:
        facts = [fact for seq, fact in known.facts if mark is None or seq <= mark]
        claims = [claim for seq, claim in known.claims if mark is None or seq <= mark]
        if (len(facts), len(claims)) != counted:
            counted = len(facts), len(claims)
            wanted = desired(derive(known.key, facts, claims), timeline)
        if name is None:
            yield name, {slot: use for slot, use in wanted.items() if slot.of_period <= (known.through or "")}
        else:
            yield name, wanted


def _change(old: Use | None, new: Use | None) -> tuple[int, int]:
    steps = (new.steps if new else 0) - (old.steps if old else 0)
    return steps, (new.quantity if new else 0) - (old.quantity if old else 0)
