"""Ledgers of meetings, derived from what is in the database, and priced."""

from dataclasses import dataclass, replace
from datetime import date

from roomscribe_common.contracts.pricing.price_book import PriceBook
from roomscribe_common.contracts.usage import MeetingUsageData

from roomscribe_usage_metering.adapters.reading import Meeting
from roomscribe_usage_metering.adapters.store import EvidenceStore
from roomscribe_usage_metering.domain.evidence import MeetingKey
from roomscribe_usage_metering.domain.ledger import Ledger, derive, quantities, totals
from roomscribe_usage_metering.domain.lines import POLICY, instant, to_usage_line
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
        lines = [to_usage_line(replace(one, open=one.open and not closed)) for one in ledger.lines]
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


def _began(ledger: Ledger) -> date:
    """The day in UTC whose prices hold for the meeting."""
    return instant(min((line.start_ms for line in ledger.lines), default=0)).date()
