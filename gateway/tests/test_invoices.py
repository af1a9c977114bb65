"""Invoices over HTTP: JSON in pages, CSV and PDF whole; lines explained; compared with what was expected."""

import csv
import io
from decimal import Decimal

import httpx
import pypdfium2  # pyright: ignore[reportMissingTypeStubs]  # the package ships no types
import pytest
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.invoices import CompareForecast, ExplainLine, GetForecast, GetInvoice, Invoice

from .conftest import Gateway, MakeSettings, Serve
from .invoices import AGENTS, FakeMetering, credit_note, invoice, shares
from .meetings import Publisher, requested
from .test_refusals import problem

EXPECTED = {"meetings": 2000, "minutes": 40, "humans": 5}


@pytest.fixture
async def metering(bus: Bus) -> FakeMetering:
    fake = FakeMetering(bus)
    await fake.listen()
    return fake


async def test_an_invoice_comes_with_a_page_of_meetings(gateway: Gateway, metering: FakeMetering) -> None:
    metering.page = 1
    first = (await gateway.client.get("/v1/invoices/2026-10")).json()
    assert (first["invoice"]["total"], first["invoice"]["number"]) == ("1439.88", "2026-10-1")
    second = (await gateway.client.get(f"/v1/invoices/2026-10?cursor={first['next_cursor']}")).json()
    assert [one["meetings"][0]["room"] for one in (first, second)] == ["planning", "standup"]
    assert second["next_cursor"] is None
    asked = [GetInvoice(tenant="acme", period="2026-10", after=after) for after in (None, "mtg_0000")]
    assert metering.asked == asked


async def test_the_invoice_of_the_running_period_is_a_draft(gateway: Gateway, metering: FakeMetering) -> None:
    metering.found = Invoice(invoice=invoice(number=None, state="running", issued_at=None), meetings=[])
    found = (await gateway.client.get("/v1/invoices/current")).json()
    assert (found["invoice"]["number"], found["invoice"]["state"]) == (None, "running")
    assert metering.asked == [GetInvoice(tenant="acme", period=None)]


async def test_a_period_nobody_knows_is_refused_in_every_format(gateway: Gateway, metering: FakeMetering) -> None:
    for form in ("json", "csv", "pdf"):
        response = await gateway.client.get(f"/v1/invoices/2031-01?format={form}")
        assert "2031-01" in problem(response, 404)[""]


async def test_the_csv_has_all_meetings_and_both_sums_are_exact(gateway: Gateway, metering: FakeMetering) -> None:
    metering.meetings, metering.page = shares([f"room {n}" for n in range(250)]), 100
    metering.found = Invoice(invoice=invoice(), credit_notes=[credit_note()], meetings=[])
    response = await gateway.client.get("/v1/invoices/2026-10?format=csv")
    assert response.headers["content-disposition"] == 'attachment; filename="invoice-2026-10.csv"'
    rows = list(csv.DictReader(io.StringIO(response.text)))
    amounts = {name: Decimal(0) for name in ("2026-10-1", "2026-10-1-C1")}
    for row in rows:
        amounts[row["document"]] += Decimal(row["amount"] or 0)
    assert amounts == {"2026-10-1": Decimal("1439.88"), "2026-10-1-C1": Decimal("-2.40")}
    assert sum(Decimal(row["share"] or 0) for row in rows) == Decimal("1439.88")
    assert len({row["meeting_id"] for row in rows if row["row"] == "meeting"}) == 250


async def test_a_csv_whose_next_page_cannot_be_had_does_not_look_whole(
    gateway: Gateway, metering: FakeMetering
) -> None:
    metering.meetings, metering.page = shares(["a", "b"]), 1
    whole = (await gateway.client.get("/v1/invoices/2026-10?format=csv")).text
    assert "mtg_0001" in whole
    metering.meetings[0] = metering.meetings[0].model_copy(update={"meeting_id": "mtg_gone"})
    metering.found = metering.found.model_copy(update={"invoice": invoice(period="2031-01")})
    with pytest.raises(httpx.RemoteProtocolError):
        await gateway.client.get("/v1/invoices/2026-10?format=csv")


