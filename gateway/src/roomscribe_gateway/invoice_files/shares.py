"""What each meeting bears of an invoice, as a table that fits a page's width."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from roomscribe_common.contracts.billing import InvoiceData, InvoiceLine
from roomscribe_common.contracts.invoices import MeetingShare

from roomscribe_gateway.domain.transcript import line as one_line
from roomscribe_gateway.invoice_files.figures import money

_WIDEST = 5
_OTHER = "Other"
_HEADINGS = (
    ("webrtc_", "Connections"),
    ("agent_", "Agents"),
    ("downstream_", "Traffic"),
    ("stt_", "Speech"),
    ("tts_", "Voice"),
    ("llm_", "Models"),
    ("transcode_", "Recording"),
    ("track_egress_", "Recording"),
)


def share_table(invoice: InvoiceData, meetings: Sequence[MeetingShare]) -> dict[str, Any]:
    """Column headings, a row for each meeting, what the meetings not shown bear (None if that is nothing), the sum."""
    columns = _columns(invoice)
    order = list(dict.fromkeys(columns.values()))
    rows = [_row(meeting, columns, order) for meeting in meetings]
    total = Decimal(invoice.total)
    left = total - sum((Decimal(meeting.amount) for meeting in meetings), Decimal(0))
    return {"columns": order, "rows": rows, "others": money(left) if left else None, "total": money(total)}


def _columns(invoice: InvoiceData) -> dict[str, str]:
    """The heading of each line that costs something: so many that the table fits, the largest ones."""
    sums: dict[str, Decimal] = {}
    for line in invoice.lines:
        sums[_heading(line)] = sums.get(_heading(line), Decimal(0)) + abs(Decimal(line.amount))
    largest = sorted((name for name in sums if sums[name]), key=lambda name: -sums[name])
    kept = largest if len(largest) <= _WIDEST else largest[: _WIDEST - 1]
    named = {line.line_id: _heading(line) for line in invoice.lines if Decimal(line.amount)}
    shown = {line_id: name for line_id, name in named.items() if name in kept}
    return shown | {line_id: _OTHER for line_id in named if line_id not in shown}


def _heading(line: InvoiceLine) -> str:
    if line.kind != "usage":
        return {"base": "Base", "credit": "Credit", "correction": "Corrections"}[line.kind]
    return next((heading for start, heading in _HEADINGS if line.meter.startswith(start)), _OTHER)


def _row(meeting: MeetingShare, columns: dict[str, str], order: list[str]) -> dict[str, Any]:
    sums = dict.fromkeys(order, Decimal(0))
    for line_id, share in meeting.lines.items():
        if line_id in columns:
            sums[columns[line_id]] += Decimal(share)
    shown = [money(sums[name]) if sums[name] else "–" for name in order]
    return {"room": one_line(meeting.room), "id": meeting.meeting_id, "shares": shown, "amount": money(meeting.amount)}
