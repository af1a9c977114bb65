"""The archive's database: opened, checked, written in batches; and which of its failures pass by themselves."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from itertools import groupby

from roomscribe_common.connection import Unreachable
from roomscribe_common.errors import Retryable
from sqlalchemy import Table, case, delete, event, func, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from roomscribe_gateway.archive import schema
from roomscribe_gateway.archive.rows import Row, Value

_STATEMENT_S = 10.0
_BUSY_S = 5


class OldArchive(Exception):
    """The database holds an archive of another version; `str()` says what to do."""


def open_engine(url: str) -> AsyncEngine:
    """An engine for `sqlite+aiosqlite://` or `postgresql+asyncpg://`; nothing is connected yet."""
    if url.startswith("sqlite"):
        engine = create_async_engine(url, connect_args={"timeout": _BUSY_S})
        event.listen(engine.sync_engine, "connect", _sqlite_pragmas)
        return engine
    limits = {"timeout": 5, "command_timeout": _STATEMENT_S}
    return create_async_engine(url, max_overflow=5, pool_timeout=5, pool_pre_ping=True, connect_args=limits)


def _sqlite_pragmas(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    # Readers do not wait for the writer; a power cut may cost the last commits, which the streams bring again
    # only if unacknowledged, so commits are synced.
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@contextlib.asynccontextmanager
async def passing() -> AsyncGenerator[None]:
    """Turns failures that pass by themselves (locked, restarting, unreachable, slow) into `Retryable`."""
    try:
        async with asyncio.timeout(2 * _STATEMENT_S):
            yield
    except (DataError, IntegrityError):
        raise
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise Retryable(f"the archive's database does not answer: {type(cause).__name__}") from error


async def prepare(engine: AsyncEngine, url: str, timeout_s: float) -> None:
    """Makes the tables where they are missing. Raises `Unreachable`, `OldArchive`."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            async with passing():
                await _create(engine)
            return
        except Retryable as error:
            if time.monotonic() > deadline:
                raise Unreachable("the database", url, "database_url", str(error.__cause__)) from error
            await asyncio.sleep(0.5)


async def _create(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(schema.metadata.create_all)
        found = (await connection.execute(select(schema.version.c.version))).scalar()
        if found is None:
            await connection.execute(insert(schema.version).values(version=schema.VERSION))
        elif found != schema.VERSION:
            raise OldArchive(
                f"the archive has version {found}, this gateway writes {schema.VERSION}: "
                "run `python -m roomscribe_gateway rebuild`"
            )


async def recreate(engine: AsyncEngine) -> None:
    """Drops the archive, whatever its version, and makes it anew and empty."""
    async with engine.begin() as connection:
        await connection.run_sync(schema.metadata.drop_all)
    await _create(engine)


async def empty(engine: AsyncEngine) -> None:
    """Deletes what is in the archive."""
    async with engine.begin() as connection:
        for table in schema.CONTENT:
            await connection.execute(delete(table))


async def write(engine: AsyncEngine, rows: Sequence[Row]) -> None:
    """Upserts the rows in one transaction; in any order and any number of times, the result is the same.

    Raises `Retryable`, or `DBAPIError` for a value the database refuses.
    """
    async with passing(), engine.begin() as connection:
        ordered = sorted(rows, key=lambda row: row.key)
        for (table, names), group in groupby(ordered, key=lambda row: (row.table, tuple(sorted(row.values)))):
            await _upsert(connection, table, names, [row.values for row in group])


async def _upsert(
    connection: AsyncConnection, table: Table, names: tuple[str, ...], values: list[dict[str, Value]]
) -> None:
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = make(table)
    new, keys = statement.excluded, [column.name for column in table.primary_key]
    rest = [name for name in names if name not in keys]
    if table in _NEWEST:
        order = _NEWEST[table]
        changes = {name: new[name] for name in rest}
        condition = new[order] > table.c[order]
    else:
        changes = {name: func.coalesce(table.c[name], new[name]) for name in rest}
        condition = or_(*(table.c[name].is_(None) for name in rest))
    if table is schema.roster:
        later = or_(table.c.name_at_ms.is_(None), new.name_at_ms > table.c.name_at_ms)
        changes |= {name: case((later, new[name]), else_=table.c[name]) for name in ("name", "name_at_ms")}
        condition = or_(condition, later)
    statement = statement.on_conflict_do_update(index_elements=keys, set_=changes, where=condition)
    await connection.execute(statement, values)


_NEWEST = {
    schema.segments: "revision",
    schema.gaps: "start_ms",
    schema.minutes: "generated_at_ms",
    schema.usage: "told_at_ms",
}
"""Tables whose rows are replaced whole by what is newer in this column; in the others a value once there stays."""