async def test_the_pdf_names_both_sides_and_holds_every_page(
    serve: Serve, make_settings: MakeSettings, metering: FakeMetering
) -> None:
    metering.meetings = shares(["日本語の会議室", "Планёрка", *(f"room {n}" for n in range(140))])
    metering.found = Invoice(invoice=invoice(), credit_notes=[credit_note()], meetings=[])
    sides = {"gateway_invoice_from": "Example GmbH\nWien", "gateway_invoice_to": {"acme": "Acme Inc."}}
    async with serve(make_settings(**sides)) as gateway:
        response = await gateway.client.get("/v1/invoices/2026-10?format=pdf")
        assert response.headers["content-type"] == "application/pdf"
        again = await gateway.client.get("/v1/invoices/2026-10?format=pdf")
    assert response.content == again.content
    pages = read(response.content)
    for words in ("Example GmbH", "Acme Inc.", "2026-10-1", "1 October 2026 – 31 October 2026", "1,439.88", "1,437.48"):
        assert words in pages[0]
    for words in ("日本語の会議室", "Планёрка"):
        assert words in pages[1]
    assert "room 139" in pages[-2]
    assert "Credit note" in pages[-1]
    assert "−2.40" in pages[-1]
    assert f"Page 5 of {len(pages)}" in pages[-1]


async def test_a_line_is_explained_by_its_id_whatever_is_in_it(
    gateway: Gateway, metering: FakeMetering, publisher: Publisher
) -> None:
    await publisher(requested("m1"))
    found = (await gateway.client.get(f"/v1/invoices/2026-10/lines/{AGENTS}")).json()
    assert found["entries"][0]["billed"] == "90000"
    stream = "stt:job_1:1:TR_1:openai:whisper/v3"
    found = await gateway.client.get(f"/v1/meetings/m1/usage/lines/{stream.replace('/', '%2F')}?cursor=e:7")
    assert found.json()["line_id"] == stream
    assert metering.asked == [
        ExplainLine(tenant="acme", period="2026-10", line_id=AGENTS),
        ExplainLine(tenant="acme", meeting_id="m1", line_id=stream, after="e:7"),
    ]


async def test_what_was_expected_is_compared_for_a_period_and_for_a_meeting(
    gateway: Gateway, metering: FakeMetering, publisher: Publisher
) -> None:
    await publisher(requested("m1"))
    for path in ("/v1/invoices/2026-10/compare", "/v1/meetings/m1/usage/compare"):
        found = (await gateway.client.post(path, json=EXPECTED)).json()
        assert (found["difference"], found["causes"][0]["input"]) == ("160.00", "minutes")
    month, meeting = metering.asked
    assert isinstance(month, CompareForecast)
    assert isinstance(meeting, CompareForecast)
    assert (month.period, month.meeting_id, month.estimate.minutes) == ("2026-10", None, 40)
    assert (meeting.period, meeting.meeting_id) == (None, "m1")


async def test_a_forecast_is_of_the_running_period_or_of_a_named_one(gateway: Gateway, metering: FakeMetering) -> None:
    assert (await gateway.client.get("/v1/usage/forecast")).json()["expected_total"] == "950.00"
    assert (await gateway.client.get("/v1/usage/forecast?period=2026-11")).status_code == 200
    assert metering.asked == [GetForecast(tenant="acme"), GetForecast(tenant="acme", period="2026-11")]


async def test_nobody_reads_anothers_meeting_or_is_asked_about_as_another(
    gateway: Gateway, metering: FakeMetering, publisher: Publisher
) -> None:
    await publisher(requested("m1"))
    assert (await gateway.globex.get("/v1/meetings/m1/usage/lines/l1")).status_code == 404
    assert (await gateway.globex.post("/v1/meetings/m1/usage/compare", json=EXPECTED)).status_code == 404
    await gateway.globex.get("/v1/invoices/2026-10")
    assert metering.asked == [GetInvoice(tenant="globex", period="2026-10")]


async def test_a_meter_nobody_knows_is_named_by_its_field(gateway: Gateway) -> None:
    for path in ("/v1/estimates", "/v1/invoices/2026-10/compare"):
        response = await gateway.client.post(path, json={**EXPECTED, "usage": {"tea": "1"}})
        assert "the meters are webrtc_participant_minutes, " in problem(response, 422)["usage.tea"]


def read(file: bytes) -> list[str]:
    """The text of each page."""
    document = pypdfium2.PdfDocument(file)
    try:
        return [page.get_textpage().get_text_range() for page in document]  # pyright: ignore[reportUnknownMemberType]
    finally:
        document.close()
