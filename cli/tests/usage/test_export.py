"""`roomscribe usage export`: files from a database with a closed period."""

import asyncio
import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from roomscribe_cli.commands import usage
from roomscribe_usage_metering.accounts import load_accounts
from roomscribe_usage_metering.adapters.database import create_tables, open_engine
from roomscribe_usage_metering.adapters.store import EvidenceStore
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.closing_periods import PeriodCloser, PeriodTimes
from roomscribe_usage_metering.domain.evidence import AgentSeen, MeetingKey, Record
from roomscribe_usage_metering.domain.lines import epoch_ms
from roomscribe_usage_metering.invoicing import Invoicing
from roomscribe_usage_metering.pricing.books import built_in
from typer.testing import CliRunner, Result

_BEGAN_MS = epoch_ms(datetime(2026, 10, 5, 9, tzinfo=UTC))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The folder of a stack whose October is closed: one agent, ten minutes."""
    asyncio.run(_fill(f"sqlite+aiosqlite:///{tmp_path}/usage.db"))
    return tmp_path


async def _fill(url: str) -> None:
    engine, tariffs = open_engine(url, 10), Tariffs(load_accounts(None, built_in(), "livekit-cloud-ship"), built_in())
    seen = AgentSeen(
        room="planning",
        room_sid="RM_1",
        participant_sid="PA_1",
        identity="agent",
        job_id="mtg_1:1",
        epoch=1,
        joined_ms=_BEGAN_MS,
        uptime_ms=600_000,
        left=True,
    )
    try:
        await create_tables(engine)
        record = Record("acme", "test", "1", seen, MeetingKey("acme", "mtg_1"), "RM_1")
        await EvidenceStore(engine, 0).add([record], _BEGAN_MS + 600_000)
        closer = PeriodCloser(engine, tariffs, Invoicing(engine, tariffs), "test", PeriodTimes(1, 0))
        await closer.close_due(epoch_ms(datetime(2026, 11, 2, tzinfo=UTC)))
    finally:
        await engine.dispose()


def run(state: Path, form: str, *arguments: str, period: str = "2026-10") -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    usage.register(app)
    asked = ["usage", "export", str(state / "out"), "--tenant", "acme", "--period", period, "--format", form]
    return CliRunner().invoke(app, [*asked, "--state", str(state), *arguments])


def rows(state: Path) -> list[dict[str, str]]:
    with (state / "out").open(newline="") as file:
        return list(csv.DictReader(file))


def test_entries_and_focus_are_written_as_csv(state: Path) -> None:
    assert run(state, "csv").exit_code == 0
    [entry] = rows(state)
    assert (entry["meter"], entry["steps"], entry["billed"]) == ("agent_session_minutes", "10", "10")
    assert run(state, "focus-csv", "--issuer", "Acme Cloud").exit_code == 0
    lines = {row["SkuId"]: row for row in rows(state)}
    assert lines["plan_base"]["BilledCost"] == "50"
    assert {row["InvoiceIssuerName"] for row in lines.values()} == {"Acme Cloud"}
    assert lines["agent_session_minutes"]["ConsumedQuantity"] == "10"


@pytest.mark.parametrize("form", ["parquet", "focus-parquet"])
def test_both_are_written_as_parquet(state: Path, form: str) -> None:
    result = run(state, form)
    assert result.exit_code == 0, result.output
    content = (state / "out").read_bytes()
    assert content[:4] == content[-4:] == b"PAR1"


@pytest.mark.parametrize("form", ["csv", "focus-csv"])
def test_a_period_that_is_none_is_refused_and_nothing_written(state: Path, form: str) -> None:
    result = run(state, form, period="October")
    assert result.exit_code == 2
    assert "is not a calendar month" in result.stderr
    assert sorted(one.name for one in state.iterdir() if "out" in one.name) == []


def test_a_period_before_the_first_use_has_no_invoice(state: Path) -> None:
    result = run(state, "focus-csv", period="2025-01")
    assert result.exit_code == 2
    assert "2025-01" in result.stderr


def test_a_file_that_cannot_be_written_is_said(state: Path) -> None:
    (state / "out").mkdir()
    result = run(state, "csv")
    assert result.exit_code == 2
    assert "cannot write" in result.stderr
    assert not list(state.glob(".out*"))
