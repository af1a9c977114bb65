"""Whether closes and documents are all there, and say what their entries come to; each thing that is wrong in words."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from sqlalchemy import Connection, func, select

from roomscribe_usage_metering.adapters import closes, entries
from roomscribe_usage_metering.adapters.closes import Close
from roomscribe_usage_metering.adapters.schema import ENTRY, INVOICE, LEDGER, PERIOD
from roomscribe_usage_metering.domain.periods import Timeline
from roomscribe_usage_metering.invoicing import Invoicing, Issue, number_of
from roomscribe_usage_metering.peaks import Ran, peaks


def wrong_counts(connection: Connection, tenant: str) -> Iterator[str]:
    """Entries and closes that were taken out, wherever: how many there were is kept beside them."""
    kept = connection.execute(select(LEDGER.c.entries, LEDGER.c.closes).where(LEDGER.c.tenant == tenant)).one_or_none()
    for number, (table, what) in enumerate(((ENTRY, "entries"), (PERIOD, "closed periods"))):
        have = connection.scalar(select(func.count()).select_from(table).where(table.c.tenant == tenant)) or 0
        were = kept[number] if kept else 0
        if have != were:
            yield f"{tenant} has {have} {what}, and {were} were made"


def wrong_closes(connection: Connection, tenant: str, closed: Sequence[Close], timeline: Timeline) -> Iterator[str]:
    """Closes that must have been there: periods follow each other without a hole from the first that has entries on."""
    names = {one.period.name for one in closed}
    for one, after in pairwise(closed):
        if one.period.end_ms != after.period.start_ms:
            yield f"{tenant} has no close between {one.period.name} and {after.period.name}"
    issued = select(INVOICE.c.period).where(INVOICE.c.tenant == tenant, INVOICE.c.kind == "invoice")
    for name in connection.execute(issued.order_by(INVOICE.c.period)).scalars():
        if name not in names:
            yield f"{tenant} has no close of {name}, of which invoice {number_of(tenant, name)} was issued"
    paid = select(ENTRY.c.period, ENTRY.c.of_period).where(ENTRY.c.tenant == tenant).distinct()
    for paid_in, of_period in sorted(tuple(row) for row in connection.execute(paid)):
        if paid_in != of_period and not timeline.is_closed(of_period):
            yield f"{tenant} has no close of {of_period}, which entries of {paid_in} correct"
        if timeline.is_closed(paid_in) and paid_in not in names:
            yield f"{tenant} has no close of {paid_in}, which has entries and is before one that is closed"


def wrong_documents(connection: Connection, invoicing: Invoicing, close: Close, ran: Sequence[Ran]) -> Iterator[str]:
    """Documents issued at a close that are not what its entries come to; and peaks that `ran`, which is what evidence
    gives, does not have."""
    tenant, name = close.tenant, close.period.name
    issued = closes.invoice(connection, tenant, name)
    if issued is None or issued.issued_at is None:
        yield f"invoice {number_of(tenant, name)} is missing"
        return
    issue = Issue(issued.issued_at, close.digest, close.watermark)
    again = invoicing.documents(connection, tenant, close.period, close.period.end_ms, issue)
    stored = {each.number: each for each in (issued, *closes.credit_notes_of(connection, tenant, name))}
    right = {each.number: each for each in (again.invoice, *again.credit_notes)}
    for number in sorted(str(one) for one in stored.keys() | right.keys() if stored.get(one) != right.get(one)):
        yield f"{number} is not what its entries come to"
    ceilings = invoicing.ceilings(connection, close.terms)
    if issued.peaks and issued.peaks != peaks(ran, ceilings):
        yield f"{issued.number} does not have the peaks that evidence gives"


def sums_of_open(connection: Connection, tenant: str, timeline: Timeline) -> dict[str, list[entries.Sum]]:
    """What the entries of each open period come to, slot by slot."""
    periods = select(ENTRY.c.period).where(ENTRY.c.tenant == tenant).distinct()
    names = [name for name in connection.execute(periods).scalars() if not timeline.is_closed(name)]
    return {name: entries.sums_of_period(connection, tenant, name) for name in sorted(names)}
