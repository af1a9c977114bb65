"""Files: FOCUS as its specification has it, entries that add up to the ledger, Parquet that says what CSV does."""

import csv
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from roomscribe_common.contracts.billing import InvoiceData, InvoiceLine
from roomscribe_usage_metering.exports.entries_table import entries_table
from roomscribe_usage_metering.exports.focus import COLUMNS, focus_table
from roomscribe_usage_metering.exports.tables import Table, write_csv, write_parquet

from .focus_rules import wrong
from .ledger import entry, sums

NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


def line(**fields: Any) -> InvoiceLine:
    base = {
        "line_id": "livekit-cloud-scale@2026-06:agent_session_minutes",
        "kind": "usage",
        "meter": "agent_session_minutes",
        "description": "Sessions of agents",
        "of_period": "2026-11",
        "price": "livekit-cloud-scale@2026-06",
        "unit": "min",
        "quantity": "90000",
        "allowance": "50000",
        "overage": "40000",
        "unit_price": "0.01",
        "amount": "400.00",
    }
    return InvoiceLine.model_validate({**base, **fields})


SPEECH = {"meter": "stt_audio_minutes", "quantity": "0.833333333333", "overage": "0.833333333333"}
TOKENS = {"meter": "llm_input_tokens", "unit": "tokens", "quantity": "1234567", "overage": "1234567", "per": 1_000_000}
CREDIT = {"kind": "credit", "meter": "model_credit", "unit": "USD", "quantity": "5", "overage": "5"}
LINES = [
    line(kind="base", meter="plan_base", unit="month", quantity="1", overage="1", unit_price="500", amount="500.00"),
    line(),
    line(**SPEECH, unit_price="0.006", amount="0.01"),
    line(**TOKENS, unit_price="0.15", amount="0.19"),
    line(**CREDIT, unit_price="-1", amount="-5.00"),
    line(kind="correction", of_period="2026-10", quantity="-10", overage="-10", amount="-0.10"),
]


def invoice(number: str | None = "acme.2026-11") -> InvoiceData:
    return InvoiceData(
        number=number,
        period="2026-11",
        state="closed",
        starts_at=NOVEMBER[0],
        ends_at=NOVEMBER[1],
        time_zone="UTC",
        currency="USD",
        plan="livekit-cloud-scale@2026-06",
        lines=LINES,
        total=str(sum(Decimal(one.amount) for one in LINES)),
    )


def focus(number: str | None = "acme.2026-11") -> Table:
    return focus_table("acme", [invoice(number)], {"2026-11": NOVEMBER, "2026-10": OCTOBER}.__getitem__)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def parquet(path: Path) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Types of columns by name, and the rows."""
    found: Any = import_module("pyarrow.parquet").read_table(path)  # it has no types of its own
    return {one.name: str(one.type) for one in found.schema}, found.to_pylist()


def test_every_row_is_as_focus_asks(tmp_path: Path) -> None:
    write_csv(focus(), tmp_path / "focus.csv")
    rows = read(tmp_path / "focus.csv")
    assert len(rows) == len(LINES)
    assert {row["x_LineId"]: wrong(row) for row in rows if wrong(row)} == {}


@pytest.mark.parametrize(
    "column", [name for name in COLUMNS if name.endswith(("Cost", "PricingUnit", "SkuId", "Start"))]
)
def test_the_rules_notice_a_column_that_is_empty(tmp_path: Path, column: str) -> None:
    write_csv(focus(), tmp_path / "focus.csv")
    row = read(tmp_path / "focus.csv")[1]
    assert wrong({**row, column: ""})


def test_the_rows_of_an_invoice_add_up_to_it(tmp_path: Path) -> None:
    write_csv(focus(), tmp_path / "focus.csv")
    rows = read(tmp_path / "focus.csv")
    assert {row["InvoiceId"] for row in rows} == {"acme.2026-11"}
    assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal(invoice().total)
    [correction] = [row for row in rows if row["ChargeClass"]]
    assert (correction["ChargePeriodStart"], correction["BillingPeriodStart"]) == (
        "2026-10-01T00:00:00Z",
        "2026-11-01T00:00:00Z",
    )


def test_tokens_are_priced_by_the_million_and_what_an_allowance_covers_is_not_priced(tmp_path: Path) -> None:
    write_csv(focus(), tmp_path / "focus.csv")
    rows = {row["SkuId"]: row for row in read(tmp_path / "focus.csv") if not row["ChargeClass"]}
    tokens, sessions = rows["llm_input_tokens"], rows["agent_session_minutes"]
    assert (tokens["PricingQuantity"], tokens["PricingUnit"]) == ("1.234567", "1000000 Tokens")
    assert (tokens["ListCost"], tokens["BilledCost"]) == ("0.18518505", "0.19")
    assert (sessions["ConsumedQuantity"], sessions["PricingQuantity"]) == ("90000", "40000")


def test_a_draft_has_no_invoice(tmp_path: Path) -> None:
    write_csv(focus(None), tmp_path / "focus.csv")
    assert {row["InvoiceId"] for row in read(tmp_path / "focus.csv")} == {""}


def test_parquet_holds_what_csv_does_and_no_float(tmp_path: Path) -> None:
    table = focus()
    write_csv(table, tmp_path / "focus.csv")
    write_parquet(table, tmp_path / "focus.parquet")
    types, rows = parquet(tmp_path / "focus.parquet")
    assert not any("float" in one or "double" in one for one in types.values())
    assert types["BilledCost"] == "decimal128(38, 18)"
    again = Table(table.columns, rows)
    write_csv(again, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "focus.csv").read_bytes()


def test_the_entries_of_a_file_add_up_to_the_ledger(tmp_path: Path) -> None:
    entries = [entry(n, n, meter="stt_audio_minutes" if n % 2 else "webrtc_participant_minutes") for n in range(50)]
    write_csv(entries_table(entries), tmp_path / "entries.csv")
    rows, found = read(tmp_path / "entries.csv"), Counter[tuple[str, str]]()
    for row in rows:
        found[row["tenant"], row["meter"]] += int(row["steps"])
    assert dict(found) == sums(entries)
    assert len({row["key"] for row in rows}) == 50
    assert "anna" not in (tmp_path / "entries.csv").read_text()


def test_a_cell_that_a_spreadsheet_would_run_is_text(tmp_path: Path) -> None:
    write_csv(
        Table({"name": "text", "amount": "decimal"}, [{"name": "=1+1", "amount": Decimal("-1.50")}]), tmp_path / "x.csv"
    )
    assert read(tmp_path / "x.csv") == [{"name": "'=1+1", "amount": "-1.5"}]
