"""The tables on both databases: made anew, or adopted as they were before there were revisions, with their data."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from roomscribe_usage_metering import migrations
from roomscribe_usage_metering.accounts import load_accounts
from roomscribe_usage_metering.adapters import database
from roomscribe_usage_metering.adapters.schema import METADATA
from roomscribe_usage_metering.pricing.books import built_in
from sqlalchemy import Connection, column, insert, inspect, select, table
from sqlalchemy.ext.asyncio import AsyncEngine

from .billing import Till, at, talk
from .records import record

OLD_EVIDENCE = table(
    "usage_evidence", *map(column, ("tenant", "source", "id", "meeting_id", "room_sid", "fact", "stored_ms"))
)
OLD_MEETING = table(
    "usage_meeting", *map(column, ("tenant", "meeting_id", "room", "started_ms", "ended_ms", "version", "due_ms"))
)
OLD_CLAIM = table("usage_claim", *map(column, ("room_sid", "tenant", "meeting_id", "participant_sid", "joined_ms")))


@pytest.fixture
async def empty(empty_database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = database.open_engine(empty_database_url, 10)
    yield engine
    await engine.dispose()


async def test_the_tables_are_what_the_code_says(empty: AsyncEngine) -> None:
    await database.create_tables(empty)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, METADATA))

    async with empty.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_processes_that_start_at_once_make_them_once(empty_database_url: str) -> None:
    engines = [database.open_engine(empty_database_url, 10) for _ in range(3)]
    async with asyncio.TaskGroup() as group:
        for engine in engines:
            group.create_task(database.create_tables(engine))
    for engine in engines:
        await engine.dispose()


async def test_a_file_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "usage.db"
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    engine = database.open_engine(f"sqlite+aiosqlite:///{file}", 10)
    async with asyncio.TaskGroup() as group:
        making = group.create_task(database.create_tables(engine))
        done, _ = await asyncio.wait({making}, timeout=0.3)
        assert not done
        other.execute("COMMIT")
    other.close()
    async with engine.connect() as connection:
        assert "usage_evidence" in await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    await engine.dispose()


def _as_before_revisions(connection: Connection, ended: bool) -> None:
    """A database as a service of the time before Alembic left it, with one meeting in it."""
    migrations.upgrade(connection, "0001")
    connection.exec_driver_sql("DROP TABLE alembic_version")
    for number, one in enumerate(record(event) for event in talk("mtg_1", at(11, 2, 9), 30)):
        row = {
            "tenant": one.tenant,
            "source": one.source,
            "id": one.id,
            "meeting_id": one.meeting.meeting_id if one.meeting else "",
            "room_sid": one.room_sid,
            "fact": one.fact.model_dump_json(exclude_none=True),
            "stored_ms": 1_793_600_000_000 + number // 2,
        }
        connection.execute(insert(OLD_EVIDENCE).values(row))
    key = {"tenant": "acme", "meeting_id": "mtg_1"}
    start_ms = 1_793_610_000_000
    outline = {"room": "planning", "started_ms": start_ms, "ended_ms": start_ms + 1_800_000 if ended else None}
    connection.execute(insert(OLD_MEETING).values(**key, **outline, version=7, due_ms=None))
    claim = {"room_sid": "RM_mtg_1", "participant_sid": "PA_agent_mtg_1", "joined_ms": start_ms}
    connection.execute(insert(OLD_CLAIM).values(**key, **claim))


async def test_a_database_from_before_revisions_keeps_its_evidence_and_gets_its_chains(empty: AsyncEngine) -> None:
    async with empty.begin() as connection:
        await connection.run_sync(_as_before_revisions, True)
    for _ in range(2):
        await database.create_tables(empty)
    async with empty.connect() as connection:
        rows = (await connection.execute(select(METADATA.tables["usage_evidence"]).order_by(column("seq")))).all()
    assert [row.seq for row in rows] == list(range(1, 7))
    assert sorted((row.tenant, row.sequence) for row in rows) == [
        *((tenant, number) for tenant, count in (("_", 2), ("acme", 4)) for number in range(1, count + 1))
    ]
    till = Till(empty, load_accounts(None, built_in(), "livekit-cloud-ship"), built_in())
    # What was used before is booked now, and evidence that comes after goes on with the chain.
    await till.hear(talk("mtg_2", at(11, 3, 9), 10), at(11, 3, 10))
    await till.close(at(12, 2))
    verified = await till.verify()
    assert verified.ok
    assert (verified.events, verified.meetings) == (12, 2)
    minutes = [entry.steps for entry in await till.paid("2026-11") if entry.slot.meter == "agent_session_minutes"]
    assert sorted(minutes) == [10, 30]


async def test_a_migration_that_dies_leaves_the_old_tables(empty: AsyncEngine) -> None:
    async with empty.begin() as connection:
        await connection.run_sync(_as_before_revisions, True)
    async with empty.connect() as connection:
        await connection.run_sync(migrations.upgrade)
        await connection.rollback()
    async with empty.connect() as connection:
        tables = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
        columns = await connection.run_sync(
            lambda sync: [c["name"] for c in inspect(sync).get_columns("usage_evidence")]
        )
    assert tables == {"usage_evidence", "usage_meeting", "usage_claim"}
    assert "hash" not in columns
    await database.create_tables(empty)


async def test_books_from_before_they_were_counted_are_counted(empty: AsyncEngine) -> None:
    slot = {"meeting_id": "mtg", "line_id": "x", "meter": "x", "of_period": "2026-10", "price": "x", "version": 1}
    booked = {
        "period": "2026-10",
        "steps": 1,
        "quantity": 1,
        "identity": "",
        "quality": "",
        "basis": "",
        "booked_ms": 0,
    }
    closed = {"start_ms": 0, "end_ms": 1, "terms": "", "watermark": 0, "entries": 1, "digest": "", "closed_ms": 0}
    async with empty.begin() as connection:
        await connection.run_sync(migrations.upgrade, "0002")
        for number, tenant in enumerate(("acme", "acme", "globex")):
            row = {"key": f"{number}", "tenant": tenant, **slot, **booked}
            await connection.execute(insert(table("ledger_entry", *map(column, row))).values(row))
        row = {"tenant": "acme", "period": "2026-10", **closed}
        await connection.execute(insert(table("period_close", *map(column, row))).values(row))
    await database.create_tables(empty)
    async with empty.connect() as connection:
        rows = await connection.execute(select(METADATA.tables["ledger_size"]).order_by(column("tenant")))
        assert [tuple(row) for row in rows] == [("acme", 2, 1), ("globex", 1, 0)]
