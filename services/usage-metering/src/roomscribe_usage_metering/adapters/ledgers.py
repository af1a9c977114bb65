"""Ledgers of what is in the database, priced: of a meeting, and of a month."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from roomscribe_common.contracts.commands import MeetingTotals, PeriodUsage
from roomscribe_common.contracts.pricing.price_book import PriceBook
from roomscribe_common.contracts.usage import MeetingUsageData

from roomscribe_usage_metering.adapters.reading import Meeting
from roomscribe_usage_metering.adapters.store import EvidenceStore
from roomscribe_usage_metering.domain.evidence import MeetingKey
from roomscribe_usage_metering.domain.ledger import Ledger, derive, quantities, totals
from roomscribe_usage_metering.domain.lines import POLICY
from roomscribe_usage_metering.domain.periods import PAGE, first_after, month_ms
from roomscribe_usage_metering.pricing.list_price import at_list_price


@dataclass(frozen=True, slots=True)
class Derived:
    """A meeting's ledger, and the row it was derived from."""

    meeting: Meeting
    ledger: Ledger


class Ledgers:
    """Derives ledgers from stored evidence; nothing else is asked."""

    def __init__(self, store: EvidenceStore, book: PriceBook) -> None:
        self._store = store
        self._book = book

    async def derive(self, key: MeetingKey) -> Derived | None:
        """The meeting's ledger now; None if nothing is known of the meeting."""
        known = await self._store.known(key)
        if known is None:
            return None
        return Derived(known.meeting, derive(key, known.evidence, known.neighbours))

    def usage(self, ledger: Ledger, *, closed: bool) -> MeetingUsageData:
        """The ledger as it is told, with its estimate. A closed one has no line that runs."""
        sums = totals(ledger.lines)
        lines = [one.model_copy(update={"open": one.open and not closed}) for one in ledger.lines]
        return MeetingUsageData(
            meeting_id=ledger.meeting.meeting_id,
            room=ledger.room,
            policy=POLICY,
            closed=closed,
            digest=ledger.digest,
            lines=lines,
            totals=sums,
            estimate=at_list_price(self._book, _began(ledger), quantities(ledger.lines)),
        )

    async def meeting_usage(self, key: MeetingKey) -> MeetingUsageData | None:
        """What the meeting used up to now; None if nothing is known of it."""
        derived = await self.derive(key)
        if derived is None:
            return None
        return self.usage(derived.ledger, closed=derived.meeting.closed_digest == derived.ledger.digest)

    async def period_usage(self, tenant: str, period: str, after: str | None = None) -> PeriodUsage:
        """What the tenant's meetings of a month used: those that started in it, whole. Raises `ProblemError`.

        The sums are the month's on every page of its meetings.
        """
        found = await self._store.started_between(tenant, *month_ms(period))
        meetings = [usage for meeting in found if (usage := await self._of_row(meeting)) is not None]
        lines = [line for one in meetings for line in one.lines]
        sums = totals(lines)
        first = first_after(after, [one.meeting_id for one in meetings])
        page = meetings[first : first + PAGE]
        return PeriodUsage(
            tenant=tenant,
            period=period,
            totals=sums,
            meetings=[_totals(one) for one in page],
            next_cursor=page[-1].meeting_id if first + PAGE < len(meetings) else None,
            estimate=at_list_price(self._book, _first_day(period), quantities(lines)),
        )

    async def _of_row(self, meeting: Meeting) -> MeetingUsageData | None:
        if meeting.closed_usage is not None and meeting.closed_version == meeting.version:
            return MeetingUsageData.model_validate_json(meeting.closed_usage)
        return await self.meeting_usage(meeting.key)


def _began(ledger: Ledger) -> date:
    """The day in UTC whose prices hold for the meeting."""
    starts = [line.started_at for line in ledger.lines if line.started_at is not None]
    return min(starts, default=datetime.fromtimestamp(0, UTC)).date()


def _first_day(period: str) -> date:
    return date.fromisoformat(f"{period}-01")


def _totals(usage: MeetingUsageData) -> MeetingTotals:
    return MeetingTotals(meeting_id=usage.meeting_id, room=usage.room, closed=usage.closed, totals=usage.totals)
