"""`roomscribe usage rebuild --verify`: a database with a closed period, and what is said once somebody wrote in it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import typer
from roomscribe_cli.commands import usage
from typer.testing import CliRunner, Result


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    usage.register(app)
    return CliRunner().invoke(app, ["usage", "rebuild", *arguments], env={"COLUMNS": "120"})


def test_a_closed_period_is_derived_again_and_is_the_same(state: Path) -> None:
    result = run("--verify", "--state", str(state))
    assert result.exit_code == 0, result.output
    for word in ("acme", "2026-10", "same", "3 events", "Everything holds."):
        assert word in result.output, word
    found = json.loads(run("--json", "--state", str(state)).stdout)
    assert (found["ok"], found["events"], found["meetings"]) == (True, 3, 1)
    [period] = found["periods"]
    assert period["closed"] == period["booked"] == period["derived"]


def test_evidence_that_somebody_changed_is_found(state: Path) -> None:
    with closing(sqlite3.connect(state / "usage.db")) as database, database:
        changed = "UPDATE usage_evidence SET fact = replace(fact, :old, :new) WHERE id = '2'"
        database.execute(changed, {"old": "600000", "new": "60000"})
    result = run("--verify", "--state", str(state))
    assert result.exit_code == 1
    for word in ("NOT THE SAME", "The chain acme/2026-10 at link 2 does not hold.", "disagree"):
        assert word in result.output, word
    assert run("--state", str(state)).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--state", "no/such/folder"), "there is no no/such/folder/usage.db"),
        (("--database", "mysql://user:hidden@host/x"), "the database must be sqlite+aiosqlite:///… or postgresql"),
        (("--database", "postgresql+asyncpg://user:hidden@127.0.0.1:9/x"), "127.0.0.1:9/x cannot be read"),
    ],
)
def test_a_database_that_cannot_be_read_is_named_without_its_password(arguments: tuple[str, ...], why: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, why in result.stderr, "hidden" in result.stderr) == (2, True, False), result.stderr
