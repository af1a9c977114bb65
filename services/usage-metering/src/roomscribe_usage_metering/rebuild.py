"""Checks the books against the evidence: every link of every chain, and every closed period derived anew."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from roomscribe_common.subjects import UNKNOWN
from sqlalchemy import Connection, Row, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from roomscribe_usage_metering.adapters import closes, entries
from roomscribe_usage_metering.adapters.closes import Close
from roomscribe_usage_metering.adapters.database import snapshot
from roomscribe_usage_metering.adapters.schema import CHAIN, CLAIM, EVIDENCE, MEETING
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.domain.booking import Use, desired, digest
from roomscribe_usage_metering.domain.chain import link
from roomscribe_usage_metering.domain.entry import Slot
from roomscribe_usage_metering.domain.evidence import EVIDENCE as FACT
from roomscribe_usage_metering.domain.evidence import Claim, Evidence, MeetingKey
from roomscribe_usage_metering.domain.ledger import claims_of, derive
from roomscribe_usage_metering.domain.periods import Timeline
from roomscribe_usage_metering.invoicing import Invoicing

_ROWS = 2_000
_MEETINGS = 200
"""Meetings whose evidence is in memory at once."""

Sums = dict[Slot, tuple[int, int]]
"""Steps and quantity by slot."""


@dataclass(frozen=True, slots=True)
class PeriodCheck:
    """A closed period: the digest it was closed with, what its entries have now, and what evidence gives."""

    tenant: str
    period: str
    closed: str
    booked: str
    derived: str

    @property
    def ok(self) -> bool:
        """Whether all three are the same."""
        return self.closed == self.booked == self.derived


@dataclass(slots=True)
class Verification:
    """What was found. `broken` names each chain whose links do not hold, with the first one that does not; and each
    document that says something else than the entries it is of."""

    events: int = 0
    meetings: int = 0
    chains: int = 0
    broken: list[str] = field(default_factory=list[str])
    periods: list[PeriodCheck] = field(default_factory=list[PeriodCheck])

    @property
    def ok(self) -> bool:
        """Whether every chain and every period holds."""
        return not self.broken and all(one.ok for one in self.periods)


async def verify(engine: AsyncEngine, tariffs: Tariffs) -> Verification:
    """Reads everything once, as it was at one moment, and changes nothing. A bounded number of facts is in memory."""
    found = Verification()
    async with snapshot(engine) as connection:
        await _check_chains(connection, found)
        closed = await connection.run_sync(closes.closed)
        for tenant, periods in groupby(closed, lambda one: one.tenant):
            await _check_tenant(connection, tariffs, tenant, list(periods), found)
    return found


async def _check_chains(connection: AsyncConnection, found: Verification) -> None:
    heads = {(row.tenant, row.chain): (row.sequence, row.hash) for row in await connection.execute(select(CHAIN))}
    last: dict[tuple[str, str], tuple[int, str]] = {}
    broken: dict[tuple[str, str], str] = {}
    c = EVIDENCE.c
    filed = (c.meeting_id, c.room_sid)
    query = select(c.tenant, c.source, c.id, *filed, c.fact, c.stored_ms, c.chain, c.sequence, c.hash).order_by(c.seq)
    async with connection.stream(query.execution_options(yield_per=_ROWS)) as rows:
        async for part in rows.partitions(_ROWS):
            for tenant, source, id_, meeting_id, room_sid, fact, stored_ms, chain, sequence, hash_ in part:
                before = last.get((tenant, chain), (0, ""))
                right = link(before[1], (tenant, source, id_), (meeting_id, room_sid), fact, stored_ms)
                if sequence != before[0] + 1 or hash_ != right:
                    broken.setdefault((tenant, chain), f"{tenant}/{chain} at link {before[0] + 1}")
                last[tenant, chain] = sequence, hash_
            found.events += len(part)
    for key in heads.keys() | last.keys():
        if key not in broken and heads.get(key) != last.get(key):
            broken[key] = f"{key[0]}/{key[1]} at its end"
    found.chains = len(heads)
    found.broken = sorted(broken.values())


async def _check_tenant(
    connection: AsyncConnection, tariffs: Tariffs, tenant: str, closed: list[Close], found: Verification
) -> None:
    timeline = await connection.run_sync(tariffs.timeline, tenant)
    sums: dict[str, Sums] = {close.period.name: {} for close in closed}
    after = ""
    while ids := await connection.run_sync(_meetings, tenant, after):
        for known in await connection.run_sync(_read, tenant, ids):
            _add(known, closed, timeline, sums)
        found.meetings += len(ids)
        after = ids[-1]
    for close in closed:
        name = close.period.name
        booked = digest(await connection.run_sync(entries.sums_of_period, tenant, name))
        derived = digest((slot, *values) for slot, values in sums[name].items())
        found.periods.append(PeriodCheck(tenant, name, close.digest, booked, derived))
        found.broken += await connection.run_sync(Invoicing(connection.engine, tariffs).wrong, tenant, close)


def _meetings(connection: Connection, tenant: str, after: str) -> list[str]:
    query = select(MEETING.c.meeting_id).where(MEETING.c.tenant == tenant, MEETING.c.meeting_id > after)
    query = query.where(MEETING.c.started_ms.is_not(None)).order_by(MEETING.c.meeting_id).limit(_MEETINGS)
    return list(connection.execute(query).scalars())


@dataclass(slots=True)
class _Known:
    """A meeting's evidence, and its neighbours' claims, each with its number in the order of storing."""

    key: MeetingKey
    facts: list[tuple[int, Evidence]] = field(default_factory=list[tuple[int, Evidence]])
    claims: list[tuple[int, Claim]] = field(default_factory=list[tuple[int, Claim]])


def _read(connection: Connection, tenant: str, ids: Sequence[str]) -> list[_Known]:
    claims = select(CLAIM.c.meeting_id, CLAIM.c.room_sid).where(CLAIM.c.tenant == tenant, CLAIM.c.meeting_id.in_(ids))
    in_room: dict[str, set[str]] = defaultdict(set)
    for row in connection.execute(claims):
        in_room[row.room_sid].add(row.meeting_id)
    own = and_(EVIDENCE.c.tenant == tenant, EVIDENCE.c.meeting_id.in_(ids))
    query = select(EVIDENCE.c.seq, EVIDENCE.c.tenant, EVIDENCE.c.meeting_id, EVIDENCE.c.room_sid, EVIDENCE.c.fact)
    known = {meeting_id: _Known(MeetingKey(tenant, meeting_id)) for meeting_id in ids}
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


def _add(known: _Known, closed: Iterable[Close], timeline: Timeline, sums: dict[str, Sums]) -> None:
    """Adds what was booked of the meeting in each closed period: its own use by then, and what changed of earlier."""
    before: dict[Slot, Use] = {}
    for close, wanted in _at_each(known, closed, timeline):
        name = close.period.name
        for slot in before.keys() | wanted.keys():
            if slot.of_period <= name:
                old = before.get(slot) if slot.of_period < name else None
                steps, quantity = _change(old, wanted.get(slot))
                if steps or quantity:
                    sums[name][slot] = steps, quantity
        before = wanted


def _at_each(known: _Known, closed: Iterable[Close], timeline: Timeline) -> Iterator[tuple[Close, dict[Slot, Use]]]:
    counted: tuple[int, int] = (0, 0)
    wanted: dict[Slot, Use] = {}
    for close in closed:
        facts = [fact for seq, fact in known.facts if seq <= close.watermark]
        claims = [claim for seq, claim in known.claims if seq <= close.watermark]
        if (len(facts), len(claims)) != counted:
            counted = len(facts), len(claims)
            wanted = desired(derive(known.key, facts, claims), timeline)
        yield close, wanted


def _change(old: Use | None, new: Use | None) -> tuple[int, int]:
    steps = (new.steps if new else 0) - (old.steps if old else 0)
    return steps, (new.quantity if new else 0) - (old.quantity if old else 0)
