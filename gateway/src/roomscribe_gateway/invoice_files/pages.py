"""What stands on an invoice's pages: texts and figures for the template `invoice.typ`, which computes nothing."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from roomscribe_common.contracts.billing import InvoiceData, InvoiceLine
from roomscribe_common.contracts.invoices import Invoice, MeetingShare

from roomscribe_gateway.domain.transcript import line as one_line
from roomscribe_gateway.invoice_files.figures import day, days, money, quantity, unit_price
from roomscribe_gateway.invoice_files.shares import share_table

_STATES = {
    "running": "This is a draft: the period is not over, and every figure can still change.",
    "grace": "This is a draft: the period is over, and late evidence is still waited for.",
}


def pages(found: Invoice, meetings: Sequence[MeetingShare], sender: str, customer: str) -> dict[str, Any]:
    """The invoice, what each of those meetings bears of it, and each credit note on a page of its own.

    `meetings` may be the first of many: the table ends with what the others bear.
    """
    invoice, parties = found.invoice, {"from": sender.splitlines(), "to": customer.splitlines()}
    first = _document(invoice) | {
        "taken_back": [[note.number or "", money(note.total)] for note in found.credit_notes],
        "left": money(Decimal(invoice.total) + sum(Decimal(note.total) for note in found.credit_notes)),
        "meetings": share_table(invoice, meetings),
    }
    notes = [_document(note) for note in found.credit_notes]
    return {
        "title": f"{first['title']} {invoice.number or invoice.period}",
        "documents": [parties | document for document in (first, *notes)],
    }


def _document(document: InvoiceData) -> dict[str, Any]:
    zone = ZoneInfo(document.time_zone)
    facts = [
        ["Number", document.number],
        ["Corrects invoice", document.corrects],
        ["Date of issue", day(document.issued_at, zone) if document.issued_at else None],
        ["Period", days(document.starts_at, document.ends_at, zone)],
        ["Time zone", document.time_zone],
        ["Plan", document.plan],
    ]
    return {
        "title": _title(document),
        "number": document.number or document.period,
        "warning": None if document.kind == "credit_note" else _STATES.get(document.state),
        "facts": [fact for fact in facts if fact[1]],
        "currency": document.currency,
        "lines": [_line(line, document) for line in document.lines],
        "total": money(document.total),
        "notes": [one_line(note) for note in document.notes],
        "digest": document.digest,
    }


def _title(document: InvoiceData) -> str:
    if document.kind == "credit_note":
        return "Credit note"
    return "Invoice" if document.state == "closed" else "Draft invoice"


def _line(line: InvoiceLine, document: InvoiceData) -> dict[str, Any]:
    details = [
        f"for {line.of_period}" if line.of_period != document.period else "",
        "estimated" if line.quality == "estimated" else "",
        one_line(line.note),
        f"price {line.price}" if line.price != document.plan else "",
    ]
    counted = line.kind in ("usage", "correction")
    return {
        "text": one_line(line.description),
        "details": " · ".join(detail for detail in details if detail),
        "quantity": f"{quantity(line.quantity)} {line.unit}" if counted else "",
        "allowance": quantity(line.allowance) if counted else "",
        "overage": quantity(line.overage) if counted else "",
        "unit_price": unit_price(line.unit_price, line.per) if counted else "",
        "amount": money(line.amount),
    }
