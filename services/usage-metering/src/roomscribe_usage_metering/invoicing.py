"""Drafts and invoices: what entries cost, read from the database and told as documents."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from roomscribe_common.contracts.billing import InvoiceData, InvoiceLine, PeriodState
from roomscribe_common.contracts.invoices import GetInvoice, Invoice
from roomscribe_common.contracts.pricing.price_book import Ceilings
from roomscribe_common.errors import ProblemError
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_usage_metering.adapters import bookings, closes, entries
from roomscribe_usage_metering.adapters.database import snapshot
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.billing import (
    PeriodTerms,
    Used,
    correction_lines,
    invoice_lines,
    merged,
    notes,
    rate_period,
)
from roomscribe_usage_metering.domain.entry import Total, total_of
from roomscribe_usage_metering.domain.lines import instant
from roomscribe_usage_metering.domain.periods import PAGE, Period, Timeline, first_after
from roomscribe_usage_metering.peaks import peaks, told
from roomscribe_usage_metering.pricing.exact import money
from roomscribe_usage_metering.sharing import Recent, Shared, share_of, shares

DRAFT_NOTE = "A draft: the period is not closed, and more may be used in it or come to light."


@dataclass(frozen=True, slots=True)
class Issue:
    """What only an issued document has."""

    at: datetime
    digest: str
    watermark: int


@dataclass(frozen=True, slots=True)
class Documents:
    """An open period's invoice, and a credit note for each past period that was charged too much.

    `totals` are what the invoice is of, by meeting.
    """

    invoice: InvoiceData
    credit_notes: tuple[InvoiceData, ...]
    totals: tuple[Total, ...]


def number_of(tenant: str, period: str) -> str:
    """The invoice's number. A dot stands in no tenant's id, so no two documents have one number."""
    return f"{tenant}.{period}"


class Invoicing:
    """Invoices of one database."""

    def __init__(self, engine: AsyncEngine, tariffs: Tariffs) -> None:
        self._engine = engine
        self._tariffs = tariffs
        self._recent = Recent()

    async def draft(self, tenant: str, now_ms: int) -> InvoiceData:
        """What the period that runs now has cost up to now: what is booked, and what would be if it closed now."""
        async with snapshot(self._engine) as connection:
            return await connection.run_sync(self._draft, tenant, now_ms)

    def _draft(self, connection: Connection, tenant: str, now_ms: int) -> InvoiceData:
        period = self._tariffs.timeline(connection, tenant).holding(now_ms)
        return self.documents(connection, tenant, period, now_ms).invoice

    async def invoice(self, command: GetInvoice, now_ms: int) -> Invoice:
        """The invoice of a period, or its draft, and a page of what meetings bear of it. Raises `ProblemError`."""
        tenant = command.tenant
        async with snapshot(self._engine) as connection:
            timeline = await connection.run_sync(self._tariffs.timeline, tenant)
            period = command.period or timeline.holding(now_ms).name
            shared = self._recent.get(tenant, period, now_ms, first_page=command.after is None)
            if shared is None:
                found = await connection.run_sync(self.read, tenant, period, now_ms)
                # A second of arithmetic for a large month: beside the loop, which has evidence to store.
                parts = await asyncio.to_thread(shares, found.invoice.lines, found.totals)
                shared = Shared(found.invoice, parts, list(parts), now_ms)
                if len(parts) > PAGE:
                    self._recent.keep(tenant, period, shared)
            return await connection.run_sync(_page, tenant, shared, command.after)

    def read(self, connection: Connection, tenant: str, name: str, now_ms: int) -> Documents:
        """The documents of a period as they were issued, or drafts. Raises `ProblemError`: 422 for what is no month,
        404 for a period that has not begun, or is before the first use."""
        timeline = self._tariffs.timeline(connection, tenant)
        period = timeline.named(name)
        issued = closes.invoice(connection, tenant, name)
        if issued is not None:
            notes_ = tuple(closes.credit_notes_of(connection, tenant, name))
            return Documents(issued, notes_, tuple(entries.totals(connection, tenant, paid_in=name)))
        first = closes.first_open(connection, tenant, timeline)
        if first is None or period.start_ms < first.start_ms:
            raise _no_invoice(name, "nothing was used by then")
        if now_ms < period.start_ms:
            raise _no_invoice(name, f"it begins at {instant(period.start_ms).isoformat()}")
        return self.documents(connection, tenant, period, now_ms)

    def ceilings(self, connection: Connection, terms: PeriodTerms) -> Ceilings:
        """How much the plan of a period with such terms serves at once."""
        return self._tariffs.plans(connection)(terms.prices[0][1]).terms.ceilings

    def documents(
        self, connection: Connection, tenant: str, period: Period, now_ms: int, issue: Issue | None = None
    ) -> Documents:
        """The documents of an open period: drafts with what is not booked yet, or as they are issued at its close."""
        timeline = self._tariffs.timeline(connection, tenant)
        totals = entries.totals(connection, tenant, paid_in=period.name)
        pending = [] if issue else bookings.pending(connection, tenant, timeline)
        totals += [total_of(entry) for entry in pending if entry.period == period.name]
        bill = _Bill(connection, self._tariffs, tenant, timeline)
        lines, credits = bill.lines(period, totals)
        state: PeriodState = "closed" if issue else "running" if now_ms < period.end_ms else "grace"
        invoice = bill.document(period, state, lines, issue)
        terms = self._tariffs.terms(connection, tenant, period, timeline)
        most = peaks(entries.ran(connection, tenant, period.name, pending), self.ceilings(connection, terms))
        invoice = invoice.model_copy(update={"peaks": most, "notes": [*told(most), *invoice.notes]})
        notes_ = tuple(bill.credit_note(invoice, past, of_past, issue) for past, of_past in credits.items())
        return Documents(invoice, notes_, tuple(totals))


class _Bill:
    """One tenant's documents."""

    def __init__(self, connection: Connection, tariffs: Tariffs, tenant: str, timeline: Timeline) -> None:
        self._connection = connection
        self._tariffs = tariffs
        self._tenant = tenant
        self._timeline = timeline
        self._plan_of = tariffs.plans(connection)

    def lines(self, period: Period, totals: Sequence[Total]) -> tuple[list[InvoiceLine], dict[str, list[InvoiceLine]]]:
        """The invoice's lines; and by past period those that take more back than they add, for a credit note."""
        terms = self._terms(period)
        by_period: dict[str, list[Total]] = defaultdict(list)
        for total in totals:
            by_period[total.of_period].append(total)
        rated = rate_period(terms, _used(by_period.pop(period.name, [])), self._plan_of)
        self._notes = list(notes(rated, terms, self._plan_of))
        lines = invoice_lines(rated, period.name)
        credits: dict[str, list[InvoiceLine]] = {}
        for past in sorted(by_period):
            corrected = self._corrections(past, by_period[past], period.name)
            invoiced = closes.invoice(self._connection, self._tenant, past) is not None
            if invoiced and _total(corrected) < 0:
                credits[past] = corrected
            else:
                lines += corrected
        return lines, credits

    def _corrections(self, past: str, late: Sequence[Total], paid_in: str) -> list[InvoiceLine]:
        terms = self._terms(self._timeline.named(past))
        before = entries.totals(self._connection, self._tenant, of_period=past, before=paid_in)
        rated = [rate_period(terms, _used(totals), self._plan_of) for totals in (before, [*before, *late])]
        return correction_lines(rated[0], rated[1], past)

    def _terms(self, period: Period) -> PeriodTerms:
        return self._tariffs.terms(self._connection, self._tenant, period, self._timeline)

    def document(
        self, period: Period, state: PeriodState, lines: list[InvoiceLine], issue: Issue | None
    ) -> InvoiceData:
        """The invoice, or its draft."""
        terms = self._terms(period)
        plan = self._plan_of(terms.prices[0][1])
        return InvoiceData(
            number=number_of(self._tenant, period.name) if issue else None,
            period=period.name,
            state=state,
            starts_at=instant(period.start_ms),
            ends_at=instant(period.end_ms),
            time_zone=terms.time_zone,
            currency=plan.book.currency,
            plan=plan.source,
            lines=lines,
            total=money(_total(lines)),
            issued_at=issue.at if issue else None,
            digest=issue.digest if issue else None,
            watermark=issue.watermark if issue else None,
            notes=[*self._notes, *([] if issue else [DRAFT_NOTE])],
        )

    def credit_note(
        self, invoice: InvoiceData, past: str, lines: list[InvoiceLine], issue: Issue | None
    ) -> InvoiceData:
        """What is taken back of a past period's invoice; issued with the invoice of the period it is booked in."""
        corrects = number_of(self._tenant, past)
        return invoice.model_copy(
            update={
                "kind": "credit_note",
                "number": f"{corrects}.credit.{invoice.period}" if issue else None,
                "corrects": corrects,
                "lines": lines,
                "total": money(_total(lines)),
                "notes": [f"Takes back from invoice {corrects} what evidence that came later shows was not used."],
            }
        )


def _page(connection: Connection, tenant: str, shared: Shared, after: str | None) -> Invoice:
    first = first_after(after, shared.meetings)
    page = shared.meetings[first : first + PAGE]
    rooms = entries.rooms(connection, tenant, page)
    return Invoice(
        invoice=shared.invoice,
        credit_notes=closes.credit_notes(connection, tenant, number_of(tenant, shared.invoice.period)),
        meetings=[share_of(meeting, rooms[meeting], shared.shares[meeting]) for meeting in page],
        next_cursor=page[-1] if first + PAGE < len(shared.meetings) else None,
    )


def _no_invoice(period: str, why: str) -> ProblemError:
    return ProblemError.of("no-such-invoice", 404, "No such invoice", f"there is no invoice of {period[:40]}: {why}")


def _used(totals: Iterable[Total]) -> list[Used]:
    return merged([Used(one.of_period, one.price, one.meter, one.steps, one.estimated) for one in totals])


def _total(lines: Iterable[InvoiceLine]) -> Decimal:
    return sum((Decimal(line.amount) for line in lines), Decimal(0))
