"""An invoice's files: what stands in them whatever people called their rooms, and however many there are."""

import csv
import io
from decimal import Decimal

import pytest
from roomscribe_common.contracts.invoices import Invoice
from roomscribe_common.errors import Retryable
from roomscribe_gateway.invoice_files import spreadsheet
from roomscribe_gateway.invoice_files.figures import money, quantity, unit_price
from roomscribe_gateway.invoice_files.pages import pages
from roomscribe_gateway.invoice_files.shares import share_table
from roomscribe_gateway.invoice_files.typesetter import Typesetter

from .invoices import invoice, line, shares
from .test_invoices import read

METERS = ("stt_a", "tts_a", "llm_a", "agent_a", "downstream_a", "webrtc_a")


def test_a_table_of_shares_fits_the_page_however_many_lines_there_are() -> None:
    lines = [line(meter, f"{number + 1}.00") for number, meter in enumerate(METERS)]
    total = invoice(lines=lines, total="21.00")
    parts = {one.line_id: one.amount for one in lines}
    meeting = shares(["a"])[0].model_copy(update={"lines": parts, "amount": "21.00"})
    table = share_table(total, [meeting])
    assert set(table["columns"]) == {"Connections", "Traffic", "Agents", "Models", "Other"}
    by_column = dict(zip(table["columns"], table["rows"][0]["shares"], strict=True))
    assert by_column["Other"] == "3.00"
    assert sum(Decimal(value) for value in by_column.values()) == 21


def test_meetings_that_are_not_shown_are_one_row_and_the_table_adds_up() -> None:
    meetings = shares([f"room {n}" for n in range(7)])
    table = share_table(invoice(), meetings[:5])
    shown = [Decimal(row["amount"]) for row in table["rows"]]
    assert sum(shown) + Decimal(table["others"]) == Decimal("1439.88")
    assert table["total"] == "1,439.88"
    assert share_table(invoice(), meetings)["others"] is None


def test_a_spreadsheet_runs_no_formula_and_keeps_negative_amounts() -> None:
    found = Invoice(invoice=invoice(notes=["=1"]), meetings=shares(["=1+1", "@x", "-room"]))
    text = spreadsheet.lines(found) + spreadsheet.shares(found.invoice, found.meetings)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["room"] for row in rows if row["room"]} == {"'=1+1", "'@x", "'-room"}
    assert "-0.12" in {row["amount"] for row in rows}


def test_figures_are_shown_as_they_are_and_prices_in_full() -> None:
    assert [money(value) for value in ("1440", "-0.12", "0")] == ["1,440.00", "−0.12", "0.00"]
    assert [quantity(value) for value in ("540000", "0.83333333", "0", "-12")] == ["540,000", "0.8333", "–", "−12"]
    assert [unit_price("0.00000015", 1), unit_price("0.15", 1_000_000)] == ["0.00000015", "0.15 / 1,000,000"]


async def test_what_people_called_a_room_is_text_on_paper() -> None:
    hostile = ['#panic("x")', "*b* _i_ $x$ @y <z> \\ // #let", "[b]", "x" * 256, "a\nb\x00c", "שלום 12", "'\"`"]
    found = Invoice(invoice=invoice(notes=["#panic()"]), meetings=shares(hostile))
    text = "".join(read(await Typesetter().pdf(pages(found, found.meetings, "", "acme"))))
    for words in ('#panic("x")', "*b* _i_ $x$ @y <z> \\ // #let", "[b]", "x" * 20, "a b c", "#panic()"):
        assert words in text


async def test_a_draft_says_so_and_names_no_number() -> None:
    found = Invoice(invoice=invoice(number=None, state="running", issued_at=None, digest=None), meetings=[])
    first, *others = read(await Typesetter().pdf(pages(found, [], "", "acme")))
    assert "Draft invoice" in first
    assert "every figure can still change" in first
    assert "Number" not in first
    assert others == []


async def test_pages_that_cannot_be_set_are_refused_and_leave_no_process() -> None:
    typesetter = Typesetter()
    for _ in range(3):
        with pytest.raises(Retryable, match="could not be made"):
            await typesetter.pdf({"documents": []})
