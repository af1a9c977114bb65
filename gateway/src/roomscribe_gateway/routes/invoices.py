"""What is to be paid, as JSON, CSV and PDF; where a line comes from; and how it compares with what was expected."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Query, Response
from fastapi.responses import StreamingResponse
from roomscribe_common.contracts.invoices import (
    CompareForecast,
    Comparison,
    Explained,
    ExplainLine,
    GetInvoice,
    Invoice,
    MeetingShare,
)
from roomscribe_common.contracts.pricing.request import EstimateRequest
from roomscribe_common.subjects import COMPARE, EXPLAIN, INVOICE

from roomscribe_gateway import problems
from roomscribe_gateway.edge import Edge, GivenEdge, MeetingId, Tenant
from roomscribe_gateway.invoice_files import spreadsheet
from roomscribe_gateway.invoice_files.pages import pages
from roomscribe_gateway.problems import documented
from roomscribe_gateway.routes.usage import Cursor
from roomscribe_gateway.strict import StrictRoute

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["invoices"])

MOST_MEETINGS_ON_PAPER = 1000
"""Some 20 pages. Those beyond are one row of the PDF; the CSV has all of them."""

_RUNNING = "current"
Period = Annotated[
    str,
    Path(
        pattern=r"^(current|20\d\d-(0[1-9]|1[0-2]))$",
        description="Named after the month it begins in, in your time zone; `current` is the one that runs now.",
        examples=["2026-11"],
    ),
]
LineId = Annotated[
    str,
    Path(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$", description="`line_id` of a line."),
]
LineCursor = Annotated[str | None, Query(min_length=1, max_length=300, description="`next_cursor` of the page before.")]
_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Invoice,
        "description": "The invoice in the format that was asked for.",
        "content": {"text/csv": {}, "application/pdf": {}},
    }
}
_EXPECTED = {"meetings": 1, "minutes": 45, "humans": 5, "plan": "livekit-cloud-scale"}
Expected = Annotated[EstimateRequest, Body(examples=[_EXPECTED])]


@router.get("/invoices/{period}", responses=_FILES | documented(404), response_model=None)
async def get_invoice(
    period: Period,
    edge: GivenEdge,
    tenant: Tenant,
    format: Annotated[Literal["json", "csv", "pdf"], Query()] = "json",
    cursor: Cursor = None,
) -> Response:
    """The invoice, its credit notes, and what each meeting bears of it; a draft until the period is closed.

    JSON comes in pages of meetings; CSV has all meetings, PDF the first thousand.
    """
    if format != "json" and cursor is not None:
        raise problems.invalid("cursor", "only JSON comes in pages; leave it out")
    command = GetInvoice(tenant=tenant, period=_named(period), after=cursor)
    found = await edge.ask(INVOICE, command, Invoice)
    if format == "json":
        return Response(found.model_dump_json(), media_type="application/json")
    name = f"invoice-{found.invoice.period}.{format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if format == "csv":
        rows = _csv(edge, tenant, found)
        return StreamingResponse(rows, media_type="text/csv; charset=utf-8; header=present", headers=headers)
    return Response(await _pdf(edge, tenant, found), media_type="application/pdf", headers=headers)


@router.get("/invoices/{period}/lines/{line_id:path}", responses=documented(404))
async def explain_invoice_line(
    period: Period, line_id: LineId, edge: GivenEdge, tenant: Tenant, cursor: LineCursor = None
) -> Explained:
    """Where a line of an invoice comes from: the entries of the ledger that it adds up."""
    command = ExplainLine(tenant=tenant, period=_named(period), line_id=line_id, after=cursor)
    return await edge.ask(EXPLAIN, command, Explained)


@router.get("/meetings/{meeting_id}/usage/lines/{line_id:path}", responses=documented(404))
async def explain_meeting_line(
    meeting_id: MeetingId, line_id: LineId, edge: GivenEdge, tenant: Tenant, cursor: LineCursor = None
) -> Explained:
    """Where a line of a meeting's ledger comes from: its entries, its ticks, and the events they rest on."""
    await edge.meeting(tenant, meeting_id)
    command = ExplainLine(tenant=tenant, meeting_id=meeting_id, line_id=line_id, after=cursor)
    return await edge.ask(EXPLAIN, command, Explained)


@router.post("/invoices/{period}/compare", responses=documented(400, 404, 413, 415))
async def compare_period(period: Period, body: Expected, edge: GivenEdge, tenant: Tenant) -> Comparison:
    """What was expected of a period beside what was billed, and which inputs were off."""
    command = CompareForecast(tenant=tenant, estimate=body, period=_named(period))
    return await edge.ask(COMPARE, command, Comparison)


@router.post("/meetings/{meeting_id}/usage/compare", responses=documented(400, 404, 413, 415))
async def compare_meeting(meeting_id: MeetingId, body: Expected, edge: GivenEdge, tenant: Tenant) -> Comparison:
    """What was expected of a meeting beside what it used, and which inputs were off."""
    await edge.meeting(tenant, meeting_id)
    command = CompareForecast(tenant=tenant, estimate=body, meeting_id=meeting_id)
    return await edge.ask(COMPARE, command, Comparison)


async def _csv(edge: Edge, tenant: str, found: Invoice) -> AsyncGenerator[str]:
    # A page that cannot be had breaks the answer off, which a reader notices; half a table it would not.
    yield spreadsheet.lines(found)
    async for meetings in _shares(edge, tenant, found):
        yield spreadsheet.shares(found.invoice, meetings)


async def _pdf(edge: Edge, tenant: str, found: Invoice) -> bytes:
    shown = list[MeetingShare]()
    async for meetings in _shares(edge, tenant, found):
        shown += meetings
        if len(shown) >= MOST_MEETINGS_ON_PAPER:
            break
    settings = edge.settings
    customer = settings.gateway_invoice_to.get(tenant, tenant)
    content = pages(found, shown[:MOST_MEETINGS_ON_PAPER], settings.gateway_invoice_from, customer)
    return await edge.typesetter.pdf(content)


async def _shares(edge: Edge, tenant: str, found: Invoice) -> AsyncGenerator[list[MeetingShare]]:
    """The meetings page by page. A draft may change between two; a closed invoice does not."""
    yield found.meetings
    while found.next_cursor is not None:
        command = GetInvoice(tenant=tenant, period=found.invoice.period, after=found.next_cursor)
        found = await edge.ask(INVOICE, command, Invoice)
        yield found.meetings


def _named(period: str) -> str | None:
    return None if period == _RUNNING else period
