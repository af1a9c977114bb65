"""A tenant's meetings over months, on a real database: evidence in, periods closed, invoices out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.billing import InvoiceData
from roomscribe_common.contracts.invoices import Explained, ExplainLine, GetInvoice, Invoice
from roomscribe_common.contracts.usage import MeetingUsageData
from roomscribe_usage_metering.accounts import Accounts
from roomscribe_usage_metering.adapters import closes
from roomscribe_usage_metering.adapters.bookings import Bookings
from roomscribe_usage_metering.adapters.closes import Close
from roomscribe_usage_metering.adapters.entries import Entries
from roomscribe_usage_metering.adapters.ledgers import Ledgers
from roomscribe_usage_metering.adapters.store import EvidenceStore
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.closer import Closer, Times
from roomscribe_usage_metering.closing_periods import PeriodCloser, PeriodTimes
from roomscribe_usage_metering.domain.entry import Entry
from roomscribe_usage_metering.domain.evidence import MeetingKey
from roomscribe_usage_metering.domain.lines import epoch_ms
from roomscribe_usage_metering.explaining import Explaining
from roomscribe_usage_metering.invoicing import Invoicing
from roomscribe_usage_metering.pricing.books import Books
from roomscribe_usage_metering.rebuild import Verification, verify
from sqlalchemy.ext.asyncio import AsyncEngine

from .events import Meeting
from .records import record

GRACE = timedelta(hours=24)


def at(month: int, day: int = 1, hour: int = 0, minute: int = 0, *, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


@dataclass
class Till:
    """What a service does at the times that are given, one thing after the other."""

    engine: AsyncEngine
    accounts: Accounts
    books: Books

    def __post_init__(self) -> None:
        [ship] = [book for book in self.books if book.id == "livekit-cloud-ship"]
        self.tariffs = Tariffs(self.accounts, self.books)
        self.store = EvidenceStore(self.engine, 0)
        self.entries = Entries(self.engine)
        self.invoicing = Invoicing(self.engine, self.tariffs)
        self.explaining = Explaining(self.engine, self.tariffs, self.invoicing)
        self.ledgers, bookings = Ledgers(self.store, ship), Bookings(self.engine, self.tariffs)
        self.meetings = Closer(self.store, self.ledgers, bookings, "test", Times(1, 0))
        times = PeriodTimes(1, GRACE.total_seconds())
        self.periods = PeriodCloser(self.engine, self.tariffs, self.invoicing, "test", times)

    async def start(self) -> None:
        """What a service does before anything else. Raises `PriceChanged`."""
        async with self.engine.begin() as connection:
            await connection.run_sync(self.tariffs.check)
            await connection.run_sync(self.tariffs.settle, await connection.run_sync(closes.tenants))

    async def hear(self, events: Iterable[AnyEvent], now: datetime) -> None:
        """Stores what the events say, and books the meetings that are over."""
        await self.store.add([record(event) for event in events], epoch_ms(now))
        await self.meetings.close_due(epoch_ms(now) + 1)

    async def close(self, now: datetime) -> None:
        """Closes the periods whose grace is over."""
        await self.periods.close_due(epoch_ms(now))

    async def closed(self, tenant: str = "acme") -> list[Close]:
        async with self.engine.connect() as connection:
            return await connection.run_sync(closes.closed, tenant)

    async def usage(self, meeting_id: str, tenant: str = "acme") -> MeetingUsageData:
        found = await self.ledgers.meeting_usage(MeetingKey(tenant, meeting_id))
        assert found is not None
        return found

    async def invoice(self, period: str, now: datetime, tenant: str = "acme", after: str | None = None) -> Invoice:
        return await self.invoicing.invoice(GetInvoice(tenant=tenant, period=period, after=after), epoch_ms(now))

    async def draft(self, now: datetime, tenant: str = "acme") -> InvoiceData:
        return await self.invoicing.draft(tenant, epoch_ms(now))

    async def explain(self, now: datetime, line_id: str, **command: str) -> Explained:
        asked = ExplainLine.model_validate({"tenant": "acme", "line_id": line_id} | command)
        return await self.explaining.line(asked, epoch_ms(now))

    async def paid(self, period: str, tenant: str = "acme") -> list[Entry]:
        return await self.entries.of_period(tenant, period)

    async def verify(self) -> Verification:
        return await verify(self.engine, self.tariffs)


def talk(meeting_id: str, start: datetime, minutes: int, tenant: str = "acme", people: int = 1) -> list[AnyEvent]:
    """A meeting of people and an agent who all stay to the end."""
    meeting = Meeting(meeting_id, tenant, f"RM_{meeting_id}", start)
    seconds = minutes * 60
    left = [meeting.webhook("participant_left", f"PA_{meeting_id}_{n}", seconds) for n in range(people)]
    agent = meeting.webhook("participant_left", meeting.agent_sid, seconds, 0, "AGENT")
    begun = [meeting.started(), meeting.agent_joined()]
    return [*begun, *left, agent, meeting.agent_left(seconds), meeting.ended(seconds)]


def late_guest(meeting_id: str, start: datetime, minutes: int, guest: str = "PA_late") -> list[AnyEvent]:
    """A leave that comes long after the meeting: somebody was there whom nobody had heard of."""
    meeting = Meeting(meeting_id, "acme", f"RM_{meeting_id}", start)
    return [meeting.webhook("participant_left", guest, minutes * 60)]
