"""The engine for a database URL, set up so that a commit is on disk before anybody is told."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from roomscribe_usage_metering import migrations

_BUSY_MS = 5_000


def open_engine(url: str, statement_timeout_s: float) -> AsyncEngine:
    """An engine; it connects when first used. Waits for locks and statements are bounded."""
    if url.startswith("sqlite"):
        engine = create_async_engine(url, connect_args={"timeout": statement_timeout_s})
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        return engine
    return create_async_engine(
        url,
        pool_size=5,
        max_overflow=5,
        pool_timeout=statement_timeout_s,
        pool_pre_ping=True,
        connect_args={"timeout": statement_timeout_s, "command_timeout": statement_timeout_s},
    )


def _prepare_sqlite(dbapi_connection: object, _: ConnectionPoolEntry) -> None:
    connection = cast(sqlite3.Connection, dbapi_connection)  # aiosqlite's adapter has the same cursor
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={_BUSY_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


async def create_tables(engine: AsyncEngine) -> None:
    """Brings the tables to the newest revision. Raises `SQLAlchemyError`."""
    patient_until = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(migrations.upgrade)
        except OperationalError as error:
            # SQLite does not wait for others when it gives a new file a write-ahead log.
            if "database is locked" not in str(error) or time.monotonic() > patient_until:
                raise
        await asyncio.sleep(0.05)


@asynccontextmanager
async def snapshot(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    """A connection for reading whose statements all see the same moment."""
    async with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execution_options(isolation_level="REPEATABLE READ")
        else:
            await connection.exec_driver_sql("BEGIN")
        yield connection


async def ping(engine: AsyncEngine) -> None:
    """Raises unless the database answers."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
