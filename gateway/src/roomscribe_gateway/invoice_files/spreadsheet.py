"""An invoice as CSV (RFC 4180), written piece by piece: a month may have more meetings than fit into memory."""

import csv
import io
from collections.abc import Iterable, Iterator

from roomscribe_common.contracts.billing import InvoiceData
from roomscribe_common.contracts.invoices import Invoice, MeetingShare

from roomscribe_gateway.domain.formats import cell

_LINE = (
    "line_id", "kind", "meter", "description", "of_period", "price", "unit", "quantity", "allowance", "overage",
    "unit_price", "per", "amount", "quality", "note",
)  # fmt: skip
_COLUMNS: tuple[str, ...] = ("row", "document", "period", "state", "currency", *_LINE, "meeting_id", "room", "share")
_TEXTS = frozenset({"description", "note", "room"})
"""What people wrote. The rest is ours, and amounts may begin with a minus."""


def lines(found: Invoice) -> str:
    """Header, the invoice's lines, then those of its credit notes. `amount` adds up to what is to be paid."""
    invoice = found.invoice
    documents = [(invoice.number or "", invoice), *((note.number or "", note) for note in found.credit_notes)]
    rows = (row for number, document in documents for row in _of_document(number, document))
    return _text([dict(zip(_COLUMNS, _COLUMNS, strict=True)), *rows])


def shares(invoice: InvoiceData, meetings: Iterable[MeetingShare]) -> str:
    """A row for each meeting and line of the invoice. `share` adds up to the invoice, before credit notes."""
    return _text(row for meeting in meetings for row in _of_meeting(invoice, meeting))


def _of_document(number: str, document: InvoiceData) -> Iterator[dict[str, object]]:
    for line in document.lines:
        yield _head("line", number, document) | {name: getattr(line, name) for name in _LINE}


def _of_meeting(invoice: InvoiceData, meeting: MeetingShare) -> Iterator[dict[str, object]]:
    head = _head("meeting", invoice.number or "", invoice)
    for line_id, share in (meeting.lines or {"": meeting.amount}).items():
        yield head | {"line_id": line_id, "meeting_id": meeting.meeting_id, "room": meeting.room, "share": share}


def _head(row: str, number: str, document: InvoiceData) -> dict[str, object]:
    shown = {"period": document.period, "state": document.state, "currency": document.currency}
    return {"row": row, "document": number, **shown}


def _text(rows: Iterable[dict[str, object]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS, lineterminator="\r\n")
    for row in rows:
        writer.writerow({name: cell(str(value)) if name in _TEXTS else value for name, value in row.items()})
    return out.getvalue()
