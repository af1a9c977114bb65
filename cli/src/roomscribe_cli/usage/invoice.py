"""`roomscribe usage invoice`: what is to be paid, on the terminal or as a file."""

from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

from rich.console import Console
from rich.table import Table
from rich.text import Text
from roomscribe_common.contracts.billing import InvoiceData
from roomscribe_common.contracts.invoices import Invoice, MeetingShare

from roomscribe_cli.client import Gateway
from roomscribe_cli.pricing.output import fail
from roomscribe_cli.pricing.screen import bar
from roomscribe_cli.pricing.words import number
from roomscribe_cli.usage.asking import ask, print_json

_FORMATS = ("pdf", "csv", "json")
_MEETINGS = 10
_FIGURES = 88
"""Columns of the terminal that names and figures take."""
_STATES = {
    "running": "a draft: the period is not over",
    "grace": "a draft: the period is over, late evidence is still waited for",
    "closed": "closed",
}


def run(period: str, out: Path | None, *, as_json: bool, state: Path | None) -> None:
    """Shows the invoice; or writes it to `out`, whose name says as what."""
    if out is not None:
        _write(period, out, state)
        return
    found = ask("invoice", state, lambda gateway: (_whole if as_json else _first)(gateway, period))
    if as_json:
        print_json(found)
    else:
        console = Console()
        show_invoice(console, found)
        _hint(console, found.invoice)


async def _first(gateway: Gateway, period: str) -> Invoice:
    return Invoice.model_validate_json(await gateway.get(_path(period)))


async def _whole(gateway: Gateway, period: str) -> Invoice:
    page = first = await _first(gateway, period)
    meetings = list(first.meetings)
    while page.next_cursor is not None:
        answer = await gateway.get(_path(first.invoice.period), cursor=page.next_cursor)
        page = Invoice.model_validate_json(answer)
        meetings += page.meetings
    return first.model_copy(update={"meetings": meetings, "next_cursor": None})


def _path(period: str) -> str:
    return f"/v1/invoices/{quote(period, safe='')}"


def _write(period: str, out: Path, state: Path | None) -> None:
    form = out.suffix.removeprefix(".").lower()
    if form not in _FORMATS:
        fail("usage invoice", f"--out {out}: its name must end with one of {', '.join('.' + one for one in _FORMATS)}")
    if form == "json":
        content = ask("invoice", state, lambda gateway: _whole(gateway, period)).model_dump_json(indent=2).encode()
    else:
        content = ask("invoice", state, lambda gateway: gateway.get(_path(period), format=form))
    try:
        out.write_bytes(content)
    except OSError as error:
        fail("usage invoice", f"cannot write {out}: {error.strerror or error}")
    print(f"Invoice: {out}")


def show_invoice(console: Console, found: Invoice) -> None:
    """Lines, credit notes, notes, and what the dearest meetings of the page bear."""
    invoice = found.invoice
    show_document(console, invoice)
    for note in found.credit_notes:
        show_document(console, note)
    if found.credit_notes:
        left = Decimal(invoice.total) + sum(Decimal(note.total) for note in found.credit_notes)
        console.print(Text(f"After credit notes {left:,} {invoice.currency}", style="bold"))
    for note in invoice.notes:
        console.print(Text(f"  • {note}", style="dim"))
    _meetings(console, invoice, found.meetings, more=found.next_cursor is not None)


def show_document(console: Console, document: InvoiceData) -> None:
    """An invoice or a credit note: its lines and their sum."""
    kind = "Credit note" if document.kind == "credit_note" else "Invoice"
    name = document.number or document.period
    console.rule(Text(f"{kind} {name} ({_STATES[document.state]}; {document.plan})"), align="left")
    span = f"{document.starts_at:%Y-%m-%d %H:%M} to {document.ends_at:%Y-%m-%d %H:%M} UTC, time zone"
    console.print(Text(f"{span} {document.time_zone}", style="dim"))
    table = Table(box=None, header_style="dim")
    for column in ("", "quantity", "included", "to pay for", "unit price", document.currency):
        table.add_column(column, justify="right" if column else "left")
    table.add_column("", no_wrap=True, style="cyan")
    most = max((Decimal(line.amount) for line in document.lines), default=Decimal(0))
    room = min(12, console.width - _FIGURES)
    for line in document.lines:
        per = f"/{line.per:,}" if line.per > 1 else ""
        marks = [f"for {line.of_period}"] if line.of_period != document.period else []
        marks += ["estimated"] if line.quality == "estimated" else []
        what = Text.assemble(line.description, (f" ({', '.join(marks)})" if marks else "", "dim"))
        figures = [f"{number(line.quantity)} {line.unit}", number(line.allowance), number(line.overage)]
        blocks = bar(Decimal(line.amount), most, room) if room > 0 else ""
        table.add_row(what, *figures, line.unit_price + per, f"{Decimal(line.amount):,}", blocks)
    table.add_row(Text("Total", style="bold"), "", "", "", "", Text(f"{Decimal(document.total):,}", style="bold"))
    console.print(table)


def _hint(console: Console, invoice: InvoiceData) -> None:
    if invoice.lines:
        dearest = max(invoice.lines, key=lambda line: Decimal(line.amount) if line.kind == "usage" else Decimal(-1))
        console.print(Text(f"Why? roomscribe usage explain {dearest.line_id} --period {invoice.period}", style="dim"))


def _meetings(console: Console, invoice: InvoiceData, meetings: list[MeetingShare], *, more: bool) -> None:
    if not meetings:
        return
    console.print(Text(f"\nWhat meetings bear of it, in {invoice.currency}", style="bold"))
    dearest = sorted(meetings, key=lambda one: -Decimal(one.amount))[:_MEETINGS]
    most = Decimal(dearest[0].amount)
    table = Table(box=None, show_header=False)
    for one in dearest:
        table.add_row(one.meeting_id, Text(one.room), f"{Decimal(one.amount):,}", bar(Decimal(one.amount), most))
    console.print(table)
    if more or len(meetings) > len(dearest):
        about = "the first page" if more else "all"
        console.print(Text(f"The dearest of {about}; each one is in --json and --out FILE.csv", style="dim"))
