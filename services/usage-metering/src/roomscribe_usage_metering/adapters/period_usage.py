"""What a tenant used in a period: the steps whose ticks are in it, meeting by meeting."""

from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction

from roomscribe_common.contracts.commands import MeetingTotals, PeriodUsage
from roomscribe_common.contracts.pricing.price_book import PriceBook
from roomscribe_common.contracts.usage import Meter
from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_usage_metering.adapters import bookings, entries
from roomscribe_usage_metering.adapters.database import snapshot
from roomscribe_usage_metering.adapters.schema import MEETING
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.domain.entry import Total, total_of
from roomscribe_usage_metering.domain.lines import POLICY
from roomscribe_usage_metering.domain.periods import PAGE, first_after
from roomscribe_usage_metering.domain.quantise import METERS, RULES, decimal_text, in_billed_units
from roomscribe_usage_metering.pricing.list_price import at_list_price


class Periods:
    """Use of periods: what was booked, and what would be if it were now. List prices are those of `book`."""

    def __init__(self, engine: AsyncEngine, tariffs: Tariffs, book: PriceBook) -> None:
        self._engine = engine
        self._tariffs = tariffs
        self._book = book

    async def usage(self, tenant: str, period: str, after: str | None = None) -> PeriodUsage:
        """What the tenant used in a period. Raises `ProblemError`.

        The sums are the period's on every page of its meetings.
        """
        async with snapshot(self._engine) as connection:
            return await connection.run_sync(self._usage, tenant, period, after)

    def _usage(self, connection: Connection, tenant: str, name: str, after: str | None) -> PeriodUsage:
        timeline = self._tariffs.timeline(connection, tenant)
        period = timeline.named(name)
        totals = entries.totals(connection, tenant, of_period=name)
        pending = map(total_of, bookings.pending(connection, tenant, timeline))
        by_meeting: dict[str, list[Total]] = defaultdict(list)
        for total in (*totals, *(one for one in pending if one.of_period == name)):
            by_meeting[total.meeting_id].append(total)
        ids = sorted(by_meeting)
        first = first_after(after, ids)
        page = ids[first : first + PAGE]
        steps = _steps(total for one in by_meeting.values() for total in one)
        used = {meter: Fraction(count, RULES[POLICY][meter].per) for meter, count in steps.items()}
        return PeriodUsage(
            tenant=tenant,
            period=name,
            totals=_told(steps),
            meetings=_meetings(connection, tenant, {one: by_meeting[one] for one in page}),
            next_cursor=page[-1] if first + PAGE < len(ids) else None,
            estimate=at_list_price(self._book, timeline.calendar.day(period.start_ms), used),
        )


def _meetings(connection: Connection, tenant: str, used: dict[str, list[Total]]) -> list[MeetingTotals]:
    query = select(MEETING).where(MEETING.c.tenant == tenant, MEETING.c.meeting_id.in_(list(used)))
    rows = {row.meeting_id: row for row in connection.execute(query)}
    return [
        MeetingTotals(
            meeting_id=one,
            room=rows[one].room,
            closed=rows[one].closed_digest is not None and rows[one].booked_version == rows[one].version,
            totals=_told(_steps(totals)),
        )
        for one, totals in used.items()
    ]


def _steps(totals: Iterable[Total]) -> dict[Meter, int]:
    steps = dict.fromkeys(METERS, 0)
    for one in totals:
        steps[one.meter] += one.steps
    return steps


def _told(steps: dict[Meter, int]) -> dict[str, str]:
    return {meter: decimal_text(in_billed_units(meter, POLICY, count)) for meter, count in steps.items()}
