"""Closed periods and issued documents in the database; neither ever changes."""

from dataclasses import dataclass

from roomscribe_common.contracts.billing import InvoiceData
from sqlalchemy import ColumnElement, Connection, func, insert, select, union

from roomscribe_usage_metering.adapters import entries
from roomscribe_usage_metering.adapters.schema import ENTRY, EVIDENCE, INVOICE, LEDGER, MEETING, PERIOD
from roomscribe_usage_metering.billing import PeriodTerms
from roomscribe_usage_metering.domain.periods import Period, Timeline


@dataclass(frozen=True, slots=True)
class Close:
    """A closed period. `watermark` is the last evidence that could count; `digest` is over its `entries`."""

    tenant: str
    period: Period
    terms: PeriodTerms
    watermark: int
    entries: int
    digest: str


def tenants(connection: Connection) -> list[str]:
    """Everybody of whom any use is known."""
    query = select(MEETING.c.tenant).where(MEETING.c.started_ms.is_not(None)).distinct()
    return list(connection.execute(query.order_by(MEETING.c.tenant)).scalars())


def billed(connection: Connection) -> list[str]:
    """Everybody of whom any use is known, or anything is in the books."""
    found = union(*(select(one.c.tenant) for one in (ENTRY, PERIOD, INVOICE, LEDGER)))
    return sorted({*tenants(connection), *connection.execute(found).scalars()})


def first_open(connection: Connection, tenant: str, timeline: Timeline) -> Period | None:
    """The period that is closed next: after the last one, or the first that anything was used in. None without use."""
    if timeline.first_open is not None:
        return timeline.first_open
    started_ms = connection.scalar(select(func.min(MEETING.c.started_ms)).where(MEETING.c.tenant == tenant))
    if started_ms is None:
        return None
    begun = timeline.holding(started_ms)
    # Who was in the room before the agent may have come in the period before.
    earliest = connection.scalar(select(func.min(ENTRY.c.of_period)).where(ENTRY.c.tenant == tenant))
    return timeline.named(earliest) if earliest is not None and earliest < begun.name else begun


def watermark(connection: Connection) -> int:
    """The number of the last evidence."""
    return connection.scalar(select(func.max(EVIDENCE.c.seq))) or 0


def keep(connection: Connection, close: Close, now_ms: int) -> None:
    """Closes the period."""
    values = {
        "tenant": close.tenant,
        "period": close.period.name,
        "start_ms": close.period.start_ms,
        "end_ms": close.period.end_ms,
        "terms": close.terms.model_dump_json(),
        "watermark": close.watermark,
        "entries": close.entries,
        "digest": close.digest,
        "closed_ms": now_ms,
    }
    connection.execute(insert(PERIOD).values(values))
    entries.grow(connection, close.tenant, closes=1)


def closed(connection: Connection, tenant: str | None = None) -> list[Close]:
    """The closed periods of a tenant, or of all, in the order of time."""
    query = select(PERIOD).order_by(PERIOD.c.tenant, PERIOD.c.start_ms)
    if tenant is not None:
        query = query.where(PERIOD.c.tenant == tenant)
    return [
        Close(
            tenant=row.tenant,
            period=Period(row.period, row.start_ms, row.end_ms),
            terms=PeriodTerms.model_validate_json(row.terms),
            watermark=row.watermark,
            entries=row.entries,
            digest=row.digest,
        )
        for row in connection.execute(query)
    ]


def issue(connection: Connection, tenant: str, document: InvoiceData, now_ms: int) -> None:
    """Keeps an invoice or a credit note."""
    values = {
        "number": document.number,
        "tenant": tenant,
        "period": document.period,
        "kind": document.kind,
        "corrects": document.corrects,
        "document": document.model_dump_json(),
        "issued_ms": now_ms,
    }
    connection.execute(insert(INVOICE).values(values))


def invoice(connection: Connection, tenant: str, period: str) -> InvoiceData | None:
    """The invoice of a closed period."""
    query = select(INVOICE.c.document).where(
        INVOICE.c.tenant == tenant, INVOICE.c.period == period, INVOICE.c.kind == "invoice"
    )
    document = connection.scalar(query)
    return None if document is None else InvoiceData.model_validate_json(document)


def credit_notes(connection: Connection, tenant: str, number: str) -> list[InvoiceData]:
    """What takes back from an invoice, in the order of time."""
    return _documents(connection, INVOICE.c.tenant == tenant, INVOICE.c.corrects == number)


def credit_notes_of(connection: Connection, tenant: str, period: str) -> list[InvoiceData]:
    """What was issued in a period to take back from earlier invoices."""
    own = (INVOICE.c.tenant == tenant, INVOICE.c.period == period)
    return _documents(connection, *own, INVOICE.c.kind == "credit_note")


def _documents(connection: Connection, *where: ColumnElement[bool]) -> list[InvoiceData]:
    query = select(INVOICE.c.document).where(*where).order_by(INVOICE.c.period, INVOICE.c.number)
    documents = connection.execute(query).scalars()
    return [InvoiceData.model_validate_json(one) for one in documents]
