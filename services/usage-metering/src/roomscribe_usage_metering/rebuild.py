"""Checks the books against the evidence: every link of every chain, and every period derived anew."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from roomscribe_usage_metering.adapters import closes, entries
from roomscribe_usage_metering.adapters.closes import Close
from roomscribe_usage_metering.adapters.database import snapshot
from roomscribe_usage_metering.adapters.entries import Sum
from roomscribe_usage_metering.adapters.schema import CHAIN, EVIDENCE
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.checking import sums_of_open, wrong_closes, wrong_counts, wrong_documents
from roomscribe_usage_metering.domain.booking import digest, order
from roomscribe_usage_metering.domain.chain import link
from roomscribe_usage_metering.domain.periods import Timeline
from roomscribe_usage_metering.invoicing import Invoicing
from roomscribe_usage_metering.rederiving import Rederived, rederived

_ROWS = 2_000
_NAMED = 5
"""Of the lines of one period that differ."""


@dataclass(frozen=True, slots=True)
class PeriodCheck:
    """A period: the digest it was closed with, what its entries have now, and what evidence gives.

    `closed` is empty for one that is open. `differ` names lines of which entries and evidence say something else.
    """

    tenant: str
    period: str
    closed: str
    booked: str
    derived: str
    differ: list[str] = field(default_factory=list[str])

    @property
    def ok(self) -> bool:
        """Whether they are all the same."""
        return self.booked == self.derived == (self.closed or self.booked)


@dataclass(slots=True)
class Verification:
    """What was found.

    `broken` names each chain whose links do not hold, with the first one that does not. `wrong` says of entries and
    closes that they are missing, and of documents that they are, or say something else than the entries they are of.
    `left_out` says what could not be compared, and why.
    """

    events: int = 0
    meetings: int = 0
    chains: int = 0
    broken: list[str] = field(default_factory=list[str])
    periods: list[PeriodCheck] = field(default_factory=list[PeriodCheck])
    wrong: list[str] = field(default_factory=list[str])
    left_out: list[str] = field(default_factory=list[str])

    @property
    def ok(self) -> bool:
        """Whether every chain, every period and every document holds."""
        return not self.broken and not self.wrong and all(one.ok for one in self.periods)


async def verify(engine: AsyncEngine, tariffs: Tariffs) -> Verification:
    """Reads everything once, as it was at one moment, and changes nothing. A bounded number of facts is in memory."""
    found = Verification()
    async with snapshot(engine) as connection:
        await _check_chains(connection, found)
        for tenant in await connection.run_sync(closes.billed):
            await _check_tenant(connection, tariffs, tenant, found)
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


async def _check_tenant(connection: AsyncConnection, tariffs: Tariffs, tenant: str, found: Verification) -> None:
    closed = await connection.run_sync(closes.closed, tenant)
    timeline = await connection.run_sync(tariffs.timeline, tenant)
    found.wrong += await connection.run_sync(lambda sync: [*wrong_counts(sync, tenant)])
    found.wrong += await connection.run_sync(lambda sync: [*wrong_closes(sync, tenant, closed, timeline)])
    right = await rederived(connection, tenant, closed, timeline)
    found.meetings += right.meetings
    for close in closed:
        await _check_close(connection, close, right, Invoicing(connection.engine, tariffs), found)
    if await connection.run_sync(tariffs.is_settled, tenant):
        found.periods += await connection.run_sync(_open, tenant, timeline, right)
        if right.unbooked:
            found.left_out.append(f"{len(right.unbooked)} meetings of {tenant}: new evidence of them is not booked yet")
    else:
        found.left_out.append(f"open periods of {tenant}: they are booked on other terms than its account has here")


async def _check_close(
    connection: AsyncConnection, close: Close, right: Rederived, invoicing: Invoicing, found: Verification
) -> None:
    name = close.period.name
    booked = await connection.run_sync(entries.sums_of_period, close.tenant, name)
    found.periods.append(_compared(close.tenant, name, close.digest, booked, right))
    ran = right.ran[name]
    found.wrong += await connection.run_sync(lambda sync: [*wrong_documents(sync, invoicing, close, ran)])


def _open(connection: Connection, tenant: str, timeline: Timeline, right: Rederived) -> list[PeriodCheck]:
    booked = sums_of_open(connection, tenant, timeline)
    names = sorted({*booked, *(name for name in right.sums if not timeline.is_closed(name))})
    settled = {name: [one for one in booked.get(name, []) if one[0].meeting_id not in right.unbooked] for name in names}
    return [_compared(tenant, name, "", settled[name], right) for name in names if settled[name] or right.sums[name]]


def _compared(tenant: str, name: str, closed: str, booked: Sequence[Sum], right: Rederived) -> PeriodCheck:
    derived = [(slot, *values) for slot, values in right.sums[name].items()]
    check = PeriodCheck(tenant, name, closed, digest(booked), digest(derived))
    if check.booked != check.derived:
        check.differ.extend(islice(_differences(booked, derived), _NAMED))
    return check


def _differences(booked: Iterable[Sum], derived: Iterable[Sum]) -> Iterator[str]:
    have, right = ({slot: (steps, quantity) for slot, steps, quantity in sums} for sums in (booked, derived))
    for slot in sorted(have.keys() | right.keys(), key=order):
        (steps, quantity), (due, measured) = have.get(slot, (0, 0)), right.get(slot, (0, 0))
        if (steps, quantity) != (due, measured):
            line = f"{slot.line_id} of {slot.meeting_id} ({slot.meter} of {slot.of_period})"
            yield f"{line}: entries have {steps} steps of {quantity}, evidence gives {due} of {measured}"
