"""`roomscribe usage rebuild --verify`: a database with a closed period, and what is said once somebody wrote in it."""

import asyncio
import json
import sqlite3
from contextlib import closing
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
from roomscribe_usage_metering.domain.evidence import AgentSeen, MeetingBegan, MeetingKey, MeetingOver, Record
from roomscribe_usage_metering.domain.lines import epoch_ms
from roomscribe_usage_metering.invoicing import Invoicing
from roomscribe_usage_metering.pricing.books import built_in
from typer.testing import CliRunner, Result

_BEGAN_MS = epoch_ms(datetime(2026, 10, 5, 9, tzinfo=UTC))
_CLOSED_MS = epoch_ms(datetime(2026, 11, 2, tzinfo=UTC))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The folder of a stack whose October is closed."""
    asyncio.run(_fill(f"sqlite+aiosqlite:///{tmp_path}/usage.db"))
    return tmp_path


async def _fill(url: str) -> None:
    engine, tariffs = open_engine(url, 10), Tariffs(load_accounts(None, built_in(), "livekit-cloud-ship"), built_in())
    key, room, ended_ms = MeetingKey("acme", "mtg_1"), "planning", _BEGAN_MS + 600_000
    seen = AgentSeen(
        room=room,
        room_sid="RM_1",
        participant_sid="PA_1",
        identity="agent",
        job_id="mtg_1:1",
        epoch=1,
        joined_ms=_BEGAN_MS,
        uptime_ms=600_000,
        left=True,
    )
    facts = [
        Record("acme", "test", "1", MeetingBegan(room=room, room_sid="RM_1", joined_ms=_BEGAN_MS), key, "RM_1"),
        Record("acme", "test", "2", seen, key, "RM_1"),
        Record("acme", "test", "3", MeetingOver(room=room, ended_ms=ended_ms), key),
    ]
    try:
        await create_tables(engine)
        await EvidenceStore(engine, 0).add(facts, ended_ms)
        closer = PeriodCloser(engine, tariffs, Invoicing(engine, tariffs), "test", PeriodTimes(1, 0))
        await closer.close_due(_CLOSED_MS)
    finally:
        await engine.dispose()


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
