"""`roomscribe usage export`: files from a database with a closed period."""

import csv
from pathlib import Path

import pytest
import typer
from roomscribe_cli.commands import usage
from typer.testing import CliRunner, Result


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
